"""OpenTelemetry's spans for every call, on both transports; off, and not even imported, until enabled."""

from collections.abc import Callable
from typing import Any

import grpc.aio

from .metadata import TRACEPARENT

_client: list[grpc.aio.ClientInterceptor] = []
_server: list[grpc.aio.ServerInterceptor] = []


def enable(tracer_provider: Any = None) -> None:
    """Trace calls of channels and servers made from now on.

    Needs the extra "tracing". Calls for health are left out.

    Args:
        tracer_provider: An opentelemetry TracerProvider; None is the global one.
    """
    from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor
    from opentelemetry.instrumentation.grpc.filters import health_check, negate

    wanted = negate(health_check())
    unary, stream, *_ = aio_client_interceptors(tracer_provider, filter_=wanted)  # type: ignore[no-untyped-call]
    _client[:] = [_ResumeUnary(), unary, _ResumeStream(), stream]
    _server[:] = [aio_server_interceptor(tracer_provider, filter_=wanted)]  # type: ignore[no-untyped-call]


def disable() -> None:
    """Trace nothing made from now on."""
    _client.clear()
    _server.clear()


def client_interceptors() -> list[grpc.aio.ClientInterceptor]:
    """Return what channels need; nothing while tracing is off."""
    return list(_client)


def server_interceptors() -> list[grpc.aio.ServerInterceptor]:
    """Return what servers need, outside of everything else; nothing while tracing is off."""
    return list(_server)


def traceparent() -> str:
    """Return the traceparent of the span that is current; empty while there is none, or tracing is off."""
    if not _client:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(TRACEPARENT, "")


def resume(traceparent: str) -> None:
    """Put what this task calls from now on under a span of elsewhere; nothing while tracing is off."""
    if not _client:
        return
    from opentelemetry import context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    # Never detached: a call that is served has a task of its own, which ends with it.
    context.attach(TraceContextTextMapPropagator().extract({TRACEPARENT: traceparent}))


class _ResumeUnary(grpc.aio.UnaryUnaryClientInterceptor):
    """Continues the Call's trace where this process has no span of it: an edge, or a run taken up again."""

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        _resume(client_call_details)
        return await continuation(client_call_details, request)


class _ResumeStream(grpc.aio.UnaryStreamClientInterceptor):
    """The same for streams."""

    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        _resume(client_call_details)
        return await continuation(client_call_details, request)


def _resume(details: Any) -> None:
    from opentelemetry import context, trace
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    if trace.get_current_span().get_span_context().is_valid:
        return  # which the Call's traceparent is an ancestor of
    traceparent = dict(tuple(details.metadata or ())).get(TRACEPARENT)
    if traceparent:
        # Never detached: interceptors of a call run in a task of their own, which ends with them.
        context.attach(TraceContextTextMapPropagator().extract({TRACEPARENT: traceparent}))
