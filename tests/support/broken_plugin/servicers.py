"""What the plugin of main.py serves: servicers that keep the rules, but those they are told to break."""

import asyncio
import json
import os

import grpc
import others
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from models import Model
from stores import Store

from hector.common.v1 import Tool, ToolAnnotations
from hector.llm.v1 import add_LLMProviderServicer_to_server
from hector.plugin.v1 import (
    PLUGIN_KIND_AGENT,
    PLUGIN_KIND_DATABASE_PROVIDER,
    PLUGIN_KIND_DOCUMENT_PARSER,
    PLUGIN_KIND_EMBEDDER_PROVIDER,
    PLUGIN_KIND_GUARDRAIL,
    PLUGIN_KIND_LLM_PROVIDER,
    PLUGIN_KIND_REASONING_STRATEGY,
    PLUGIN_KIND_TOOL_PROVIDER,
)
from hector.tool.v1 import (
    ExecuteToolResponse,
    GetToolSchemaResponse,
    ListToolsResponse,
    StreamToolResponse,
    ToolProgress,
    ToolProviderServicer,
    add_ToolProviderServicer_to_server,
)
from hector.vector.v1 import add_DatabaseProviderServicer_to_server

KINDS = {
    "tool": (
        PLUGIN_KIND_TOOL_PROVIDER,
        "hector.tool.v1.ToolProvider",
        ["ListTools", "ExecuteTool", "GetToolSchema", "StreamTool"],
    ),
    "llm": (
        PLUGIN_KIND_LLM_PROVIDER,
        "hector.llm.v1.LLMProvider",
        ["GenerateText", "StreamText", "ListModels"],
    ),
    "database": (PLUGIN_KIND_DATABASE_PROVIDER, "hector.vector.v1.DatabaseProvider", ["SearchVectors"]),
    "embedder": (PLUGIN_KIND_EMBEDDER_PROVIDER, "hector.embedder.v1.EmbedderProvider", ["EmbedText"]),
    "reasoning": (PLUGIN_KIND_REASONING_STRATEGY, "hector.reasoning.v1.ReasoningStrategy", ["Initialize"]),
    "parser": (PLUGIN_KIND_DOCUMENT_PARSER, "hector.document.v1.DocumentParser", ["ParseDocument"]),
    "agent": (PLUGIN_KIND_AGENT, "hector.agent.v1.AgentProvider", ["DescribeAgents"]),
    "guardrail": (PLUGIN_KIND_GUARDRAIL, "hector.guardrail.v1.Guardrail", ["CheckContent"]),
}


class Limits:
    """What all calls share."""

    def __init__(self, broken, health):
        self.broken, self.health = broken, health
        self.leaving = False
        self.streams = 0
        self.calls = 0
        self.kept = []
        self.going_on = set()

    async def work_is_done(self):
        if self.going_on:
            await asyncio.wait(self.going_on)

    async def spoil(self):
        await self.health.set("plugin", health_pb2.HealthCheckResponse.NOT_SERVING)


async def refuse(context, code, reason, message, broken=frozenset()):
    """Refuse a call, with a reason unless that is what is broken."""
    if "E1" in broken:
        await context.abort(StatusCode.UNKNOWN, message)
    if "E2" in broken:
        await context.abort(code, message)
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="broken"))
    await context.abort(code, message, (("grpc-status-details-bin", status.SerializeToString()),))


def serve_kind(kind, server, broken, limits):
    """Register the servicer of a kind."""
    if kind == "tool":
        add_ToolProviderServicer_to_server(Tools(broken, limits), server)
    elif kind == "database":
        add_DatabaseProviderServicer_to_server(Store(broken, refuse), server)
    elif kind == "llm":
        add_LLMProviderServicer_to_server(Model(broken, refuse), server)
    else:
        others.register(kind, server, broken, refuse)


def fragile(handler, broken):
    """Return a handler that dies of what it should survive."""

    def read(wire):
        if "E4" in broken and len(wire) > 4 << 20:
            os._exit(5)
        try:
            return handler.request_deserializer(wire)
        except DecodeError:
            os._exit(5)

    return grpc.unary_unary_rpc_method_handler(handler.unary_unary, read, handler.response_serializer)


