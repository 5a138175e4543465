"""Contract: a plugin asks its host, gets what it is granted, and acts for nobody but its caller."""

import asyncio
import logging
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message as AnyMessage
from grpc import StatusCode
from grpc.aio import AioRpcError, Channel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.fake_plugins import TOKEN, FakeLauncher, until
from support.mesh import MeshUnderTest

from hector.common.v1 import ROLE_USER, Message, Part, Tool, ToolAnnotations, ToolCall
from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedBatchResponse,
    EmbedderProviderServicer,
    Embedding,
    add_EmbedderProviderServicer_to_server,
)
from hector.llm.v1 import (
    GenerateTextRequest,
    LLMProviderServicer,
    LLMProviderStub,
    StreamTextRequest,
    StreamTextResponse,
    add_LLMProviderServicer_to_server,
)
from hector.plugin.v1 import (
    LOG_LEVEL_WARNING,
    GetStateRequest,
    HostEmbedRequest,
    HostExecuteToolRequest,
    HostGenerateRequest,
    HostServicesStub,
    ListStateRequest,
    LogRecord,
    PutStateRequest,
    WriteLogRequest,
)
from hector.tool.v1 import (
    ExecuteToolRequest,
    ExecuteToolResponse,
    ListToolsRequest,
    ListToolsResponse,
    ToolProviderServicer,
    add_ToolProviderServicer_to_server,
)
from hector_mesh import Call, Mesh, Principal, current_call, info_of, scope, status_of, tracing, wire_channel
from hector_plugin_host import Grants, PluginPlan
from hector_plugin_host.host import PluginHost
from hector_plugin_host.premises import Premises
from hector_plugin_host.serving import Door
from hector_plugin_host.serving import door as doors
from hector_plugin_host.serving.state import Values
from hector_plugin_host.visits import Visits
from hector_store import PluginValues
from hector_store.errors import StorageBusy

ALL = Grants(llms=("fast",), tools=("shout",), embedders=("small",), state_bytes=1000, log=True)
CALLER = Call(principal=Principal("ann", frozenset({"user"})), app="shop", documents=("handbook",))
TRACE = f"00-{'1' * 32}-{'2' * 16}-01"
SAY = [Message(role=ROLE_USER, parts=[Part(text="hi")])]


