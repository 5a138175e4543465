"""Which calls may be made once more where nobody knows what became of them."""

from typing import Any

from grpc.aio import AioRpcError

from hector.common.v1 import Tool
from hector.tool.v1 import ExecuteToolRequest, ListToolsRequest, ToolProviderStub

_RPCS = {
    "hector.agent.v1.AgentProvider": ("DescribeAgents",),
    "hector.document.v1.DocumentParser": (
        "GetSupportedExtensions",
        "ParseDocument",
        "StreamParseDocument",
    ),
    "hector.embedder.v1.EmbedderProvider": ("EmbedBatch", "EmbedText", "GetDimensions"),
    "hector.guardrail.v1.Guardrail": ("CheckContent", "GetGuardrailInfo"),
    "hector.llm.v1.LLMProvider": ("CountTokens", "ListModels"),
    "hector.plugin.v1.Plugin": ("CollectMetrics", "GetInfo", "ValidateConfig"),
    # A strategy only decides, and its state travels with the call.
    "hector.reasoning.v1.ReasoningStrategy": ("Finalize", "Initialize", "ProcessIteration"),
    "hector.tool.v1.ToolProvider": ("GetToolSchema", "ListTools"),
    "hector.vector.v1.DatabaseProvider": (
        "CreateCollection",
        "DeleteCollection",
        "DeleteVectors",
        "GetVectors",
        "ListCollections",
        "ScanVectors",
        "SearchVectors",
        "UpsertVectors",
    ),
}
METHODS = frozenset(f"/{service}/{rpc}" for service, rpcs in _RPCS.items() for rpc in rpcs)
"""Rpcs that come to the same however often they are called; the contracts say so."""

EXECUTE_TOOL = "/hector.tool.v1.ToolProvider/ExecuteTool"
LIST_S = 5.0


async def tool_may_repeat(channel: Any, metadata: Any, wire: bytes) -> bool:
    """Say whether the tool that a request calls may be called twice, as its provider says of it."""
    request = ExecuteToolRequest.FromString(wire)
    try:
        listed = await ToolProviderStub(channel).ListTools(
            ListToolsRequest(), metadata=metadata, timeout=LIST_S
        )
    except AioRpcError:
        return False
    return any(_may_repeat(tool) for tool in listed.tools if tool.name == request.tool)


def _may_repeat(tool: Tool) -> bool:
    return tool.annotations.idempotent or tool.annotations.read_only
