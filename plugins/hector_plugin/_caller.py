"""Whose call is being served, so that the host finds it again when the plugin asks something back."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import grpc.aio

HEADER = "hector-call"
"""By what the host knows its own call again."""

handed: ContextVar[str | bytes] = ContextVar("handed", default="")
"""What the call being served came with."""


class Caller(grpc.aio.ServerInterceptor):
    """Keeps what names a call while it is served."""

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        for name, value in handler_call_details.invocation_metadata or ():
            if name == HEADER:
                handed.set(value)  # the rpc has a task of its own: there is nothing to reset
        return await continuation(handler_call_details)
