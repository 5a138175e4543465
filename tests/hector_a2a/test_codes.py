"""Errors in three bindings and two editions, against the official SDK's table."""

from a2a.utils import errors as sdk
from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode

import hector_a2a as a2a
from hector_a2a.codes import EDITIONS, codes_of, with_violations
from hector_mesh import HectorError, status_of
from hector_mesh.status import info_in

EVERY: list[a2a.A2AError] = [
    a2a.TaskNotFound("t"),
    a2a.TaskNotCancelable("t", "TASK_STATE_COMPLETED"),
    a2a.PushNotificationNotSupported(),
    a2a.UnsupportedOperation("no"),
    a2a.ContentTypeNotSupported("x/y", ["text/plain"]),
    a2a.InvalidAgentResponse("odd"),
    a2a.ExtendedAgentCardNotConfigured("a"),
    a2a.ExtensionSupportRequired(["https://x"]),
    a2a.VersionNotSupported("no", found="9", supported=["1.0"]),
    a2a.InvalidParams({"a.b": "required"}),
]


def test_the_default_edition_is_what_the_sdk_does() -> None:
    """a2a-sdk 1.3 implements A2A 1.0.1."""
    for kind, mapping in sdk.A2A_ERROR_MAPPING.items():
        ours = EDITIONS["1.0.1"].get(mapping.reason)
        if ours is not None:
            theirs = (sdk.JSON_RPC_ERROR_CODE_MAP[kind], mapping.http_code, mapping.grpc_status)
            assert (ours.jsonrpc, ours.http, ours.grpc.name) == theirs
    assert {mapping.reason for mapping in sdk.A2A_ERROR_MAPPING.values()} >= EDITIONS["1.0.1"].keys()


def test_every_error_has_a_row_in_every_edition_and_its_class_the_default_code() -> None:
    for table in EDITIONS.values():
        assert {error.reason for error in EVERY} == table.keys()
    for error in EVERY:
        assert error.code is EDITIONS["1.0.1"][error.reason].grpc
        assert error.domain == "a2a-protocol.org"


def test_the_first_edition_differs_in_six_cells() -> None:
    """A2A 1.0.0 against 1.0.1."""
    new, old = EDITIONS["1.0.1"], EDITIONS["1.0.0"]
    assert (
        sum(
            getattr(new[reason], column) != getattr(old[reason], column)
            for reason in new
            for column in ("jsonrpc", "http", "grpc")
        )
        == 6
    )
    status = status_of(a2a.TaskNotCancelable("t", "TASK_STATE_COMPLETED"))
    assert (codes_of(status).http, codes_of(status, "1.0.0").http) == (400, 409)


def test_a_reason_of_somebody_else_goes_by_its_code() -> None:
    class Ours(HectorError):
        """Same reason, another domain."""

        code = StatusCode.RESOURCE_EXHAUSTED
        reason = "TASK_NOT_FOUND"

    assert codes_of(status_of(Ours("x"))).http == 429


def test_invalid_fields_are_told_as_google_does() -> None:
    """A2A 1.0: google.rpc.BadRequest; what is no violation is left as it is."""
    told = with_violations(status_of(a2a.InvalidParams({"b": "odd", "a[0]": "required"})))
    bad = BadRequest()
    assert [detail.Unpack(bad) for detail in told.details] == [False, True]
    assert [(one.field, one.description) for one in bad.field_violations] == [
        ("a[0]", "required"),
        ("b", "odd"),
    ]
    assert info_in(told).reason == "INVALID_PARAMS"
    assert with_violations(told) == told
    other = status_of(a2a.TaskNotFound("t"))
    assert with_violations(other) == other
