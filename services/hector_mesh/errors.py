"""Errors that cross service boundaries: an exception here, a google.rpc.Status on the wire."""

from collections.abc import Mapping
from typing import ClassVar

import grpc
from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc.aio import AioRpcError

from .status import STATUS_DETAILS, info_in, packed
from .wire_pb2 import ErrorInfo, RetryInfo, Status

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
        return _status(error, str(error), error.facts)
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
    return info_in(status_of(error))


def refusal(error: HectorError) -> tuple[StatusCode, str, Trailers]:
    """Return what to abort a call with so that any gRPC client is told why it failed."""
    facts = {name: shortened(fact, TEXT_LIMIT // 8) for name, fact in error.facts.items()}
    status = _status(error, shortened(str(error)), facts)
    return error.code, status.message, ((STATUS_DETAILS, status.SerializeToString()),)


def shortened(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return a text that fits into metadata: a longer one would replace the error by another one."""
    return text if len(text) <= limit else f"{text[:limit]}… (cut)"


def _status(error: HectorError, text: str, facts: Mapping[str, str]) -> Status:
    details = [packed(ErrorInfo(reason=error.reason, domain=error.domain, metadata=facts))]
    if error.retry_after_s:
        hint = RetryInfo()
        hint.retry_delay.FromMicroseconds(round(error.retry_after_s * 1e6))
        details.append(packed(hint))
    return Status(code=_number(error.code), message=text, details=details)


def _trailers(error: grpc.RpcError) -> Trailers:
    trailers = error.trailing_metadata() if isinstance(error, AioRpcError) else None
    return tuple(trailers or ())


def _number(code: StatusCode) -> int:
    number: int = code.value[0]
    return number