class Services(LLMProviderServicer, ToolProviderServicer, EmbedderProviderServicer):
    """The host's own, which remember as whom they were called."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.open, self.entered, self.left = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.open.set()

    async def StreamText(
        self, request: StreamTextRequest, context: object
    ) -> AsyncIterator[StreamTextResponse]:
        self.calls.append(current_call.get())
        self.entered.set()
        try:
            await self.open.wait()
            yield StreamTextResponse(text=request.messages[0].parts[0].text)
            yield StreamTextResponse(done=True)
        finally:
            self.left.set()

    async def ListTools(self, request: ListToolsRequest, context: object) -> ListToolsResponse:
        careful = ToolAnnotations(requires_approval=True)
        return ListToolsResponse(
            tools=[
                Tool(name="upper", instance="tools.shout"),
                Tool(name="erase", instance="tools.shout", annotations=careful),
                Tool(name="bash", instance="tools.bash"),
            ]
        )

    async def ExecuteTool(self, request: ExecuteToolRequest, context: object) -> ExecuteToolResponse:
        self.calls.append(current_call.get())
        return ExecuteToolResponse(success=True, result=request.parameters_json.upper())

    async def EmbedBatch(self, request: EmbedBatchRequest, context: object) -> EmbedBatchResponse:
        self.calls.append(current_call.get())
        return EmbedBatchResponse(embeddings=[Embedding(vector=[1.0, 2.0]) for _ in request.texts])


class Plugin:
    """What the plugin has in its hands while it serves a call."""

    def __init__(self, channel: Channel, number: str) -> None:
        self.stub = HostServicesStub(channel)
        self.whose = (("hector-token", TOKEN), ("hector-call", number))


@pytest.fixture
async def services(mesh_under_test: MeshUnderTest) -> Services:
    serving = Services()
    await mesh_under_test.serve(
        lambda server: add_LLMProviderServicer_to_server(serving, server),
        lambda server: add_ToolProviderServicer_to_server(serving, server),
        lambda server: add_EmbedderProviderServicer_to_server(serving, server),
    )
    return serving


Serving = Callable[..., "asynccontextmanager[Plugin]"]


@pytest.fixture
def serving(mesh_under_test: MeshUnderTest, launcher: FakeLauncher, services: Services) -> Serving:
    """Run a plugin that is at work on a call of `CALLER`."""

    @asynccontextmanager
    async def working(
        grants: Grants = ALL,
        timeout: float = 30,
        *,
        is_alone: bool = False,
        values: Values | None = None,
        caller: Call = CALLER,
    ) -> AsyncIterator[Plugin]:
        plan = PluginPlan("up", grants=grants)
        around = None if is_alone else mesh_under_test.mesh
        host = PluginHost([plan], Premises(values=values), launch=launcher, mesh=around)
        async with asyncio.timeout(60), host.running():
            await host.settled()
            launcher.last.freeze()
            with scope(caller):
                mesh = Mesh({"hector.llm.v1.LLMProvider": host.channel("up")})
                call = LLMProviderStub(mesh).GenerateText(GenerateTextRequest(), timeout=timeout)
                await until(lambda: launcher.last.in_flight == 1)
                number = launcher.last.seen[-1][1].get("hector-call", "")
                target = launcher.last.host_target or "unix:/nowhere"
                async with wire_channel(target) as channel:
                    yield Plugin(channel, number)
                    call.cancel()
                    launcher.last.gate.set()

    return working  # type: ignore[return-value]


async def refused(call: object) -> tuple[StatusCode, str, str]:
    with pytest.raises(AioRpcError) as failed:
        await call  # type: ignore[misc]
    return failed.value.code(), info_of(failed.value).reason, failed.value.details() or ""


async def test_a_granted_model_is_asked_for_the_caller_of_the_plugin(
    serving: Serving, services: Services
) -> None:
    async with serving() as plugin:
        request = HostGenerateRequest(llm="fast", messages=SAY)
        pieces = [one.piece async for one in plugin.stub.HostGenerate(request, metadata=plugin.whose)]
    assert [piece.text for piece in pieces] == ["hi", ""]
    (call,) = services.calls
    assert (call.principal, call.app, call.instance) == (CALLER.principal, "shop", "llms.fast")


async def test_a_plugin_cannot_ask_as_somebody_else_or_for_longer(
    serving: Serving, services: Services
) -> None:
    async with serving(timeout=5) as plugin:
        forged = (*plugin.whose, ("hector-principal", "root"), ("hector-roles", "admin"), ("hector-app", "x"))
        forged += (("hector-documents", "secrets,"),)
        request = HostGenerateRequest(llm="fast", messages=SAY)
        asked = plugin.stub.HostGenerate(request, metadata=forged, timeout=1000)
        assert [one async for one in asked]
    (call,) = services.calls
    assert (call.principal, call.app, call.documents) == (CALLER.principal, "shop", ("handbook",))
    assert call.deadline <= time.monotonic() + 5


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.enable(provider)
    yield exporter
    tracing.disable()
    provider.shutdown()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("", TRACE),
        (f"00-{'a' * 32}-{'b' * 16}-01", TRACE),
        (f"{TRACE[:35]}-{'c' * 16}-01", f"{TRACE[:35]}-{'c' * 16}-01"),
    ],
    ids=["none", "made-up", "own-span"],
)
async def test_what_a_plugin_asks_for_stays_in_the_trace_of_the_call_that_it_serves(
    serving: Serving, services: Services, sent: str, told: str
) -> None:
    async with serving(caller=replace(CALLER, traceparent=TRACE)) as plugin:
        whose = (*plugin.whose, ("traceparent", sent)) if sent else plugin.whose
        await plugin.stub.HostEmbed(HostEmbedRequest(embedder="small", texts=["a"]), metadata=whose)
    assert services.calls[-1].traceparent == told


@pytest.mark.parametrize("sent", ["", f"00-{'a' * 32}-{'b' * 16}-01"], ids=["none", "made-up"])
async def test_the_spans_of_what_a_plugin_asks_for_are_in_that_trace_too(
    spans: InMemorySpanExporter, serving: Serving, sent: str
) -> None:
    async with serving(caller=replace(CALLER, traceparent=TRACE)) as plugin:
        whose = (*plugin.whose, ("traceparent", sent)) if sent else plugin.whose
        await plugin.stub.HostEmbed(HostEmbedRequest(embedder="small", texts=["a"]), metadata=whose)
    found = [span for span in spans.get_finished_spans() if span.name.endswith("/EmbedBatch")]
    assert found
    for span in found:
        assert span.context is not None
        assert f"{span.context.trace_id:032x}" == TRACE[3:35]


async def test_what_a_plugin_asked_for_ends_with_the_call_that_it_serves(
    serving: Serving, services: Services
) -> None:
    services.open.clear()
    async with serving() as plugin:
        request = HostGenerateRequest(llm="fast", messages=SAY)
        asking = asyncio.ensure_future(anext(aiter(plugin.stub.HostGenerate(request, metadata=plugin.whose))))
        await services.entered.wait()
    async with asyncio.timeout(10):
        await services.left.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


async def test_without_a_call_nothing_is_done_in_anybodys_name(serving: Serving) -> None:
    async with serving() as plugin:
        whose = (("hector-token", TOKEN), ("hector-call", "0" * 24))
        request = HostEmbedRequest(embedder="small", texts=["a"])
        code, reason, _ = await refused(plugin.stub.HostEmbed(request, metadata=whose))
    assert (code, reason) == (StatusCode.FAILED_PRECONDITION, "PLUGIN_CALL_REQUIRED")


async def test_whoever_shows_no_token_is_refused(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as plugin:
        with caplog.at_level(logging.WARNING):
            code, reason, _ = await refused(plugin.stub.GetState(GetStateRequest(key="a")))
    assert (code, reason) == (StatusCode.UNAUTHENTICATED, "PLUGIN_TOKEN_REQUIRED")
    assert [vars(one)["event"] for one in caplog.records if "security" in one.name] == ["refused_call"]


async def test_a_granted_tool_is_called(serving: Serving, services: Services) -> None:
    async with serving() as plugin:
        request = HostExecuteToolRequest(call=ToolCall(id="7", name="upper", arguments_json='{"a": "b"}'))
        answer = await plugin.stub.HostExecuteTool(request, metadata=plugin.whose)
    assert (answer.result.tool_call_id, answer.result.parts[0].text) == ("7", '{"A": "B"}')
    assert services.calls[0].instance == "tools.shout"


@pytest.mark.parametrize(
    ("tool", "code", "reason", "words"),
    [
        ("bash", StatusCode.PERMISSION_DENIED, "PLUGIN_NOT_GRANTED", "grants: {tools: [bash]}"),
        ("erase", StatusCode.PERMISSION_DENIED, "TOOL_NEEDS_APPROVAL", "a person's approval"),
        ("none", StatusCode.NOT_FOUND, "TOOL_NOT_FOUND", "there are: erase, upper"),
    ],
)
async def test_other_tools_are_not(
    serving: Serving, services: Services, tool: str, code: StatusCode, reason: str, words: str
) -> None:
    async with serving() as plugin:
        request = HostExecuteToolRequest(call=ToolCall(id="7", name=tool))
        told = await refused(plugin.stub.HostExecuteTool(request, metadata=plugin.whose))
    assert told[:2] == (code, reason)
    assert words in told[2]
    assert services.calls == []


async def test_texts_become_vectors(serving: Serving) -> None:
    async with serving() as plugin:
        request = HostEmbedRequest(embedder="small", texts=["a", "b"])
        answer = await plugin.stub.HostEmbed(request, metadata=plugin.whose)
    assert list(answer.vectors_f32) == [struct.pack("<2f", 1.0, 2.0)] * 2


ASKED = {
    "HostGenerate": (HostGenerateRequest(llm="slow"), "grants: {llms: [slow]}"),
    "HostEmbed": (HostEmbedRequest(embedder="large"), "grants: {embedders: [large]}"),
    "HostExecuteTool": (HostExecuteToolRequest(call=ToolCall(name="upper")), "grants: {tools: […]}"),
    "GetState": (GetStateRequest(key="a"), "grants: {state: 1MiB}"),
    "PutState": (PutStateRequest(key="a"), "grants: {state: 1MiB}"),
    "ListState": (ListStateRequest(), "grants: {state: 1MiB}"),
}


@pytest.mark.parametrize("rpc", ASKED)
async def test_what_is_not_granted_is_refused_with_what_to_write(
    serving: Serving, caplog: pytest.LogCaptureFixture, rpc: str
) -> None:
    request: AnyMessage
    request, words = ASKED[rpc]
    async with serving(Grants(log=True)) as plugin:
        call = getattr(plugin.stub, rpc)(request, metadata=plugin.whose)
        waiting = call if isinstance(call, grpc.aio.UnaryUnaryCall) else anext(aiter(call))
        code, reason, text = await refused(waiting)
    assert (code, reason) == (StatusCode.PERMISSION_DENIED, "PLUGIN_NOT_GRANTED")
    assert words in text
    assert "not_granted" in [vars(one).get("event") for one in caplog.records]


async def test_what_is_granted_where_nothing_serves_it_is_said_to_be_elsewhere(serving: Serving) -> None:
    async with serving(is_alone=True) as plugin:
        asked = plugin.stub.HostEmbed(HostEmbedRequest(embedder="small", texts=["a"]), metadata=plugin.whose)
        code, reason, text = await refused(asked)
    assert (code, reason) == (StatusCode.FAILED_PRECONDITION, "PLUGIN_HOST_ALONE")
    assert "ask an agent that uses it" in text


async def test_a_plugin_that_is_granted_nothing_finds_no_way_to_its_host(
    serving: Serving, launcher: FakeLauncher
) -> None:
    async with serving(Grants()):
        assert launcher.last.host_target == ""
        assert launcher.last.configured[0].host_target == ""
        assert "hector-call" not in launcher.last.seen[-1][1]


def door_of(plan: PluginPlan) -> Door:
    return Door(lambda: plan, None, None, Visits(), lambda: ())


async def test_a_way_that_is_closed_while_it_is_opened_does_not_stay_open(short: Path) -> None:
    plan = PluginPlan("up", grants=ALL)
    door = door_of(plan)
    async with asyncio.timeout(10):
        opening = asyncio.ensure_future(door.open_for(plan))
        await asyncio.sleep(0)  # it has begun
        await door.close()
        await opening
        await door.open_for(plan)
    assert door.target == ""
    assert left_in(short) == []


async def test_a_way_that_could_not_be_opened_is_opened_the_next_time(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = PluginPlan("up", grants=ALL)
    door = door_of(plan)
    async with asyncio.timeout(10):
        with monkeypatch.context() as broken:
            broken.setattr(doors, "wire_server", no_room)
            with pytest.raises(OSError, match="no room"):
                await door.open_for(plan)
        assert left_in(short) == []
        await door.open_for(plan)
        assert door.target
        await door.close()


def no_room(*_: object, **__: object) -> None:
    raise OSError("no room")


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_plugin_keeps_what_it_was_given_by_app(serving: Serving) -> None:
    async with serving() as plugin:
        await plugin.stub.PutState(PutStateRequest(key="a", value=b"1"), metadata=plugin.whose)
        await plugin.stub.PutState(PutStateRequest(key="b", value=b"2"), metadata=plugin.whose)
        found = await plugin.stub.GetState(GetStateRequest(key="a"), metadata=plugin.whose)
        listed = await plugin.stub.ListState(ListStateRequest(page_size=1), metadata=plugin.whose)
        rest = ListStateRequest(page_token=listed.next_page_token)
        others = await plugin.stub.ListState(rest, metadata=plugin.whose)
        of_nobody = (("hector-token", TOKEN),)
        elsewhere = await plugin.stub.GetState(GetStateRequest(key="a"), metadata=of_nobody)
        await plugin.stub.PutState(PutStateRequest(key="a", remove=True), metadata=plugin.whose)
        gone = await plugin.stub.GetState(GetStateRequest(key="a"), metadata=plugin.whose)
    assert (found.value, found.found) == (b"1", True)
    assert (list(listed.keys), list(others.keys)) == (["a"], ["b"])
    assert (elsewhere.found, gone.found) == (False, False)


async def test_a_plugin_keeps_no_more_than_it_may(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as plugin:
        request = PutStateRequest(key="a", value=b"x" * 1000)
        code, reason, _ = await refused(plugin.stub.PutState(request, metadata=plugin.whose))
        listed = await plugin.stub.ListState(ListStateRequest(), metadata=plugin.whose)
    assert (code, reason) == (StatusCode.RESOURCE_EXHAUSTED, "PLUGIN_STATE_FULL")
    assert list(listed.keys) == []
    assert "limit_hit" in [vars(one).get("event") for one in caplog.records]


async def test_a_database_that_is_away_is_told_with_when_to_try_again(serving: Serving) -> None:
    @asynccontextmanager
    async def away() -> AsyncIterator[PluginValues]:
        raise StorageBusy("kept.db")
        yield

    async with serving(values=away) as plugin:
        for call in (
            plugin.stub.GetState(GetStateRequest(key="a"), metadata=plugin.whose),
            plugin.stub.PutState(PutStateRequest(key="a", remove=True), metadata=plugin.whose),
            plugin.stub.ListState(ListStateRequest(), metadata=plugin.whose),
        ):
            with pytest.raises(AioRpcError) as failed:
                await call
            assert failed.value.code() is StatusCode.UNAVAILABLE
            assert info_of(failed.value).reason == "PLUGIN_STATE_AWAY"
            assert any(one.type_url.endswith("RetryInfo") for one in status_of(failed.value).details)
            assert "kept.db" not in str(failed.value)


async def test_what_a_plugin_writes_to_the_log_stands_there_under_its_name(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as plugin:
        record = LogRecord(level=LOG_LEVEL_WARNING, message="100% full\nof it", fields_json='{"pages": 3}')
        await plugin.stub.WriteLog(WriteLogRequest(records=[record]), metadata=plugin.whose)
    (written,) = [one for one in caplog.records if one.name == "hector_plugin_host.plugin"]
    assert (written.getMessage(), written.levelno) == ("100% full of it", logging.WARNING)
    assert (vars(written)["plugin"], vars(written)["fields"]) == ("up", {"pages": 3})


async def test_a_flood_of_lines_is_cut_and_counted(
    serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as plugin:
        records = [LogRecord(message="again")] * 2000
        with caplog.at_level(logging.INFO):
            await plugin.stub.WriteLog(WriteLogRequest(records=records), metadata=plugin.whose)
    assert len([one for one in caplog.records if one.getMessage() == "again"]) < 1200
    assert "plugin wrote more than is kept" in caplog.messages
