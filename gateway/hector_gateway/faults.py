"""Failures as clients may see them: what happened and what to do, and nothing of the inside."""

import asyncio
import logging
from math import ceil
from typing import Any

from google.rpc.error_details_pb2 import BadRequest
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector_a2a.codes import Profile, code_name, codes_of, with_violations
from hector_a2a.json_out import to_json
from hector_mesh import HectorError, status_of
from hector_mesh.status import ErrorInfo, Status, info_in, packed, retry_after_s, retry_hint_in

from .errors import Headers

log = logging.getLogger(__name__)

Failure = HectorError | AioRpcError

# What grpc itself says of these names addresses and libraries; a servicer's own words do not come here.
_PLAIN = {
    StatusCode.CANCELLED: "the call was cancelled",
    StatusCode.DEADLINE_EXCEEDED: "there was no answer in time; the task may go on: ask for it later",
    StatusCode.RESOURCE_EXHAUSTED: "too much at once; try again later, or send less",
    StatusCode.UNAVAILABLE: "a part of the server cannot be reached at the moment; try again",
    StatusCode.UNIMPLEMENTED: "this server does not do that",
}
_SHOWN = {"google.rpc.ErrorInfo": ErrorInfo, "google.rpc.BadRequest": BadRequest}

_INSIDE = frozenset({"ROLE_UNAVAILABLE", "MESH_TOKEN_REQUIRED", "NO_ROUTE"})
"""Reasons of the mesh itself. They name addresses and settings, and no client can do anything about them."""

_STORAGE = {
    "STORAGE_UNREACHABLE": "the database cannot be reached; try again",
    "STORAGE_IN_DOUBT": "the database was lost while it wrote: the write is there or not; read before you"
    " repeat it",
    "STORAGE_BUSY": "the database is busy; try again",
    "STORAGE_CROWDED": "the database takes no more connections; try again",
    "STORAGE_FULL": "no space left for the database; nothing was written",
    "STORAGE_READ_ONLY": "the database cannot be written to; nothing was written",
    "STORAGE_GONE": "the database was removed or replaced while it was in use; nothing was written",
    "STORAGE_CLOSED": "the database is closed: the server is shutting down",
}
"""What clients are told of a database. Where it is, and what it said, is the operator's business."""


def public(error: Failure, request_id: str) -> Status:
    """Return what to tell a client.

    Words that come with a reason were written for people, and pass. The rest is replaced by what its code
    means, and logged.
    """
    status = status_of(error)
    info = info_in(status)
    if info.domain == "hector" and info.reason.startswith("STORAGE_") and "database" in info.metadata:
        return _of_storage(status, info, request_id)
    inside = info.domain == "hector" and info.reason in _INSIDE
    if info.reason and not inside:
        return with_violations(status)
    code = StatusCode.UNAVAILABLE if inside else StatusCode[code_name(status)]
    log.warning(
        "call behind the border failed in the mesh",
        extra={"code": code.name, "details": _grpcs_own(code, status.message), "request_id": request_id},
    )
    words = _PLAIN.get(code) or _unforeseen(request_id)
    if info.reason == "ROLE_UNAVAILABLE" and inside:  # its name helps; its address is nobody's business
        words = f"role {info.metadata['role']} of this server cannot be reached at the moment; try again"
    return _with_hint(with_reason(Status(code=code.value[0], message=words)), status)


def _of_storage(status: Status, info: ErrorInfo, request_id: str) -> Status:
    """Return a database's failure without the database's address, which the log has."""
    log.warning(
        "call behind the border failed at the database",
        extra={"reason": info.reason, "details": status.message, "request_id": request_id},
    )
    words = _STORAGE.get(info.reason, "the database cannot be used")
    found = Status(code=status.code, message=f"{words} (logged as {request_id})")
    found.details.append(packed(ErrorInfo(reason=info.reason, domain=info.domain)))
    return _with_hint(found, status)


def _with_hint(found: Status, status: Status) -> Status:
    """Return what is told instead of a status, with when to try again."""
    if hint := retry_hint_in(status):
        found.details.append(hint)
    return found


def retry_headers(status: Status) -> Headers:
    """Return the header that says when to try again, if anybody knows."""
    seconds = retry_after_s(status)
    return ((b"retry-after", b"%d" % ceil(seconds)),) if seconds else ()


def _grpcs_own(code: StatusCode, words: str) -> str:
    """Return what grpc says of a connection; in other words there may be what somebody said."""
    return words if code in (StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED) else ""


def unexpected(error: BaseException, request_id: str) -> Status:
    """Return what to tell a client of a bug, after logging it."""
    log.error("gateway failed to serve a request", exc_info=error, extra={"request_id": request_id})
    number: int = StatusCode.INTERNAL.value[0]
    return with_reason(Status(code=number, message=_unforeseen(request_id)))


def _unforeseen(request_id: str) -> str:
    return f"an unexpected error; logged as {request_id}: ask again, or report it with that line of the log"


def reason_in(status: Status) -> str:
    """Return why, in a word that never varies."""
    return info_in(status).reason or code_name(status)


def with_reason(status: Status) -> Status:
    """Return a status that has an ErrorInfo; where nobody gave a reason, the code is one."""
    if not info_in(status).reason:
        status.details.append(packed(ErrorInfo(reason=code_name(status), domain="hector")))
    return status


def is_lost(error: BaseException) -> bool:
    """Say whether this is not ours to answer."""
    return isinstance(error, asyncio.CancelledError | KeyboardInterrupt | SystemExit | GeneratorExit)


def rpc_error(status: Status, request_id: str, profile: Profile) -> dict[str, Any]:
    """Return a status as the error object of JSON-RPC."""
    return {
        "code": codes_of(status, profile).jsonrpc,
        "message": status.message,
        "data": _details(status, request_id),
    }


def http_error(status: Status, request_id: str, http: int) -> dict[str, Any]:
    """Return a status as the body of an HTTP answer, as A2A has it."""
    return {
        "error": {
            "code": http,
            "status": code_name(status),
            "message": status.message,
            "details": _details(status, request_id),
        }
    }


def _details(status: Status, request_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for detail in status.details:
        if kind := _SHOWN.get(detail.TypeName()):
            found.append({"@type": detail.type_url, **to_json(kind.FromString(detail.value))})
    if seconds := retry_after_s(status):
        hint = "type.googleapis.com/google.rpc.RetryInfo"
        found.append({"@type": hint, "retryDelay": f"{seconds:g}s"})
    found.append({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": request_id})
    return found
