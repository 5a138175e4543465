"""Contract: how a plugin of any language ends, and what its host reads of it meanwhile."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from support.plugin_process import Plugin, started

from hector.plugin.v1 import ConfigureRequest, PluginStub, ShutdownRequest
from hector.tool.v1 import ExecuteToolRequest, ListToolsRequest, StreamToolRequest, ToolProviderStub

pytestmark = pytest.mark.timeout(1300)
"""Whoever comes first may have to build."""

Example = Callable[[str], tuple[str, ...]]


async def by_rpc(plugin: Plugin) -> None:
    await PluginStub(plugin.channel).Shutdown(ShutdownRequest(grace_s=30))


async def by_go_plugins_rpc(plugin: Plugin) -> None:
    shutdown = plugin.channel.unary_unary("/plugin.GRPCController/Shutdown")
    await shutdown(b"")


async def by_signal(plugin: Plugin) -> None:
    plugin.process.send_signal(signal.SIGTERM)


async def by_end_of_stdin(plugin: Plugin) -> None:
    assert plugin.process.stdin is not None
    plugin.process.stdin.close()


WAYS = [by_rpc, by_go_plugins_rpc, by_signal, by_end_of_stdin]


@pytest.mark.parametrize("ask", WAYS, ids=[way.__name__ for way in WAYS])
async def test_a_plugin_that_is_to_end_finishes_what_it_is_at(
    example: Example, ask: Callable[[Plugin], Awaitable[None]]
) -> None:
    async with started(example("tool"), HECTOR_DRAIN_S="30") as plugin:
        stub = ToolProviderStub(plugin.channel)
        call = stub.StreamTool(StreamToolRequest(tool="wait", parameters_json='{"seconds": 1}'))
        assert (await call.read()).progress.message == "waiting"
        await ask(plugin)
        assert (await call.read()).result.result == "waited"
        assert await plugin.left() == 0
        with pytest.raises(AioRpcError) as refused:
            await stub.ListTools(ListToolsRequest())
        assert refused.value.code() == StatusCode.UNAVAILABLE
        assert list(plugin.folder.glob("*.sock")) == []


async def test_a_call_that_takes_too_long_does_not_keep_a_plugin(example: Example) -> None:
    async with started(example("tool"), HECTOR_DRAIN_S="0.2") as plugin:
        stub = ToolProviderStub(plugin.channel)
        call = stub.StreamTool(StreamToolRequest(tool="wait", parameters_json='{"seconds": 3600}'))
        await call.read()
        began = time.monotonic()
        await by_signal(plugin)
        assert await plugin.left() == 0
        assert time.monotonic() - began < 15
        with pytest.raises(AioRpcError):
            await call.read()


async def test_a_watcher_of_its_health_does_not_keep_a_plugin(example: Example) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    async with started(example("tool"), HECTOR_DRAIN_S="40") as plugin:
        watching = health_pb2_grpc.HealthStub(plugin.channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
        began = time.monotonic()
        await by_signal(plugin)
        assert await plugin.left() == 0
        assert time.monotonic() - began < 20


async def test_ctrl_c_is_for_the_host(example: Example) -> None:
    async with started(example("tool")) as plugin:
        plugin.process.send_signal(signal.SIGINT)
        await asyncio.sleep(0.2)
        listed = await ToolProviderStub(plugin.channel).ListTools(ListToolsRequest())
        assert len(listed.tools) == 2


async def test_what_a_plugin_logs_is_json(example: Example) -> None:
    async with started(example("tool")) as plugin:
        await PluginStub(plugin.channel).Configure(ConfigureRequest(config_json='{"suffix": "geheim"}'))
        await plugin.said('"configured"')
        serving = next(line for line in plugin.logged if line["@message"] == "serving")
    assert serving["@level"] == "debug"
    assert serving["@module"]
    assert serving["@timestamp"]
    assert plugin.target.removeprefix("unix:") in serving["address"]
    assert "geheim" not in "".join(plugin.printed)


async def test_at_its_usual_level_a_plugin_says_nothing(example: Example) -> None:
    async with started(example("tool"), HECTOR_LOG_LEVEL="info") as plugin:
        upper = ExecuteToolRequest(tool="upper", parameters_json='{"text": "a"}')
        await ToolProviderStub(plugin.channel).ExecuteTool(upper)
        await by_signal(plugin)
        assert await plugin.left() == 0
    assert plugin.printed == []
