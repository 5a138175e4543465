"""What a plugin says about itself, derived from the servicers it serves."""

from collections.abc import Iterable, Mapping
from typing import Any

import grpc

from hector.plugin.v1 import (
    PLUGIN_KIND_AGENT,
    PLUGIN_KIND_DATABASE_PROVIDER,
    PLUGIN_KIND_DOCUMENT_PARSER,
    PLUGIN_KIND_EMBEDDER_PROVIDER,
    PLUGIN_KIND_GUARDRAIL,
    PLUGIN_KIND_LLM_PROVIDER,
    PLUGIN_KIND_REASONING_STRATEGY,
    PLUGIN_KIND_TOOL_PROVIDER,
    Component,
    ConfigureRequest,
    ConfigureResponse,
    GetInfoRequest,
    GetInfoResponse,
    PluginKind,
    PluginServicer,
    ShutdownRequest,
    ShutdownResponse,
    ValidateConfigRequest,
    ValidateConfigResponse,
)
from hector_mesh import Context, Server

from ._contract import Contract
from ._ending import Ending

KINDS: Mapping[str, "PluginKind.ValueType"] = {
    "hector.agent.v1.AgentProvider": PLUGIN_KIND_AGENT,
    "hector.document.v1.DocumentParser": PLUGIN_KIND_DOCUMENT_PARSER,
    "hector.embedder.v1.EmbedderProvider": PLUGIN_KIND_EMBEDDER_PROVIDER,
    "hector.guardrail.v1.Guardrail": PLUGIN_KIND_GUARDRAIL,
    "hector.llm.v1.LLMProvider": PLUGIN_KIND_LLM_PROVIDER,
    "hector.reasoning.v1.ReasoningStrategy": PLUGIN_KIND_REASONING_STRATEGY,
    "hector.tool.v1.ToolProvider": PLUGIN_KIND_TOOL_PROVIDER,
    "hector.vector.v1.DatabaseProvider": PLUGIN_KIND_DATABASE_PROVIDER,
}


class Identity(PluginServicer):
    """Serves hector.plugin.v1.Plugin for a plugin that has nothing to configure."""

    def __init__(self, name: str, version: str, contracts: Iterable[Contract], end: Ending) -> None:
        self._end = end
        components = [
            Component(kind=KINDS[contract.service], service=contract.service, rpcs=contract.rpcs)
            for contract in contracts
            if contract.service in KINDS
        ]
        self._info = GetInfoResponse(name=name, version=version, components=components, reconfigurable=True)

    async def GetInfo(self, request: GetInfoRequest, context: Context) -> GetInfoResponse:
        return self._info

    async def ValidateConfig(
        self, request: ValidateConfigRequest, context: Context
    ) -> ValidateConfigResponse:
        return ValidateConfigResponse()

    async def Configure(self, request: ConfigureRequest, context: Context) -> ConfigureResponse:
        return ConfigureResponse()

    async def Shutdown(self, request: ShutdownRequest, context: Context) -> ShutdownResponse:
        self._end.ask(grace_s=request.grace_s)
        return ShutdownResponse()


def add_go_plugin_controller(server: Server, end: Ending) -> None:
    """Serve go-plugin's own way to end a plugin, for hosts that know no other; its messages are empty."""

    async def shutdown(request: bytes, context: Any) -> bytes:
        end.ask()
        return b""

    handlers: dict[str, Any] = {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("plugin.GRPCController", handlers),)
    )
    server.add_registered_method_handlers("plugin.GRPCController", handlers)
