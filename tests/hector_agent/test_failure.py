"""Why a run failed, as its task tells everybody who may read it."""

import logging

import pytest

from hector_agent.failure import error_of
from hector_store.server_errors import StorageUnreachable
from hector_store.server_url import ServerPlace


def test_the_databases_address_stands_in_the_log_and_not_in_the_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = StorageUnreachable(ServerPlace("mariadb", "secrets", "db.inside", 3306), "Connection refused")
    with caplog.at_level(logging.WARNING):
        found = error_of(error)
    assert found.reason == "STORAGE_UNREACHABLE"
    assert "the database failed" in found.message
    assert "inside" not in str(found)
    (record,) = caplog.records
    assert vars(record)["error"] == str(error)
