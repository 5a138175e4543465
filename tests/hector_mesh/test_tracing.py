"""One trace through the house, on both transports; and none of it unless it is asked for."""

import asyncio
import subprocess
import sys
from itertools import pairwise

import pytest
from echo_pb2 import EchoRequest, EchoResponse
from echo_pb2_grpc import EchoServicer, EchoStub, add_EchoServicer_to_server
from grpc import StatusCode
from grpc.aio import EOF, AioRpcError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from hector_mesh import Call, HectorError, current_call, info_of, scope, streaming, tracing

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


class Gone(HectorError):
    code = StatusCode.NOT_FOUND
    reason = "GONE"


class Relay(EchoServicer):
    """Asks itself, as often as the request says: "2" is three calls in all."""

    def __init__(self, mesh):
        self.mesh = mesh
        self.seen = []
        self.started = asyncio.Event()
        self.stopped = asyncio.Event()

    async def Say(self, request, context):
        self.seen.append(current_call.get().traceparent)
        match request.text:
            case "0":
                return EchoResponse(text="end")
            case "fails":
                raise Gone("no such thing")
            case "waits":
                await self.wait()
        return await EchoStub(self.mesh).Say(EchoRequest(text=str(int(request.text) - 1)))

    async def Spell(self, request, context):
        if request.text == "waits":
            yield EchoResponse(text="a")
            await self.wait()
        if request.text == "fails":
            yield EchoResponse(text="a")
            raise Gone("no such thing")
        if request.text == "0":
            for letter in "end":
                yield EchoResponse(text=letter)
            return
        again = EchoRequest(text=str(int(request.text) - 1))
        async with streaming(EchoStub(self.mesh).Spell(again)) as messages:
            async for message in messages:
                yield message

    async def wait(self):
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()


@pytest.fixture
def provider():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    provider.finished = exporter.get_finished_spans
    tracing.enable(provider)
    yield provider
    tracing.disable()
    provider.shutdown()


@pytest.fixture
async def relay(mesh_under_test, provider):
    servicer = Relay(mesh_under_test.mesh)
    status = health.aio.HealthServicer()

    def register(server):
        add_EchoServicer_to_server(servicer, server)
        if mesh_under_test.transport == "local":
            health_pb2_grpc.add_HealthServicer_to_server(status, server)

    await mesh_under_test.serve(register)
    return servicer


@pytest.fixture
def echo(mesh_under_test, relay):
    return EchoStub(mesh_under_test.mesh)


async def spans_of(provider, count):
    """Return that many spans, the outermost first. Servers may finish theirs a little later."""
    async with asyncio.timeout(5):
        while len(provider.finished()) < count:  # noqa: ASYNC110  exporters tell nobody
            await asyncio.sleep(0.01)
    return sorted(provider.finished(), key=lambda span: span.start_time)


