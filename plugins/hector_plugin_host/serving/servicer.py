"""hector.plugin.v1.HostServices, for one plugin."""

import asyncio
import hmac
import json
import logging
import struct
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hector.common.v1 import Part, Tool, ToolResult
from hector.embedder.v1 import EmbedBatchRequest, EmbedderProviderStub, Embedding
from hector.llm.v1 import LLMProviderStub, StreamTextRequest
from hector.plugin.v1 import (
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    GetStateRequest,
    GetStateResponse,
    HostEmbedRequest,
    HostEmbedResponse,
    HostExecuteToolRequest,
    HostExecuteToolResponse,
    HostGenerateRequest,
    HostGenerateResponse,
    HostServicesServicer,
    ListStateRequest,
    ListStateResponse,
    LogRecord,
    PutStateRequest,
    PutStateResponse,
    WriteLogRequest,
    WriteLogResponse,
)
from hector.tool.v1 import ExecuteToolRequest, ExecuteToolResponse, ListToolsRequest, ToolProviderStub
from hector_mesh import Call, Context, Mesh, current_call, scope, streaming, tracing
from hector_plugin_host.plan import PluginPlan
from hector_plugin_host.redacting import redacted
from hector_plugin_host.security_events import report
from hector_plugin_host.visits import Visits

from .refusals import (
    CallRequired,
    NotGranted,
    NothingHere,
    NotThePlugin,
    StateFull,
    ToolNeedsApproval,
    ToolUnknown,
)
from .state import PluginState

log = logging.getLogger("hector_plugin_host.plugin")

ANYTHING = "*"
LINES_PER_S = 100.0
BURST = 1_000.0
LONGEST_LINE = 64 * 1024
_LEVELS = {
    LOG_LEVEL_DEBUG: logging.DEBUG,
    LOG_LEVEL_WARNING: logging.WARNING,
    LOG_LEVEL_ERROR: logging.ERROR,
}

Tokens = Callable[[], Collection[str]]


