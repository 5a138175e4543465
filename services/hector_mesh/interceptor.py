"""The mesh's border on the servicer's side: every method runs inside its caller's Call."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc.aio import AbortError, AioRpcError

from . import tracing
from .call import Call, current_call
from .errors import HectorError, refusal, shortened
from .server import Context

log = logging.getLogger(__name__)

Handler = Any  # grpc's RpcMethodHandler, whose type does not know coroutines


def interceptors() -> list[grpc.aio.ServerInterceptor]:
    """Return what every server of the mesh has: tracing when it is on, then CallInterceptor."""
    return [*tracing.server_interceptors(), CallInterceptor()]


class Unexpected(HectorError):
    """A bug, or a failure nobody translated. The log has the rest, under the request's id."""

    code = StatusCode.INTERNAL
    reason = "INTERNAL"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"an unexpected error; logged as {request_id}: ask again, or report it with that line of the log",
            request_id=request_id,
        )


class NotImplementedHere(HectorError):
    """The servicer leaves this method of its contract out."""

    code = StatusCode.UNIMPLEMENTED
    reason = "UNIMPLEMENTED"


class UnreadableRequest(HectorError):
    """The caller sent bytes that are no message of the method's contract."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "UNREADABLE_REQUEST"

    def __init__(self, method: str) -> None:
        super().__init__(f"{method} was sent something that is not its request message")


class CancelledInside(HectorError):
    """Something the servicer waited for was cancelled, though nobody cancelled the call."""

    code = StatusCode.CANCELLED
    reason = "CANCELLED_INSIDE"


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Serves every method inside its caller's Call, and turns what it raises into a status.

    A HectorError becomes its status, a child's failure that the servicer left unhandled becomes
    this call's failure, and everything else is logged once, with its traceback, and answered with
    INTERNAL and nothing of what it said. Children that outlive the method are cancelled.

    What a method with many answers yields may also be a list of messages that are there at the same time:
    within a process they travel together, and over a socket one behind the other. It may also be a coroutine
    that returns what yields them: a generator around a generator costs steps and memory.
    """

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: Any
    ) -> Handler:
        return self.wrapped(handler_call_details.method, await continuation(handler_call_details))

    def wrapped(self, method: str, handler: Handler) -> Handler:
        """Return a method's handler as it is to be called; None stays None."""
        known, wrapped = self._wrapped.get(method, (None, None))
        if handler is None or handler is known:
            return wrapped if handler is known else None
        wrapped = _wrap(handler, method)
        if wrapped is not handler:
            self._wrapped[method] = handler, wrapped
        return wrapped


def _wrap(handler: Handler, method: str) -> Handler:
    if handler.request_streaming:
        return handler  # grpc's reflection; our contracts have none
    # Bytes in, bytes out: what grpc fails to encode or decode it answers with the exception's own text.
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(_serve_stream(handler, method))
    return grpc.unary_unary_rpc_method_handler(_serve_unary(handler, method))


def _serve_unary(handler: Handler, method: str) -> Any:
    behavior, encode = handler.unary_unary, handler.response_serializer or bytes

    async def unary(wire: bytes, context: Context) -> bytes:
        # Each RPC has a task of its own: there is nothing to reset.
        current_call.set(call := Call.read(context.invocation_metadata(), context.time_remaining()))
        try:
            request = _decoded(handler, wire, method)
            encoded: bytes = encode(await behavior(request, context))
            return encoded
        except AbortError:
            raise
        except BaseException as error:
            await answer_failure(context, error, call, method)
        finally:
            call.end()

    return unary


def _serve_stream(handler: Handler, method: str) -> Any:
    behavior, encode = handler.unary_stream, handler.response_serializer or bytes

    async def stream(wire: bytes, context: Context) -> AsyncIterator[bytes]:
        current_call.set(call := Call.read(context.invocation_metadata(), context.time_remaining()))
        try:
            produced = behavior(_decoded(handler, wire, method), _Writing(context, encode))
            if not hasattr(produced, "__aiter__"):
                produced = await produced
                if produced is None:
                    return  # it wrote its messages itself, as grpc's health servicer does
            async with aclosing(produced):
                async for message in produced:
                    for one in message if type(message) is list else (message,):
                        yield encode(one)
        except (AbortError, GeneratorExit):
            raise
        except BaseException as error:
            await answer_failure(context, error, call, method)
        finally:
            call.end()

    return stream


class _Writing:
    """A servicer's context that encodes what it is given to write."""

    def __init__(self, context: Context, encode: Callable[[Any], bytes]) -> None:
        self._context = context
        self._encode = encode

    async def write(self, message: Any) -> None:
        await self._context.write(self._encode(message))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _decoded(handler: Handler, wire: bytes, method: str) -> Any:
    decode = handler.request_deserializer
    try:
        return decode(wire) if decode else wire
    except DecodeError:
        raise UnreadableRequest(method) from None


async def answer_failure(context: Context, error: BaseException, call: Call, method: str) -> NoReturn:
    """End the RPC as `error` says, or let `error` through where it is not ours to answer."""
    if isinstance(error, BaseExceptionGroup):
        error = _spokesman(error)
    if isinstance(error, HectorError):
        await _refuse(context, error)
    if isinstance(error, AioRpcError):
        trailers = tuple(error.trailing_metadata() or ())
        await context.abort(error.code(), shortened(error.details() or ""), trailers)
    if isinstance(error, asyncio.CancelledError) and not _cancelled_from_outside():
        # grpc sends no status at all for this, and the caller would wait for its whole deadline.
        await _refuse(context, CancelledInside(f"{method} was cancelled by something it waited for"))
    if isinstance(error, NotImplementedError) and context.code() is StatusCode.UNIMPLEMENTED:
        await _refuse(context, NotImplementedHere(f"{method} is not implemented here", method=method))
    if not isinstance(error, Exception):
        try:
            raise error
        finally:
            del error  # from here on it knows this frame: a circle that only the collector would break
    request_id = call.request_id or os.urandom(8).hex()
    facts = {"request_id": request_id, "rpc": method}
    log.error("servicer raised an unexpected error", exc_info=error, extra=facts)
    await _refuse(context, Unexpected(request_id))


def _spokesman(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first of several failures that happened side by side, if all were meant for the caller."""
    if group.split((HectorError, AioRpcError))[1] is not None:
        return group
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _refuse(context: Context, error: HectorError) -> NoReturn:
    await context.abort(*refusal(error))


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