def assert_chain(spans):
    for parent, child in pairwise(spans):
        assert child.parent.span_id == parent.context.span_id
    assert [span.kind for span in spans] == [SpanKind.CLIENT, SpanKind.SERVER] * (len(spans) // 2)


@pytest.mark.parametrize("method", ["Say", "Spell"])
async def test_two_hops_are_one_trace(echo, provider, method):
    call = getattr(echo, method)(EchoRequest(text="1"))
    text = (await call).text if method == "Say" else "".join([message.text async for message in call])
    assert text == "end"
    spans = await spans_of(provider, 4)
    assert_chain(spans)
    assert len({span.context.trace_id for span in spans}) == 1
    assert {span.name for span in spans} == {f"/hector.testing.echo.v1.Echo/{method}"}
    assert spans[0].attributes["rpc.service"] == "hector.testing.echo.v1.Echo"
    assert spans[0].attributes["rpc.method"] == method


@pytest.mark.parametrize("method", ["Say", "Spell"])
async def test_a_call_with_a_traceparent_continues_that_trace(echo, provider, method):
    with scope(Call(traceparent=TRACEPARENT)):
        call = getattr(echo, method)(EchoRequest(text="1"))
        await (call if method == "Say" else call.read())
        call.cancel()
    spans = await spans_of(provider, 4)
    assert {f"{span.context.trace_id:032x}" for span in spans} == {TRACE}
    assert f"{spans[0].parent.span_id:016x}" == "00f067aa0ba902b7"


async def test_a_span_of_this_process_is_the_parent(echo, provider):
    with provider.get_tracer("test").start_as_current_span("outside") as outside:
        await echo.Say(EchoRequest(text="0"))
    spans = await spans_of(provider, 3)
    assert {span.context.trace_id for span in spans} == {outside.get_span_context().trace_id}


async def test_servicers_know_the_trace_they_are_in(echo, relay, provider):
    await echo.Say(EchoRequest(text="1"))
    spans = await spans_of(provider, 4)
    for traceparent, client in zip(relay.seen, spans[::2], strict=True):
        _, trace_id, span_id, flags = traceparent.split("-")
        assert (int(trace_id, 16), int(span_id, 16)) == (client.context.trace_id, client.context.span_id)
        assert int(flags, 16) & 1  # sampled


async def test_a_failure_keeps_its_reason_and_marks_its_spans(echo, provider):
    with pytest.raises(AioRpcError) as failure:
        await echo.Say(EchoRequest(text="fails"))
    assert info_of(failure.value).reason == "GONE"
    for span in await spans_of(provider, 2):
        assert span.attributes["rpc.grpc.status_code"] == StatusCode.NOT_FOUND.value[0]


async def test_a_stream_that_fails_keeps_what_came_before(echo, provider):
    call = echo.Spell(EchoRequest(text="fails"))
    assert (await call.read()).text == "a"
    with pytest.raises(AioRpcError) as failure:
        await call.read()
    assert info_of(failure.value).reason == "GONE"
    assert await call.code() is StatusCode.NOT_FOUND
    await spans_of(provider, 2)


async def test_a_traced_call_can_be_used_like_any_other(echo, provider):
    seen = []
    call = echo.Say(EchoRequest(text="0"), timeout=30)
    call.add_done_callback(seen.append)
    assert 25 < call.time_remaining() <= 30
    assert not call.done()
    assert (await call).text == (await call).text == "end"
    assert await call.code() is StatusCode.OK
    assert await call.details() == ""
    assert tuple(await call.initial_metadata()) == tuple(await call.trailing_metadata()) == ()
    assert call.done()
    assert not call.cancelled()
    assert not call.cancel()
    assert seen == [call]
    stream = echo.Spell(EchoRequest(text="0"))
    await stream.wait_for_connection()
    assert [(await stream.read()).text for _ in range(3)] == ["e", "n", "d"]
    assert await stream.read() is EOF


@pytest.mark.parametrize("method", ["Say", "Spell"])
async def test_cancelling_a_traced_call_stops_its_servicer_and_ends_its_spans(echo, relay, provider, method):
    call = getattr(echo, method)(EchoRequest(text="waits"))
    if method == "Spell":
        await call.read()
    async with asyncio.timeout(5):
        await relay.started.wait()
    assert call.cancel()
    assert call.cancelled()
    assert await call.code() is StatusCode.CANCELLED
    async with asyncio.timeout(5):
        await relay.stopped.wait()
    await spans_of(provider, 2)


@pytest.mark.parametrize("method", ["Say", "Spell"])
async def test_cancelling_the_caller_stops_the_servicer(echo, relay, provider, method):
    async def wait():
        call = getattr(echo, method)(EchoRequest(text="waits"))
        if method == "Say":
            await call
        async for _ in call:
            pass

    task = asyncio.create_task(wait())
    async with asyncio.timeout(5):
        await relay.started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await relay.stopped.wait()
    await spans_of(provider, 2)


async def test_a_call_cancelled_before_it_began_is_cancelled(echo, provider):
    for call in (echo.Say(EchoRequest(text="waits")), echo.Spell(EchoRequest(text="waits"))):
        assert call.cancel()
        assert call.cancelled()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await (call if not hasattr(call, "read") else call.read())


async def test_leaving_a_stream_stops_the_servicer(echo, relay, provider):
    async with streaming(echo.Spell(EchoRequest(text="waits"))) as messages:
        async for _ in messages:
            break
    async with asyncio.timeout(5):
        await relay.stopped.wait()
    await spans_of(provider, 2)


async def test_health_is_not_traced(mesh_under_test, relay, provider):
    channel = mesh_under_test.mesh.channel("hector.testing.echo.v1.Echo")
    stub = health_pb2_grpc.HealthStub(channel)
    assert (await stub.Check(health_pb2.HealthCheckRequest())).status
    async with streaming(stub.Watch(health_pb2.HealthCheckRequest())) as changes:
        assert (await changes.read()).status
    assert provider.finished() == ()


def test_tracing_is_off_and_not_imported_by_default():
    script = (
        "import hector_mesh, sys\n"
        "hector_mesh.LocalServer(); hector_mesh.interceptors()\n"
        "print(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