class HostServicer(HostServicesServicer):
    """Does what the plan grants, for whoever made the call that the plugin is at work on."""

    def __init__(
        self,
        plan: Callable[[], PluginPlan],
        mesh: Mesh | None,
        visits: Visits,
        state: PluginState,
        tokens: Tokens,
    ) -> None:
        """Serve a plugin.

        Args:
            plan: Returns the present plan.
            mesh: Where models, tools and embedders are; None: none are.
            visits: The calls that it is at work on.
            state: What it keeps.
            tokens: Returns what its processes show.
        """
        self._plan, self._mesh, self._visits, self._state, self._tokens = plan, mesh, visits, state, tokens
        self._left, self._at = BURST, time.monotonic()

    async def HostGenerate(
        self, request: HostGenerateRequest, context: Context
    ) -> AsyncIterator[HostGenerateResponse]:
        mesh = self._granted(context, "llms", request.llm)
        with self._as_the_caller(context):
            asking = StreamTextRequest(messages=request.messages, options=request.options)
            call = LLMProviderStub(mesh.at(f"llms.{request.llm}")).StreamText(asking)
            async with streaming(call) as pieces:
                async for piece in pieces:
                    yield HostGenerateResponse(piece=piece)

    async def HostExecuteTool(
        self, request: HostExecuteToolRequest, context: Context
    ) -> HostExecuteToolResponse:
        call = request.call
        mesh = self._granted(context, "tools", "")
        with self._as_the_caller(context):
            tool = await self._tool(mesh, call.name)
            asked = ExecuteToolRequest(tool=call.name, parameters_json=call.arguments_json, call_id=call.id)
            answer = await ToolProviderStub(mesh.at(tool.instance)).ExecuteTool(asked)
        return HostExecuteToolResponse(result=_result(call.id, call.name, answer))

    async def HostEmbed(self, request: HostEmbedRequest, context: Context) -> HostEmbedResponse:
        mesh = self._granted(context, "embedders", request.embedder)
        with self._as_the_caller(context):
            embedder = EmbedderProviderStub(mesh.at(f"embedders.{request.embedder}"))
            answer = await embedder.EmbedBatch(EmbedBatchRequest(texts=request.texts))
        return HostEmbedResponse(vectors_f32=[_packed(one) for one in answer.embeddings])

    async def GetState(self, request: GetStateRequest, context: Context) -> GetStateResponse:
        self._granted_state(context)
        value = await self._state.get(self._app(context), request.key)
        return GetStateResponse(value=value or b"", found=value is not None)

    async def PutState(self, request: PutStateRequest, context: Context) -> PutStateResponse:
        self._granted_state(context)
        app = self._app(context)
        if request.remove:
            await self._state.remove(app, request.key)
            return PutStateResponse()
        try:
            await self._state.put(app, request.key, request.value, request.ttl_s)
        except StateFull:
            report("limit_hit", self._plan().name, limit="state", bytes=self._state.limit_bytes)
            raise
        return PutStateResponse()

    async def ListState(self, request: ListStateRequest, context: Context) -> ListStateResponse:
        self._granted_state(context)
        size = max(0, request.page_size)
        keys, after = await self._state.keys(self._app(context), request.prefix, size, request.page_token)
        return ListStateResponse(keys=keys, next_page_token=after)

    async def WriteLog(self, request: WriteLogRequest, context: Context) -> WriteLogResponse:
        self._known(context)
        if not self._plan().grants.log:
            raise self._not_granted("the host's log", "log: true")
        left_out = 0
        for record in request.records:
            if self._may_write():
                self._write(record)
            else:
                left_out += 1
        if left_out:
            facts = {"plugin": self._plan().name, "count": left_out}
            log.warning("plugin wrote more than is kept", extra=facts)
        return WriteLogResponse()

    def _known(self, context: Context) -> dict[str, Any]:
        """Return a call's metadata, if it is one of the plugin's."""
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        shown = str(metadata.get("hector-token", "")).encode()
        if not any(hmac.compare_digest(shown, token.encode()) for token in self._tokens()):
            report("refused_call", self._plan().name, why="it showed no token of a process that runs")
            raise NotThePlugin
        return metadata

    def _granted(self, context: Context, kind: str, name: str) -> Mesh:
        """Return where to go for a thing that is granted; an empty name is any of its kind."""
        self._known(context)
        granted: tuple[str, ...] = getattr(self._plan().grants, kind)
        is_granted = name in granted or ANYTHING in granted if name else bool(granted)
        what = f"{kind}.{name}".removesuffix(".")
        if not is_granted:
            raise self._not_granted(what, f"{kind}: [{name or '…'}]")
        if self._mesh is None:
            raise NothingHere(self._plan().name, what)
        return self._mesh

    def _granted_state(self, context: Context) -> None:
        self._known(context)
        if not self._plan().grants.state_bytes:
            raise self._not_granted("state", "state: 1MiB")

    def _not_granted(self, what: str, wanted: str) -> NotGranted:
        plugin = self._plan().name
        report("not_granted", plugin, what=what)
        return NotGranted(plugin, what, wanted)

    def _call(self, context: Context) -> Call | None:
        """Return whose call the plugin is at work on, as it says; None: nobody's."""
        metadata = dict(context.invocation_metadata() or ())
        visit = self._visits.find(str(metadata.get(Visits.HEADER, "")))
        return visit.call if visit is not None else None

    def _app(self, context: Context) -> str:
        call = self._call(context)
        return call.app if call is not None else ""

    @contextmanager
    def _as_the_caller(self, context: Context) -> Iterator[None]:
        """Act for whoever waits for the plugin: by that name, until then, and not when they have left."""
        call, asked = self._call(context), current_call.get()
        if call is None:
            raise CallRequired(self._plan().name)
        trace = asked.traceparent
        if call.traceparent and _trace_id(trace) != _trace_id(call.traceparent):
            trace = call.traceparent  # a plugin may say which of its spans asks, and not in whose trace
            tracing.resume(trace)
        own = replace(
            call,
            deadline=min(call.deadline, asked.deadline),
            traceparent=trace,
        )
        task = asyncio.current_task()
        assert task is not None
        call.children.add(task)
        try:
            with scope(own):
                yield
        finally:
            call.children.discard(task)

    async def _tool(self, mesh: Mesh, name: str) -> Tool:
        granted = self._plan().grants.tools
        listed = await ToolProviderStub(mesh).ListTools(ListToolsRequest())
        known = [tool for tool in listed.tools if ANYTHING in granted or _entry(tool) in granted]
        for tool in known:
            if tool.name == name:
                if tool.annotations.requires_approval:
                    raise ToolNeedsApproval(name)
                return tool
        others = {tool.name: tool for tool in listed.tools}
        if name in others:
            raise self._not_granted(f"tool {name}", f"tools: [{_entry(others[name])}]")
        raise ToolUnknown(name, tuple(tool.name for tool in known))

    def _may_write(self) -> bool:
        now = time.monotonic()
        self._left = min(BURST, self._left + (now - self._at) * LINES_PER_S)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def _write(self, record: LogRecord) -> None:
        plan = self._plan()
        text = redacted(record.message[:LONGEST_LINE], plan.secrets)
        extra: dict[str, object] = {"plugin": plan.name}
        if record.fields_json:
            fields_json = redacted(record.fields_json[:LONGEST_LINE], plan.secrets)
            try:
                extra["fields"] = json.loads(fields_json)
            except (ValueError, RecursionError):
                extra["fields"] = {"text": fields_json}
        shown = "".join(char if char.isprintable() else " " for char in text)
        log.log(_LEVELS.get(record.level, logging.INFO), shown, extra=extra)


def _trace_id(traceparent: str) -> str:
    return traceparent[3:35]


def _entry(tool: Tool) -> str:
    return tool.instance.removeprefix("tools.")


def _result(call_id: str, name: str, answer: ExecuteToolResponse) -> ToolResult:
    parts = list(answer.parts) or [Part(text=answer.error or answer.result)]
    return ToolResult(tool_call_id=call_id, name=name, parts=parts, error=bool(answer.error))


def _packed(embedding: Embedding) -> bytes:
    if embedding.vector_f32:
        return embedding.vector_f32
    return struct.pack(f"<{len(embedding.vector)}f", *embedding.vector)
