"""Plugins without processes: real gRPC servers in this process, that crash, hang and lie on demand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hector.common.v1 import Tool, ToolAnnotations
from hector.document.v1 import (
    DocumentParserServicer,
    Section,
    StreamParseDocumentRequest,
    StreamParseDocumentResponse,
    add_DocumentParserServicer_to_server,
)
from hector.embedder.v1 import (
    EmbedderProviderServicer,
    EmbedTextRequest,
    EmbedTextResponse,
    add_EmbedderProviderServicer_to_server,
)
from hector.llm.v1 import (
    GenerateTextRequest,
    GenerateTextResponse,
    LLMProviderServicer,
    StreamTextRequest,
    StreamTextResponse,
    add_LLMProviderServicer_to_server,
)
from hector.plugin.v1 import (
    CollectMetricsResponse,
    Component,
    ConfigureRequest,
    ConfigureResponse,
    Diagnostic,
    GetInfoResponse,
    PluginServicer,
    ValidateConfigResponse,
    add_PluginServicer_to_server,
)
from hector.tool.v1 import (
    ExecuteToolRequest,
    ExecuteToolResponse,
    ListToolsRequest,
    ListToolsResponse,
    ToolProviderServicer,
    add_ToolProviderServicer_to_server,
)
from hector_plugin_host import PluginPlan
from hector_plugin_host.process import ExitInfo
from hector_plugin_host.start_failed import PluginStartFailed

TOKEN = "sesame"


@dataclass
class Behaviour:
    """How one life of a fake plugin goes."""

    does_not_start: str = ""
    final: bool = False
    info: GetInfoResponse | None = field(default_factory=lambda: GetInfoResponse(name="fake", version="1.0"))
    refuses: Sequence[Diagnostic] = ()
    crashes_when_configured: bool = False
    text: str = "hello"
    """What it generates."""
    metrics: bytes = b""
    raw: bytes | None = None
    """Sent in the place of messages that are generated."""
    only: Callable[[], Sequence[grpc.GenericRpcHandler]] | None = None
    """What it serves in the place of everything else."""


class FakeProcess:
    """As `hector_plugin_host.process.PluginProcess`."""

    serves_health, pid, tier, ready_s, host_target = True, 4711, "none", 0.1, ""
    metadata = (("hector-token", TOKEN),)

    def __init__(self, plan: PluginPlan, generation: int, behaviour: Behaviour, folder: Path) -> None:
        self.plan, self.generation, self.behaviour = plan, generation, behaviour
        self.target = f"unix:{folder}/{plan.name}-{id(self):x}.sock"
        self.exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()
        self.configured: list[ConfigureRequest] = []
        self.seen: list[tuple[str, dict[str, Any]]] = []
        """Methods that were called, with their metadata."""
        self.gate = asyncio.Event()
        """Calls go on while it is set; a stopped process has it cleared."""
        self.gate.set()
        self.ended_after: list[str] = []
        self.in_flight = self.most_in_flight = 0
        self.health = _Health(self)
        self.fails: list[StatusCode] = []
        """What the next calls are answered with."""
        self.nonsense = False

    async def start(self) -> None:
        self.server = grpc.aio.server()
        self.server.add_insecure_port(self.target)
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.server)
        if self.behaviour.only is not None:
            self.server.add_generic_rpc_handlers(self.behaviour.only())
        else:
            self._serve_contracts(_Servicer(self))
        await self.server.start()
        options = (("grpc.default_authority", "localhost"), ("grpc.max_receive_message_length", 64 << 20))
        self.channel = grpc.aio.insecure_channel(self.target, options)

    def _serve_contracts(self, servicer: "_Servicer") -> None:
        if self.behaviour.info is not None:
            add_PluginServicer_to_server(servicer, self.server)
        if self.behaviour.raw is None:
            add_LLMProviderServicer_to_server(servicer, self.server)
        else:
            self._answer_with(self.behaviour.raw)
        add_EmbedderProviderServicer_to_server(servicer, self.server)
        add_ToolProviderServicer_to_server(servicer, self.server)
        add_DocumentParserServicer_to_server(servicer, self.server)

    def _answer_with(self, raw: bytes) -> None:
        async def one(request: bytes, context: Any) -> bytes:
            return raw

        async def many(request: bytes, context: Any) -> AsyncIterator[bytes]:
            yield raw

        handlers = {
            "GenerateText": grpc.unary_unary_rpc_method_handler(one),
            "StreamText": grpc.unary_stream_rpc_method_handler(many),
        }
        generic = grpc.method_handlers_generic_handler("hector.llm.v1.LLMProvider", handlers)
        self.server.add_generic_rpc_handlers((generic,))

    async def stop(self) -> None:
        self.gate.set()
        self.health.leave()
        await self.channel.close()
        self._stop_server()
        await self._stopping
        if not self.exited.done():
            self.exited.set_result(ExitInfo(code=0, reason="stopped", wanted=True))

    def _stop_server(self) -> None:
        if not hasattr(self, "_stopping"):  # gRPC's server falls over when it is stopped twice at once
            self._stopping = asyncio.ensure_future(self.server.stop(0))

    def tail(self) -> tuple[str, ...]:
        return ("its last line",)

    def freeze(self) -> None:
        """Be as a process that was stopped by a signal."""
        self.gate.clear()

    def crash(self, code: int = 1) -> None:
        """Be gone, as a process that exits."""
        self.health.leave()
        if not self.exited.done():
            self.exited.set_result(ExitInfo(code=code))
        self._stop_server()

    def kill(self, reason: str) -> None:
        self.ended_after.append(reason)
        if not self.exited.done():
            self.exited.set_result(ExitInfo(signal=9, reason=reason, wanted=True))

    async def end(self, grace_s: float = 2.0, reason: str = "stopped") -> None:
        self.ended_after.append(f"{reason} with {self.in_flight} calls")


class _Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # grpc_health has no types
    def __init__(self, process: FakeProcess) -> None:
        self._process = process
        self._serving, self._left, self._news = True, False, asyncio.Event()
        self.refuses, self.refused, self.answered = False, 0, 0
        """Whether it is away for who asks, how often it was, and how often not."""

    def say(self, *, serving: bool) -> None:
        self._serving = serving
        self._news.set()

    def leave(self) -> None:
        self._left = True
        self._news.set()

    async def Check(self, request: Any, context: Any) -> Any:
        if self.refuses:
            self.refused += 1
            await context.abort(StatusCode.UNAVAILABLE, "connection refused")
        await self._process.gate.wait()
        self.answered += 1
        return self._answer()

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        while not self._left:
            self._news.clear()
            yield self._answer()
            await self._news.wait()

    def _answer(self) -> Any:
        answer = health_pb2.HealthCheckResponse
        return answer(status=answer.SERVING if self._serving else answer.NOT_SERVING)


class _Servicer(
    PluginServicer,
    LLMProviderServicer,
    EmbedderProviderServicer,
    ToolProviderServicer,
    DocumentParserServicer,
):
    def __init__(self, process: FakeProcess) -> None:
        self._process = process
        self._second = asyncio.Event()

    async def GetInfo(self, request: Any, context: Any) -> GetInfoResponse:
        await self._pass("GetInfo", context)
        assert self._process.behaviour.info is not None
        return self._process.behaviour.info

    async def ValidateConfig(self, request: Any, context: Any) -> ValidateConfigResponse:
        await self._pass("ValidateConfig", context)
        return ValidateConfigResponse(diagnostics=self._process.behaviour.refuses)

    async def Configure(self, request: ConfigureRequest, context: Any) -> ConfigureResponse:
        await self._pass("Configure", context)
        self._process.configured.append(request)
        if self._process.behaviour.crashes_when_configured:
            self._process.crash(3)
        return ConfigureResponse()

    async def CollectMetrics(self, request: Any, context: Any) -> CollectMetricsResponse:
        await self._pass("CollectMetrics", context)
        return CollectMetricsResponse(prometheus_text=self._process.behaviour.metrics)

    async def GenerateText(self, request: GenerateTextRequest, context: Any) -> GenerateTextResponse:
        async with self._counted():
            await self._pass("GenerateText", context)
            return GenerateTextResponse(text=self._process.behaviour.text)

    async def StreamText(self, request: StreamTextRequest, context: Any) -> AsyncIterator[StreamTextResponse]:
        async with self._counted():
            for word in request.prompt.split():
                await self._pass("StreamText", context)
                yield StreamTextResponse(text=word)
            yield StreamTextResponse(done=True)

    async def EmbedText(self, request: EmbedTextRequest, context: Any) -> EmbedTextResponse:
        async with self._counted():
            await self._pass("EmbedText", context)
            return EmbedTextResponse(vector=[float(self._process.generation)])

    async def StreamParseDocument(
        self, request: StreamParseDocumentRequest, context: Any
    ) -> AsyncIterator[StreamParseDocumentResponse]:
        async with self._counted():
            await self._pass("StreamParseDocument", context)
            yield StreamParseDocumentResponse(section=Section())
            await self._second.wait()

    async def ListTools(self, request: ListToolsRequest, context: Any) -> ListToolsResponse:
        await self._pass("ListTools", context)
        again = ToolAnnotations(idempotent=True)
        return ListToolsResponse(tools=[Tool(name="look", annotations=again), Tool(name="buy")])

    async def ExecuteTool(self, request: ExecuteToolRequest, context: Any) -> ExecuteToolResponse:
        async with self._counted():
            await self._pass("ExecuteTool", context)
            return ExecuteToolResponse(success=True, result=str(self._process.generation))

    async def _pass(self, method: str, context: Any) -> None:
        process = self._process
        metadata = dict(context.invocation_metadata())
        process.seen.append((method, metadata))
        if metadata.get("hector-token") != TOKEN:
            await context.abort(StatusCode.UNAUTHENTICATED, "no token")
        if process.fails:
            await context.abort(process.fails.pop(0), "as the test wants")
        await process.gate.wait()

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        process = self._process
        process.in_flight += 1
        process.most_in_flight = max(process.most_in_flight, process.in_flight)
        try:
            yield
        finally:
            process.in_flight -= 1


class FakeLauncher:
    """Starts fake plugins, and keeps them for the test to look at; each start takes the next behaviour."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.behaviours: list[Behaviour] = []
        self.always = Behaviour()
        self.processes: list[FakeProcess] = []
        self.plans: list[PluginPlan] = []
        """Of all starts, those that failed included."""
        self.started = asyncio.Event()
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.hanging: set[str] = set()
        """Plugins that never get ready."""

    @property
    def last(self) -> FakeProcess:
        return self.processes[-1]

    @asynccontextmanager
    async def __call__(self, plan: PluginPlan, **about: Any) -> AsyncIterator[FakeProcess]:
        behaviour = self.behaviours.pop(0) if self.behaviours else self.always
        self.plans.append(plan)
        self.started.set()
        await self.may_start.wait()
        if plan.name in self.hanging:
            await asyncio.Event().wait()
        if behaviour.does_not_start:
            raise PluginStartFailed(plan.name, behaviour.does_not_start, final=behaviour.final)
        process = FakeProcess(plan, about["generation"], behaviour, self._folder)
        await process.start()
        process.host_target = about["host_target"]
        self.processes.append(process)
        try:
            yield process
        finally:
            await process.stop()


def component(kind: Any, service: str) -> Component:
    return Component(kind=kind, service=service)


Until = Callable[[], bool]


async def until(condition: Until) -> None:
    """Wait until something is so, that real sockets have a part in."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  what sockets do has no event
            await asyncio.sleep(0.005)
