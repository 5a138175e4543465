"""The outermost interceptor of wire servers: who may come in, and what is left at the door."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any

import grpc
import grpc.aio
from grpc import StatusCode

from .errors import HectorError, refusal
from .health_contract import SERVICE as HEALTH
from .metadata import TOKEN
from .server import Context

Handler = Any  # grpc's RpcMethodHandler, whose type does not know coroutines


class TokenRequired(HectorError):
    """The caller does not belong to this mesh."""

    code = StatusCode.UNAUTHENTICATED
    reason = "MESH_TOKEN_REQUIRED"

    def __init__(self, header: str) -> None:
        message = "this address answers callers of its own mesh only"
        if header == TOKEN:
            message += "; set the same mesh.token on both sides"
        super().__init__(message, header=header)


class Doorkeeper(grpc.aio.ServerInterceptor):
    """Lets in who knows the mesh's token, takes the token away, and closes streams when callers leave.

    Health is answered without a token: probes have none. A wrong one is refused there too, so that a role
    that could not call this one does not find it well.
    """

    def __init__(self, token: str | None, header: str = TOKEN) -> None:
        self._header = header
        self._token = token.encode() if token else None
        self._inside: set[asyncio.Task[Any]] = set()
        self._guarded: dict[str, tuple[Handler, Handler]] = {}
        """By method: what is served, and the same behind the door. Made once, not for each call."""

    async def gone(self, timeout_s: float) -> None:
        """Wait until what was let in has ended, for a server that has stopped.

        grpc stops without waiting for its own tasks, and prints a traceback for each one that the
        end of the event loop finds.
        """
        if self._inside:
            await asyncio.wait(self._inside, timeout=timeout_s)
        for _ in range(3):  # a servicer's task is awaited by another one of grpc's, which ends after it
            await asyncio.sleep(0)

    async def _refuse(self, request: Any, context: Context) -> None:
        await context.abort(*refusal(TokenRequired(self._header)))

    def _belongs(self, shown: str | bytes) -> bool:
        if self._token is None:
            return True
        return hmac.compare_digest(shown.encode() if isinstance(shown, str) else shown, self._token)

    def _enters(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._inside.add(task)
        task.add_done_callback(self._inside.discard)

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: Any
    ) -> Handler:
        shown = dict(handler_call_details.invocation_metadata).get(self._header, b"")
        health = handler_call_details.method.startswith(f"/{HEALTH}/")
        if (shown or not health) and not self._belongs(shown):
            return grpc.unary_unary_rpc_method_handler(self._refuse)
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        known, guarded = self._guarded.get(handler_call_details.method, (None, None))
        if handler is not known:
            guarded = self._behind(handler)
            self._guarded[handler_call_details.method] = handler, guarded
        return guarded

    def _behind(self, handler: Handler) -> Handler:
        coders = (handler.request_deserializer, handler.response_serializer)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(handler.unary_stream), *coders)
        return grpc.unary_unary_rpc_method_handler(self._unary(handler.unary_unary), *coders)

    def _unary(self, behavior: Callable[..., Any]) -> Any:
        async def unary(request: Any, context: Context) -> Any:
            self._enters()
            return await behavior(request, _Inside(context, self._header))

        return unary

    def _stream(self, behavior: Callable[..., Any]) -> Any:
        async def stream(request: Any, context: Context) -> None:
            self._enters()
            # grpc would leave a generator that is suspended between two messages to the garbage collector.
            produced = behavior(request, _Inside(context, self._header))
            if isawaitable(produced):
                await produced
                return
            async with aclosing(produced):
                async for message in produced:
                    try:
                        await context.write(message)
                    except grpc.aio.InternalError:
                        # The caller went while this was on its way; grpc would print a traceback.
                        raise asyncio.CancelledError from None

        return stream


class _Inside:
    """A servicer's context without the token, which is nobody's business behind the door."""

    def __init__(self, context: Context, header: str) -> None:
        self._context = context
        self._header = header

    def invocation_metadata(self) -> Any:
        return tuple(pair for pair in self._context.invocation_metadata() or () if pair[0] != self._header)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)
