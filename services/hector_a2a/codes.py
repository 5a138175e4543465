"""What each binding makes of an error: one table, with a column for every edition of A2A."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode

from hector_mesh.status import ErrorInfo, Status, info_in, packed

from .errors import DOMAIN

Profile = Literal["1.0.1", "1.0.0"]
"""Editions of A2A 1.0 that map errors differently."""


@dataclass(frozen=True, slots=True)
class Codes:
    """One error in the three bindings."""

    jsonrpc: int
    http: int
    grpc: StatusCode


PARSE_ERROR = Codes(-32700, 400, StatusCode.INVALID_ARGUMENT)
INVALID_REQUEST = Codes(-32600, 400, StatusCode.INVALID_ARGUMENT)
METHOD_NOT_FOUND = Codes(-32601, 404, StatusCode.UNIMPLEMENTED)
INTERNAL = Codes(-32603, 500, StatusCode.INTERNAL)

_EDITION_1_0_1 = {
    "TASK_NOT_FOUND": Codes(-32001, 404, StatusCode.NOT_FOUND),
    "TASK_NOT_CANCELABLE": Codes(-32002, 400, StatusCode.FAILED_PRECONDITION),
    "PUSH_NOTIFICATION_NOT_SUPPORTED": Codes(-32003, 400, StatusCode.FAILED_PRECONDITION),
    "UNSUPPORTED_OPERATION": Codes(-32004, 400, StatusCode.FAILED_PRECONDITION),
    "CONTENT_TYPE_NOT_SUPPORTED": Codes(-32005, 400, StatusCode.INVALID_ARGUMENT),
    "INVALID_AGENT_RESPONSE": Codes(-32006, 500, StatusCode.INTERNAL),
    "EXTENDED_AGENT_CARD_NOT_CONFIGURED": Codes(-32007, 400, StatusCode.FAILED_PRECONDITION),
    "EXTENSION_SUPPORT_REQUIRED": Codes(-32008, 400, StatusCode.FAILED_PRECONDITION),
    "VERSION_NOT_SUPPORTED": Codes(-32009, 400, StatusCode.FAILED_PRECONDITION),
    "INVALID_PARAMS": Codes(-32602, 400, StatusCode.INVALID_ARGUMENT),
}

_EDITION_1_0_0 = _EDITION_1_0_1 | {
    "TASK_NOT_CANCELABLE": Codes(-32002, 409, StatusCode.FAILED_PRECONDITION),
    "PUSH_NOTIFICATION_NOT_SUPPORTED": Codes(-32003, 400, StatusCode.UNIMPLEMENTED),
    "UNSUPPORTED_OPERATION": Codes(-32004, 400, StatusCode.UNIMPLEMENTED),
    "CONTENT_TYPE_NOT_SUPPORTED": Codes(-32005, 415, StatusCode.INVALID_ARGUMENT),
    "INVALID_AGENT_RESPONSE": Codes(-32006, 502, StatusCode.INTERNAL),
    "VERSION_NOT_SUPPORTED": Codes(-32009, 400, StatusCode.UNIMPLEMENTED),
}

EDITIONS: MappingProxyType[Profile, dict[str, Codes]] = MappingProxyType(
    {"1.0.1": _EDITION_1_0_1, "1.0.0": _EDITION_1_0_0}
)

_BY_GRPC_CODE = {
    StatusCode.CANCELLED: Codes(-32603, 499, StatusCode.CANCELLED),
    StatusCode.INVALID_ARGUMENT: Codes(-32602, 400, StatusCode.INVALID_ARGUMENT),
    StatusCode.OUT_OF_RANGE: Codes(-32602, 400, StatusCode.OUT_OF_RANGE),
    StatusCode.DEADLINE_EXCEEDED: Codes(-32603, 504, StatusCode.DEADLINE_EXCEEDED),
    StatusCode.NOT_FOUND: Codes(-32602, 404, StatusCode.NOT_FOUND),
    StatusCode.ALREADY_EXISTS: Codes(-32602, 409, StatusCode.ALREADY_EXISTS),
    StatusCode.ABORTED: Codes(-32603, 409, StatusCode.ABORTED),
    StatusCode.FAILED_PRECONDITION: Codes(-32004, 400, StatusCode.FAILED_PRECONDITION),
    StatusCode.PERMISSION_DENIED: Codes(-32051, 403, StatusCode.PERMISSION_DENIED),
    StatusCode.UNAUTHENTICATED: Codes(-32050, 401, StatusCode.UNAUTHENTICATED),
    StatusCode.RESOURCE_EXHAUSTED: Codes(-32052, 429, StatusCode.RESOURCE_EXHAUSTED),
    StatusCode.UNIMPLEMENTED: Codes(-32004, 501, StatusCode.UNIMPLEMENTED),
    StatusCode.UNAVAILABLE: Codes(-32603, 503, StatusCode.UNAVAILABLE),
}
_FULL = Codes(-32052, 503, StatusCode.RESOURCE_EXHAUSTED)
_OF_THE_SERVER = frozenset({"SERVER_BUSY", "TOO_MANY_RUNS"})
"""Reasons, beside those of the storage, why the server as a whole is full, and not a caller's share of it."""

_CODE_OF_NUMBER = {code.value[0]: code for code in StatusCode}
_EXHAUSTED: int = StatusCode.RESOURCE_EXHAUSTED.value[0]


def codes_of(status: Status, profile: Profile = "1.0.1") -> Codes:
    """Return what to answer with for a failed call: by A2A's own reason, else by its gRPC code."""
    info = info_in(status)
    if info.domain == DOMAIN and info.reason in EDITIONS[profile]:
        return EDITIONS[profile][info.reason]
    if status.code == _EXHAUSTED and (info.reason in _OF_THE_SERVER or info.reason.startswith("STORAGE_")):
        return _FULL
    return _BY_GRPC_CODE.get(_CODE_OF_NUMBER.get(status.code, StatusCode.UNKNOWN), INTERNAL)


def code_name(status: Status) -> str:
    """Return the name of a status' code, as "NOT_FOUND"."""
    return _CODE_OF_NUMBER.get(status.code, StatusCode.UNKNOWN).name


def with_violations(status: Status) -> Status:
    """Return a status whose invalid fields stand in a google.rpc.BadRequest too, where A2A wants them.

    InvalidParams carries them as ErrorInfo metadata, because that is what every HectorError has.
    """
    info = info_in(status)
    if info.domain != DOMAIN or info.reason != "INVALID_PARAMS" or not info.metadata:
        return status
    if any(detail.Is(BadRequest.DESCRIPTOR) for detail in status.details):
        return status
    violations = [
        BadRequest.FieldViolation(field=path, description=wrong)
        for path, wrong in sorted(info.metadata.items())
    ]
    invalid = AnyMessage()
    invalid.Pack(BadRequest(field_violations=violations))
    details = [packed(ErrorInfo(reason=info.reason, domain=info.domain)), invalid]
    return Status(code=status.code, message=status.message, details=details)
