"""What a refused call says to programs: its code, and why."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import AioRpcError, StreamStreamCall, UnaryStreamCall

DETAILS = "grpc-status-details-bin"


class Refusal(NamedTuple):
    """Code, reason, whose reason, and the sentence for people."""

    code: StatusCode
    reason: str
    domain: str
    message: str


async def refusal(call: Awaitable[Any] | UnaryStreamCall | StreamStreamCall) -> Refusal:
    """Make a call, unary or streamed, that has to be refused, and give what it was refused with."""
    try:
        if isinstance(call, UnaryStreamCall | StreamStreamCall) or hasattr(call, "__aiter__"):
            answer: Any = [message async for message in call]
        else:
            answer = await call
    except AioRpcError as error:
        found = (value for name, value in error.trailing_metadata() or () if name == DETAILS)
        info = ErrorInfo()
        for detail in Status.FromString(next(found, b"")).details:
            detail.Unpack(info)
        return Refusal(error.code(), info.reason, info.domain, error.details() or "")
    raise AssertionError(f"it was answered: {answer}")
