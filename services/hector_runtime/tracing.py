"""Sends spans of every call to an OpenTelemetry collector; imports nothing of it when that is off."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from grpc import StatusCode

from hector_config.version import VERSION
from hector_mesh import HectorError
from hector_mesh import tracing as mesh_tracing

from .tracing_config import TracingConfig

LEAVE_S = 3.0  # how long a collector that does not answer may hold up the end of the process
log = logging.getLogger(__name__)


class TracingNotInstalled(HectorError):
    """Tracing is asked for, and OpenTelemetry is not there."""

    code, reason = StatusCode.FAILED_PRECONDITION, "TRACING_NOT_INSTALLED"

    def __init__(self, missing: str) -> None:
        super().__init__(
            f'observability.tracing needs the package {missing}: pip install "hector[tracing]", '
            "or set observability.tracing.enabled to false",
            missing=missing,
        )


@asynccontextmanager
async def traced(config: TracingConfig) -> AsyncIterator[None]:
    """Trace the calls of channels and servers made inside the block, if tracing is on.

    Raises:
        TracingNotInstalled: It is on, and the extra "tracing" is missing.
    """
    if not config.enabled:
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
    except ImportError as error:
        raise TracingNotInstalled(error.name or "opentelemetry") from error
    named = Resource.create({"service.name": config.service_name, "service.version": VERSION})
    provider = TracerProvider(
        sampler=ParentBasedTraceIdRatio(config.sampling_rate), resource=named, shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter(endpoint=config.endpoint, insecure=config.insecure)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    mesh_tracing.enable(provider)
    try:
        yield
    finally:
        mesh_tracing.disable()
        await _leave(provider.shutdown)


async def _leave(shutdown: Callable[[], None]) -> None:
    """Send what is left, but wait for nobody who does not answer."""
    sent = asyncio.Event()
    loop = asyncio.get_running_loop()

    def send() -> None:
        shutdown()
        with suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(sent.set)

    # Not a thread of the loop's own: it would be waited for to its end.
    threading.Thread(target=send, name="last spans", daemon=True).start()
    try:
        async with asyncio.timeout(LEAVE_S):
            await sent.wait()
    except TimeoutError:
        log.warning("spans lost: the collector did not take them in time")