class Tools(ToolProviderServicer):
    def __init__(self, broken, limits):
        self.broken, self.limits = broken, limits
        self.answers = self.ran = 0

    def tools(self):
        text = '{"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}'
        seconds = '{"type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]}'
        notes = ToolAnnotations(read_only=True, idempotent=True)
        name = "not a name" if "TO1" in self.broken else "upper"
        return {
            name: Tool(name=name, description="Upper case.", parameters_json=text, annotations=notes),
            "wait": Tool(name="wait", description="Waits.", parameters_json=seconds, annotations=notes),
        }

    async def ListTools(self, request, context):
        self.answers += 1
        revision = f"r{self.answers}" if "TO7" in self.broken else "r1"
        return ListToolsResponse(tools=self.tools().values(), revision=revision)

    async def GetToolSchema(self, request, context):
        tool = self.tools().get(request.tool)
        if tool is None:
            await refuse(context, StatusCode.NOT_FOUND, "TOOL_NOT_FOUND", "no such tool", self.broken)
        if "TO6" in self.broken:
            tool.description = "Something else."
        return GetToolSchemaResponse(tool=tool)

    async def ExecuteTool(self, request, context):
        limits, broken = self.limits, self.broken
        most = {"C1": 8, "C2": 8}.get(next(iter(broken), ""), 1000)
        if limits.calls >= most:
            code = StatusCode.RESOURCE_EXHAUSTED if "C2" in broken else StatusCode.UNAVAILABLE
            await context.abort(code, "too many")
        limits.calls += 1
        try:
            return await self.executed(request, context)
        except asyncio.CancelledError:
            if "D1" in broken:
                await asyncio.shield(asyncio.ensure_future(limits.spoil()))
            raise
        finally:
            limits.calls -= 1

    async def executed(self, request, context):
        broken = self.broken
        if request.tool not in self.tools():
            await refuse(context, StatusCode.NOT_FOUND, "TOOL_NOT_FOUND", "no such tool", broken)
        try:
            arguments = json.loads(request.parameters_json)
            good = isinstance(arguments, dict)
        except ValueError:
            good = False
        if not good and "TO2" not in broken:
            await refuse(context, StatusCode.INVALID_ARGUMENT, "TOOL_ARGUMENTS_INVALID", "no object")
        if not good:
            return ExecuteToolResponse(success=True, result="whatever")
        name, kind = ("seconds", int | float) if request.tool == "wait" else ("text", str)
        if not isinstance(arguments.get(name), kind):
            return ExecuteToolResponse(error=f"{name} is missing")
        if request.dry_run:
            return ExecuteToolResponse(success=True, result="" if "TO8" in broken else "would run")
        if broken & {"D1", "C1", "C2"}:
            await asyncio.sleep(0.02)
        if request.tool == "wait":
            work = asyncio.ensure_future(asyncio.sleep(arguments["seconds"]))
            self.limits.going_on.add(work)
            await (asyncio.shield(work) if "D2" in broken else work)
            return ExecuteToolResponse(success=True, result="waited")
        self.ran += 1
        if "R1" in broken:
            self.limits.kept.append(os.urandom(20_000))
        if "TO5" in broken and not self.ran % 2:
            return ExecuteToolResponse(error="only once")
        if "TO3" in broken:
            return ExecuteToolResponse(result=arguments["text"].upper())
        return ExecuteToolResponse(success=True, result=arguments["text"].upper())

    async def StreamTool(self, request, context):
        limits = self.limits
        if "D3" in self.broken and limits.streams >= 64:
            await context.abort(StatusCode.RESOURCE_EXHAUSTED, "too many streams")
        limits.streams += 1
        yield StreamToolResponse(progress=ToolProgress(message="begun"))
        result = await self.executed(request, context)
        yield StreamToolResponse(result=result)
        if "TO4" in self.broken:
            yield StreamToolResponse(result=result)
        limits.streams -= 1
