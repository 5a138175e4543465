"""Contract: what callers of a plugin meet, whatever the plugin does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from grpc import StatusCode
from grpc.aio import EOF, AioRpcError
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.fake_clock import FakeClock, settle
from support.fake_plugins import Behaviour, FakeLauncher, until

from hector.document.v1 import DocumentParserStub, StreamParseDocumentRequest
from hector.embedder.v1 import EmbedderProviderStub, EmbedTextRequest
from hector.llm.v1 import GenerateTextRequest, LLMProviderStub, StreamTextRequest
from hector.plugin.v1 import GetInfoResponse
from hector.tool.v1 import ExecuteToolRequest, ToolProviderStub
from hector_mesh import Call, Mesh, Principal, info_of, metrics, scope, status_of, streaming, tracing
from hector_plugin_host import Limits, PluginPlan, Security
from hector_plugin_host.breaker import FEWEST, OPEN_S
from hector_plugin_host.host import PluginHost
from hector_runtime.metrics import Prometheus

HostOf = Callable[..., PluginHost]
Running = Callable[..., object]
Shown = Callable[[], str]
ASK = GenerateTextRequest(prompt="hello")


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.enable(provider)
    yield exporter
    tracing.disable()
    provider.shutdown()


@pytest.fixture
def shown() -> Iterator[Shown]:
    """Keep metrics, and return the page that Prometheus would read."""
    metrics.enable(Prometheus())
    yield lambda: (metrics.page() or (b"", b""))[1].decode()
    metrics.disable()


EMBED = EmbedTextRequest(text="hello")
LLM = "hector.llm.v1.LLMProvider"


@asynccontextmanager
async def running(host: PluginHost) -> AsyncIterator[PluginHost]:
    async with asyncio.timeout(60), host.running():
        await host.settled()
        yield host


async def failure(call: object) -> AioRpcError:
    with pytest.raises(AioRpcError) as failed:
        await call  # type: ignore[misc]
    return failed.value


async def test_a_call_carries_its_callers_identity_and_the_plugins_token(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    caller = Call(
        principal=Principal("ann"),
        app="shop",
        request_id="r1",
        traceparent="00-" + "1" * 32,
        revision="abc",
        documents=("handbook",),
    )
    async with running(host_of(PluginPlan("up"))) as host:
        with scope(caller):
            mesh = Mesh({LLM: host.channel("up")}, instance="llms.fast")
            await LLMProviderStub(mesh).GenerateText(ASK)
        _, seen = launcher.last.seen[-1]
    told = {name: seen[name] for name in seen if name.startswith("hector-") or name == "traceparent"}
    assert told == {
        "hector-token": "sesame",
        "hector-principal": "ann",
        "hector-app": "shop",
        "hector-request-id": "r1",
        "hector-instance": "llms.fast",
        "hector-revision": "abc",
        "hector-documents": "handbook,",
        "traceparent": caller.traceparent,
    }


async def test_a_stream_comes_piece_by_piece_and_ends(host_of: HostOf) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        call = LLMProviderStub(host.channel("up")).StreamText(StreamTextRequest(prompt="a b c"))
        async with streaming(call) as pieces:
            assert [piece.text async for piece in pieces] == ["a", "b", "c", ""]
        assert await call.code() is StatusCode.OK
        read = LLMProviderStub(host.channel("up")).StreamText(StreamTextRequest(prompt="a"))
        assert [(await read.read()).text, (await read.read()).done, await read.read()] == ["a", True, EOF]
        assert host.status()[0].in_flight == 0


async def test_no_call_is_without_a_deadline(host_of: HostOf, launcher: FakeLauncher) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        call = LLMProviderStub(host.channel("up")).GenerateText(ASK)
        assert call.time_remaining() == 600
        await call


async def test_the_shortest_of_three_deadlines_holds(host_of: HostOf) -> None:
    plan = PluginPlan("up", security=Security(timeout_s=20))
    async with running(host_of(plan)) as host:
        stub = LLMProviderStub(host.channel("up"))
        for asked, holds in ((None, 20), (50, 20), (5, 5)):
            call = stub.GenerateText(ASK, timeout=asked)
            assert call.time_remaining() == holds
            await call


async def test_an_answer_after_the_deadline_is_nobodys(host_of: HostOf, launcher: FakeLauncher) -> None:
    plan = PluginPlan("up", security=Security(timeout_s=0.2))
    async with running(host_of(plan)) as host:
        stub = LLMProviderStub(host.channel("up"))
        launcher.last.freeze()
        late = await failure(stub.GenerateText(ASK))
        assert info_of(late).reason == "PLUGIN_TIMED_OUT"
        assert "'up' did not answer GenerateText within 0.2 s, its security.timeout" in (late.details() or "")
        launcher.last.gate.set()
        assert (await stub.GenerateText(ASK)).text == "hello"
        assert host.status()[0].in_flight == 0


async def test_five_mebibytes_come_through(host_of: HostOf, launcher: FakeLauncher) -> None:
    launcher.always = Behaviour(text="x" * 5 * 1024 * 1024)
    async with running(host_of(PluginPlan("up"))) as host:
        assert len((await LLMProviderStub(host.channel("up")).GenerateText(ASK)).text) == 5 * 1024 * 1024


@pytest.mark.parametrize("shape", ["unary_unary", "unary_stream"])
async def test_bytes_that_are_no_message_are_the_plugins_fault_and_say_so(
    host_of: HostOf, launcher: FakeLauncher, shape: str
) -> None:
    launcher.always = Behaviour(raw=b"\xff\xff\xff\xff")
    async with running(host_of(PluginPlan("up"))) as host:
        stub = LLMProviderStub(host.channel("up"))
        if shape == "unary_unary":
            failed = await failure(stub.GenerateText(ASK))
        else:
            failed = await failure(anext(aiter(stub.StreamText(StreamTextRequest(prompt="a b")))))
        assert (failed.code(), info_of(failed).reason) == (StatusCode.INTERNAL, "PLUGIN_ANSWERED_NONSENSE")
        await until(lambda: host.status()[0].in_flight == 0)


async def test_a_call_that_may_be_repeated_is_made_once_more_to_the_next_process(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        launcher.last.freeze()
        asking = asyncio.ensure_future(_vector(host))
        await until(lambda: launcher.last.in_flight == 1)
        launcher.last.crash()
        await until(lambda: host.status()[0].state == "backoff")
        await clock.advance(1)
        assert await asking == [2.0]


async def _vector(host: PluginHost) -> list[float]:
    return list((await EmbedderProviderStub(host.channel("up")).EmbedText(EMBED)).vector)


async def test_a_call_that_may_not_be_repeated_fails_with_its_process(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        launcher.last.freeze()
        asking = asyncio.ensure_future(failure(LLMProviderStub(host.channel("up")).GenerateText(ASK)))
        await until(lambda: launcher.last.in_flight == 1)
        launcher.last.crash(7)
        failed = await asking
    assert (failed.code(), info_of(failed).reason) == (StatusCode.UNAVAILABLE, "PLUGIN_CRASHED")
    assert "it exited with 7" in (failed.details() or "")


@pytest.mark.parametrize("tool", ["look", "buy"])
async def test_a_tool_is_called_once_more_only_if_it_says_that_this_does_no_harm(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock, tool: str
) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        launcher.last.freeze()
        call = ToolProviderStub(host.channel("up")).ExecuteTool(ExecuteToolRequest(tool=tool))
        ended = asyncio.ensure_future(call.code())
        await until(lambda: launcher.last.in_flight == 1)
        launcher.last.crash()
        await until(lambda: host.status()[0].state == "backoff")
        await clock.advance(1)
        if tool == "look":
            assert await ended is StatusCode.OK
            assert (await call).result == "2"
        else:
            assert await ended is StatusCode.UNAVAILABLE
            assert info_of(await failure(call)).reason == "PLUGIN_CRASHED"
        await until(lambda: host.status()[0].in_flight == 0)


async def test_a_call_that_was_lost_is_told_as_lost_also_where_no_process_follows(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    # "Not ready" would say that nothing has happened, and of a tool nobody knows that.
    async with running(host_of(PluginPlan("up"))) as host:
        launcher.last.freeze()
        launcher.always = Behaviour(does_not_start="it is broken")
        tools, embedder = ToolProviderStub(host.channel("up")), EmbedderProviderStub(host.channel("up"))
        calls = (tools.ExecuteTool(ExecuteToolRequest(tool="buy")), embedder.EmbedText(EMBED))
        failing = [asyncio.ensure_future(failure(call)) for call in calls]
        await until(lambda: launcher.last.in_flight == 2)
        launcher.last.crash(7)
        await until(lambda: host.status()[0].state == "backoff")
        while not all(each.done() for each in failing):
            await clock.advance(1)
        for failed in [each.result() for each in failing]:
            assert info_of(failed).reason == "PLUGIN_CRASHED"
            assert "it exited with 7" in (failed.details() or "")


async def test_a_stream_begins_once_more_as_long_as_nothing_of_it_was_seen(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        launcher.last.freeze()
        stub = DocumentParserStub(host.channel("up"))
        first = stub.StreamParseDocument(StreamParseDocumentRequest())
        pieces = aiter(first)
        reading = asyncio.ensure_future(anext(pieces))
        await until(lambda: launcher.last.in_flight == 1)
        launcher.last.crash()
        await until(lambda: host.status()[0].state == "backoff")
        await clock.advance(1)
        await reading
        assert [method for method, _ in launcher.last.seen][-1] == "StreamParseDocument"
        launcher.last.crash()
        with pytest.raises(AioRpcError) as failed:
            await anext(pieces)
        assert info_of(failed.value).reason == "PLUGIN_CRASHED"


async def test_a_call_has_a_span_and_the_plugin_hears_of_it(
    host_of: HostOf, launcher: FakeLauncher, spans: InMemorySpanExporter
) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        await LLMProviderStub(host.channel("up")).GenerateText(ASK)
        stream = LLMProviderStub(host.channel("up")).StreamText(StreamTextRequest(prompt="a"))
        async with streaming(stream) as pieces:
            assert [piece.text async for piece in pieces] == ["a", ""]
        _, seen = next(one for one in launcher.last.seen if one[0] == "GenerateText")
    found = {span.name: span for span in spans.get_finished_spans()}
    assert {f"/{LLM}/GenerateText", f"/{LLM}/StreamText"} <= set(found)
    context = found[f"/{LLM}/GenerateText"].context
    assert context is not None
    assert seen["traceparent"].split("-")[1] == f"{context.trace_id:032x}"


async def test_what_a_plugin_says_itself_is_passed_on_as_it_is(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        launcher.last.fails = [StatusCode.NOT_FOUND]
        call = LLMProviderStub(host.channel("up")).GenerateText(ASK)
        failed = await failure(call)
        assert (failed.code(), failed.details()) == (StatusCode.NOT_FOUND, "as the test wants")
        assert (await call.code(), await call.details()) == (StatusCode.NOT_FOUND, "as the test wants")


async def test_an_answer_that_is_too_large_is_told_with_the_key_to_raise(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    launcher.always = Behaviour(text="x" * (65 << 20))
    async with running(host_of(PluginPlan("up"))) as host:
        failed = await failure(LLMProviderStub(host.channel("up")).GenerateText(ASK))
    assert (failed.code(), info_of(failed).reason) == (
        StatusCode.RESOURCE_EXHAUSTED,
        "PLUGIN_MESSAGE_TOO_LARGE",
    )
    assert "plugin 'up' answered GenerateText with a message of 68,15" in (failed.details() or "")
    assert "raise its limits.max_message_size" in (failed.details() or "")


async def test_secrets_that_a_plugin_says_in_an_error_go_no_further(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    plan = PluginPlan("up", secrets=frozenset({"the test"}))
    async with running(host_of(plan)) as host:
        launcher.last.fails = [StatusCode.NOT_FOUND]
        failed = await failure(LLMProviderStub(host.channel("up")).GenerateText(ASK))
    assert failed.details() == "as *** wants"


async def test_failures_in_a_row_open_the_circuit_of_their_method_alone(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        stub = LLMProviderStub(host.channel("up"))
        launcher.last.fails = [StatusCode.INTERNAL] * FEWEST
        for _ in range(FEWEST):
            await failure(stub.GenerateText(ASK))
        refused = await failure(stub.GenerateText(ASK))
        assert (refused.code(), info_of(refused).reason) == (StatusCode.UNAVAILABLE, "PLUGIN_CIRCUIT_OPEN")
        assert (host.status()[0].state, host.status()[0].circuits_open) == ("degraded", ("GenerateText",))
        assert await _vector(host) == [1.0]
        await clock.advance(OPEN_S)
        assert (await stub.GenerateText(ASK)).text == "hello"
        assert host.status()[0].state == "ready"


async def test_the_metrics_say_which_circuits_are_open_and_that_the_plugin_is_degraded(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock, shown: Shown
) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        stub = LLMProviderStub(host.channel("up"))
        launcher.last.fails = [StatusCode.INTERNAL] * FEWEST
        for _ in range(FEWEST):
            await failure(stub.GenerateText(ASK))
        assert 'hector_plugin_circuit_open{method="GenerateText",plugin="up"} 1.0' in shown()
        assert 'hector_plugin_state{plugin="up",state="degraded"} 1.0' in shown()
        await clock.advance(OPEN_S)
        await stub.GenerateText(ASK)
        assert 'hector_plugin_circuit_open{method="GenerateText",plugin="up"} 0.0' in shown()
        assert 'hector_plugin_state{plugin="up",state="degraded"} 0.0' in shown()


@pytest.mark.parametrize("code", [StatusCode.INVALID_ARGUMENT, StatusCode.RESOURCE_EXHAUSTED])
async def test_what_callers_do_wrong_opens_no_circuit(
    host_of: HostOf, launcher: FakeLauncher, code: StatusCode
) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        launcher.last.fails = [code] * (2 * FEWEST)
        for _ in range(2 * FEWEST):
            assert (await failure(LLMProviderStub(host.channel("up")).GenerateText(ASK))).code() is code
        assert host.status()[0].state == "ready"


async def test_a_new_process_is_not_held_to_the_failures_of_the_one_before(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        launcher.last.fails = [StatusCode.INTERNAL] * FEWEST
        for _ in range(FEWEST):
            await failure(LLMProviderStub(host.channel("up")).GenerateText(ASK))
        await host.reload("up")
        assert (await LLMProviderStub(host.channel("up")).GenerateText(ASK)).text == "hello"


async def test_a_plugin_gets_no_more_calls_at_once_than_it_or_the_plan_says(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    launcher.always = Behaviour(info=GetInfoResponse(name="fake", max_concurrency=3))
    plan = PluginPlan("up", limits=Limits(max_concurrency=5, queue=100))
    async with running(host_of(plan)) as host:
        stub = LLMProviderStub(host.channel("up"))
        launcher.last.freeze()
        asking = [asyncio.ensure_future(_text(stub)) for _ in range(40)]
        await until(lambda: launcher.last.in_flight == 3)
        launcher.last.gate.set()
        assert await asyncio.gather(*asking) == ["hello"] * 40
        assert launcher.last.most_in_flight == 3


async def _text(stub: LLMProviderStub) -> str:
    return (await stub.GenerateText(ASK)).text


async def test_who_finds_the_line_too_long_is_told_when_to_come_back(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    plan = PluginPlan("up", limits=Limits(max_concurrency=1, queue=1))
    async with running(host_of(plan)) as host:
        stub = LLMProviderStub(host.channel("up"))
        launcher.last.freeze()
        asking = [asyncio.ensure_future(_text(stub)) for _ in range(2)]
        await until(lambda: host.status()[0].queued == 1)
        refused = await failure(stub.GenerateText(ASK))
        assert (refused.code(), info_of(refused).reason) == (StatusCode.RESOURCE_EXHAUSTED, "PLUGIN_BUSY")
        assert any(detail.type_url.endswith("RetryInfo") for detail in status_of(refused).details)
        launcher.last.gate.set()
        assert await asyncio.gather(*asking) == ["hello"] * 2


async def test_a_cancelled_call_gives_its_place_back_wherever_it_was(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    plan = PluginPlan("up", limits=Limits(max_concurrency=1, queue=10))
    async with running(host_of(plan)) as host:
        stub = LLMProviderStub(host.channel("up"))
        launcher.last.freeze()
        in_flight = stub.GenerateText(ASK)
        waiting = stub.GenerateText(ASK)
        await until(lambda: host.status()[0].queued == 1)
        unborn = stub.GenerateText(ASK)
        ends: list[object] = []
        for call in (unborn, waiting, in_flight):
            call.add_done_callback(ends.append)
            assert call.cancel()
            assert not call.cancel()
        for call in (unborn, waiting, in_flight):
            with pytest.raises(asyncio.CancelledError):
                await call
            assert call.cancelled()
            assert await call.code() is StatusCode.CANCELLED
        assert len(ends) == 3
        await until(lambda: (host.status()[0].in_flight, host.status()[0].queued) == (0, 0))
        launcher.last.gate.set()
        assert await _text(stub) == "hello"


async def test_a_caller_that_leaves_takes_its_call_along(host_of: HostOf, launcher: FakeLauncher) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        launcher.last.freeze()
        asking = asyncio.ensure_future(_text(LLMProviderStub(host.channel("up"))))
        await until(lambda: launcher.last.in_flight == 1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(lambda: launcher.last.in_flight == 0)
        assert host.status()[0].in_flight == 0


async def test_a_call_made_before_the_plugin_is_ready_ends_at_its_own_deadline(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    launcher.may_start.clear()
    host = host_of(PluginPlan("up"))
    async with host.running():
        asking = asyncio.ensure_future(
            failure(LLMProviderStub(host.channel("up")).GenerateText(ASK, timeout=3))
        )
        await settle()
        await clock.advance(3)
        failed = await asking
        assert info_of(failed).reason == "PLUGIN_NOT_READY"
        launcher.may_start.set()


async def test_a_request_for_a_plugin_that_is_not_there_names_those_that_are(host_of: HostOf) -> None:
    from hector_plugin_host.call_errors import NoSuchPlugin

    with pytest.raises(NoSuchPlugin, match="no plugin 'down' runs here; there are: up"):
        host_of(PluginPlan("up")).channel("down")
