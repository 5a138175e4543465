"""Errors that cross service boundaries: an exception here, a google.rpc.Status on the wire."""

from datetime import timedelta
from typing import ClassVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import AioRpcError

STATUS_DETAILS = "grpc-status-details-bin"
"""The trailer in which every gRPC library looks for a google.rpc.Status."""

TEXT_LIMIT = 4_000
"""Characters of an error's text that travel; in the worst script that is half of what metadata may take."""

Trailers = tuple[tuple[str, str | bytes], ...]


class HectorError(Exception):
    """Base of every error that may cross a service boundary.

    A subclass fixes `code` (what a caller can do about it) and `reason` (what happened, for
    programs). The message says what happened and what to do, for people. Facts mentioned in
    the message are repeated in `facts`, so that no program ever has to parse it.
    """

    code: ClassVar[StatusCode] = StatusCode.UNKNOWN
    reason: ClassVar[str] = "UNKNOWN"
    domain: ClassVar[str] = "hector"
    """Who defines the reason; "a2a-protocol.org" for the errors that A2A itself defines."""
    retry_after_s: ClassVar[float] = 0.0
    """When it makes sense to try again; 0: time alone changes nothing. Travels as a google.rpc.RetryInfo."""

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.facts: dict[str, str] = {name: str(fact) for name, fact in facts.items()}


def status_of(error: HectorError | grpc.RpcError) -> Status:
    """Return an error as a google.rpc.Status; a failed call's details are kept as its servicer gave them."""
    if isinstance(error, HectorError):
        detail = AnyMessage()
        detail.Pack(ErrorInfo(reason=error.reason, domain=error.domain, metadata=error.facts))
        status = Status(code=_number(error.code), message=str(error), details=[detail])
        if error.retry_after_s:
            status.details.add().Pack(RetryInfo(retry_delay=timedelta(seconds=error.retry_after_s)))
        return status
    for key, value in _trailers(error):
        if key == STATUS_DETAILS and isinstance(value, bytes):
            try:
                return Status.FromString(value)
            except DecodeError:
                break  # not ours, and not worth a second failure
    if isinstance(error, AioRpcError):
        return Status(code=_number(error.code()), message=error.details() or "")
    return Status(code=_number(StatusCode.UNKNOWN), message=str(error))


def info_of(error: HectorError | grpc.RpcError) -> ErrorInfo:
    """Return why a call failed; empty when the other side did not say."""
    info = ErrorInfo()
    for detail in status_of(error).details:
        if detail.Unpack(info):
            break
    return info


def refusal(error: HectorError) -> tuple[StatusCode, str, Trailers]:
    """Return what to abort a call with so that any gRPC client is told why it failed."""
    status = status_of(error)
    status.message = shortened(status.message)
    info = ErrorInfo(reason=error.reason, domain=error.domain)
    for name, fact in error.facts.items():
        info.metadata[name] = shortened(fact, TEXT_LIMIT // 8)
    status.details[0].Pack(info)
    return error.code, status.message, ((STATUS_DETAILS, status.SerializeToString()),)


def shortened(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return a text that fits into metadata: a longer one would replace the error by another one."""
    return text if len(text) <= limit else f"{text[:limit]}… (cut)"


def _trailers(error: grpc.RpcError) -> Trailers:
    trailers = error.trailing_metadata() if isinstance(error, AioRpcError) else None
    return tuple(trailers or ())


def _number(code: StatusCode) -> int:
    number: int = code.value[0]
    return number
