"""What clients are told of a failure behind the border, and what only the log has."""

import logging

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from hector_gateway.faults import public, reason_in, unexpected
from hector_mesh import HectorError
from hector_mesh.status import info_in
from hector_store.errors import StorageCorrupt, StorageFull, StorageQueueFull
from hector_store.server_errors import StorageUnreachable
from hector_store.server_url import ServerPlace

PLACE = ServerPlace("mariadb", "secrets", "db.inside", 3306)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StorageUnreachable(PLACE, "Connection refused"), "the database cannot be reached; try again"),
        (StorageFull("/var/inside/runs.db"), "no space left for the database; nothing was written"),
        (StorageCorrupt("/var/inside/runs.db", "at page 3"), "the database cannot be used"),
    ],
)
def test_where_the_database_is_stands_in_the_log_and_not_in_the_answer(
    error: HectorError, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        status = public(error, "r-1")
    assert status.message == f"{told} (logged as r-1)"
    assert (status.code, reason_in(status)) == (error.code.value[0], error.reason)
    assert "inside" not in str(status)
    (record,) = caplog.records
    assert vars(record)["request_id"] == "r-1"
    assert vars(record)["details"] == str(error)


def test_what_names_no_place_is_told_as_it_is() -> None:
    status = public(StorageQueueFull(7, 99), "r-1")
    assert status.code == StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert status.message.startswith("the store is behind: 7 rows")


def test_whatever_fails_has_a_reason_for_programs() -> None:
    """A2A 1.0.1 sections 9.5, 10.6 and 11.6, in every binding: so it stands in what all of them show."""
    away = AioRpcError(StatusCode.UNAVAILABLE, Metadata(), Metadata(), "connect: /run/inside.sock")
    for status, reason in (
        (public(away, "r-1"), "UNAVAILABLE"),
        (unexpected(KeyError("x"), "r-1"), "INTERNAL"),
    ):
        told = info_in(status)
        assert (told.reason, told.domain, dict(told.metadata)) == (reason, "hector", {})
