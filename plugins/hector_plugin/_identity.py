"""What a plugin says about itself, derived from the servicers it serves, and how it is configured."""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
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
    CollectMetricsRequest,
    CollectMetricsResponse,
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

from ._config import Config
from ._contract import Contract
from ._ending import Ending
from ._host import Host
from .errors import PluginError

log = logging.getLogger(__package__)

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


class NoMetrics(PluginError):
    """The plugin has no metrics of its own."""

    code = grpc.StatusCode.UNIMPLEMENTED
    reason = "UNIMPLEMENTED"


@dataclass(frozen=True, slots=True)
class About:
    """What an author says of a plugin."""

    name: str
    version: str = "0.0.0"
    vendor: str = ""
    license: str = ""
    documentation_url: str = ""
    max_concurrency: int = 0
    metrics: Callable[[], str | Awaitable[str]] | None = None
    """Returns Prometheus's text format."""


class Identity(PluginServicer):
    """Serves hector.plugin.v1.Plugin."""

    def __init__(
        self,
        about: About,
        contracts: Iterable[Contract],
        config: Config[Any],
        end: Ending,
        host: Host,
        token: str | None = None,
    ) -> None:
        self._end, self._config, self._host, self._token = end, config, host, token
        self._metrics = about.metrics
        components = [
            Component(kind=KINDS[contract.service], service=contract.service, rpcs=contract.rpcs)
            for contract in contracts
            if contract.service in KINDS
        ]
        self._info = GetInfoResponse(
            name=about.name,
            version=about.version,
            components=components,
            config_schema_json=json.dumps(config.schema, separators=(",", ":")),
            max_concurrency=about.max_concurrency,
            max_message_bytes=64 * 1024 * 1024,
            reconfigurable=True,
            vendor=about.vendor,
            license=about.license,
            documentation_url=about.documentation_url,
        )

    async def GetInfo(self, request: GetInfoRequest, context: Context) -> GetInfoResponse:
        return self._info

    async def ValidateConfig(
        self, request: ValidateConfigRequest, context: Context
    ) -> ValidateConfigResponse:
        return ValidateConfigResponse(diagnostics=self._config.check(request.config_json, request.instances))

    async def Configure(self, request: ConfigureRequest, context: Context) -> ConfigureResponse:
        wrong = self._config.check(request.config_json, request.instances)
        if not wrong:
            # What is opened may ask the host already.
            await self._host.reach(request.host_target, self._token)
            wrong = await self._config.take(request.config_json, request.instances)
        log.debug("configured" if not wrong else "configuration was refused", extra={"problems": len(wrong)})
        return ConfigureResponse(diagnostics=wrong)

    async def CollectMetrics(
        self, request: CollectMetricsRequest, context: Context
    ) -> CollectMetricsResponse:
        if self._metrics is None:
            raise NoMetrics("this plugin has no metrics of its own")
        text = self._metrics()
        if isawaitable(text):
            text = await text
        return CollectMetricsResponse(prometheus_text=text.encode())

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
