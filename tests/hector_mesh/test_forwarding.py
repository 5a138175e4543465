"""Contract: a plugin stands where a built-in could: calls, streams, errors and cancellation pass through."""

import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from support.mesh import MeshUnderTest

from hector.tool.v1 import (
    ExecuteToolRequest,
    ExecuteToolResponse,
    GetToolSchemaRequest,
    StreamToolRequest,
    StreamToolResponse,
    ToolProgress,
    ToolProviderServicer,
    ToolProviderStub,
    add_ToolProviderServicer_to_server,
)
from hector_mesh import (
    Call,
    HectorError,
    LocalChannel,
    LocalServer,
    Mesh,
    Principal,
    current_call,
    forwarding,
    info_of,
    scope,
    streaming,
)

EVE = Call(principal=Principal("eve", frozenset({"user"})), request_id="r-1", instance="tools.shout")


class Refused(HectorError):
    code, reason = StatusCode.PERMISSION_DENIED, "TOOL_DENIED"


class Plugin(ToolProviderServicer):
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.left = asyncio.Event()

    async def ExecuteTool(self, request, context):
        self.calls.append(current_call.get())
        if request.tool == "no":
            raise Refused("not this one", tool="no")
        return ExecuteToolResponse(result=request.tool.upper())

    async def StreamTool(self, request, context):
        try:
            while True:
                yield StreamToolResponse(progress=ToolProgress(message=request.tool))
        finally:
            self.left.set()


@pytest.fixture
def plugin() -> Plugin:
    return Plugin()


@pytest.fixture
async def stub(mesh_under_test: MeshUnderTest, plugin: Plugin) -> ToolProviderStub:
    """The tools of a room that forwards to a plugin on the mesh under test."""
    await mesh_under_test.serve(lambda server: add_ToolProviderServicer_to_server(plugin, server))
    plugins = {"up": mesh_under_test.mesh.channel("hector.tool.v1.ToolProvider")}
    asked = ToolProviderStub(Mesh({}, plugins=plugins).plugin("up", "tools.shout"))
    return served(forwarding(ToolProviderServicer, asked))


def served(servicer: ToolProviderServicer) -> ToolProviderStub:
    server = LocalServer()
    add_ToolProviderServicer_to_server(servicer, server)
    return ToolProviderStub(Mesh({"hector.tool.v1.ToolProvider": LocalChannel(server)}))


async def test_a_call_is_handed_on_with_who_asks_and_the_entry_that_it_is_for(
    stub: ToolProviderStub, plugin: Plugin
) -> None:
    with scope(EVE):
        answer = await stub.ExecuteTool(ExecuteToolRequest(tool="abc"))
    assert answer.result == "ABC"
    (call,) = plugin.calls
    assert (call.principal, call.request_id, call.instance) == (EVE.principal, "r-1", "tools.shout")


async def test_a_failure_keeps_its_status_and_its_details(stub: ToolProviderStub) -> None:
    with pytest.raises(AioRpcError) as failure:
        await stub.ExecuteTool(ExecuteToolRequest(tool="no"))
    assert failure.value.code() is StatusCode.PERMISSION_DENIED
    info = info_of(failure.value)
    assert (info.reason, info.metadata["tool"]) == ("TOOL_DENIED", "no")


async def test_what_the_plugin_leaves_out_is_not_implemented(stub: ToolProviderStub) -> None:
    with pytest.raises(AioRpcError) as failure:
        await stub.GetToolSchema(GetToolSchemaRequest(tool="abc"))
    assert failure.value.code() is StatusCode.UNIMPLEMENTED


async def test_a_stream_ends_in_the_plugin_when_nobody_reads_it_any_more(
    stub: ToolProviderStub, plugin: Plugin
) -> None:
    async with streaming(stub.StreamTool(StreamToolRequest(tool="abc"))) as pieces:
        async for _ in pieces:
            break
    async with asyncio.timeout(10):
        await plugin.left.wait()


async def test_a_plugin_that_is_not_there_is_named_with_those_that_are() -> None:
    mesh = Mesh({}, plugins={"up": LocalChannel(LocalServer())})
    stub = served(forwarding(ToolProviderServicer, ToolProviderStub(mesh.plugin("upp", "tools.shout"))))
    with pytest.raises(AioRpcError, match=r"no plugin 'upp' runs in this process \(here: up\)"):
        await stub.ExecuteTool(ExecuteToolRequest(tool="abc"))


async def test_a_plugin_that_comes_later_is_found_by_those_who_were_there_before() -> None:
    plugins: dict[str, LocalChannel] = {}
    stub = served(
        forwarding(ToolProviderServicer, ToolProviderStub(Mesh({}, plugins=plugins).plugin("up", "t")))
    )
    server = LocalServer()
    add_ToolProviderServicer_to_server(Plugin(), server)
    plugins["up"] = LocalChannel(server)
    assert (await stub.ExecuteTool(ExecuteToolRequest(tool="abc"))).result == "ABC"
