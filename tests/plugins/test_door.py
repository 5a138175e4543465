"""Contract: how a plugin of any language is started, and whom it lets in."""

from collections.abc import Callable
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from support.plugin_process import launched, started

from hector.plugin.v1 import ConfigureRequest, PluginStub
from hector.tool.v1 import ExecuteToolRequest, ListToolsRequest, ToolProviderStub
from hector_mesh import wire_channel

pytestmark = pytest.mark.timeout(1300)
"""Whoever comes first may have to build."""

Example = Callable[[str], tuple[str, ...]]


async def test_started_by_hand_a_plugin_says_what_it_is_and_leaves(example: Example) -> None:
    async with launched(example("tool"), HECTOR_PLUGIN="") as plugin:
        assert await plugin.left() not in (0, 78)
        assert plugin.process.stdout is not None
        assert await plugin.process.stdout.read() == b""
    assert "this is a plugin" in "".join(plugin.printed)


async def test_a_host_of_other_versions_is_told_to_try_no_more(example: Example) -> None:
    async with launched(example("tool"), PLUGIN_PROTOCOL_VERSIONS="7,8") as plugin:
        assert await plugin.left() == 78
    assert "7,8" in "".join(plugin.printed).replace(", ", ",")


@pytest.mark.parametrize("service", ["", "plugin", "hector.tool.v1.ToolProvider"])
async def test_what_can_be_called_is_healthy(example: Example, service: str) -> None:
    async with started(example("tool")) as plugin:
        assert await plugin.health(service)


@pytest.mark.parametrize("token", [None, "another"])
async def test_who_does_not_show_the_token_is_refused(example: Example, token: str | None) -> None:
    async with (
        started(example("tool")) as plugin,
        wire_channel(plugin.target, token=token, token_header="hector-token") as stranger,
    ):
        with pytest.raises(AioRpcError) as refused:
            await ToolProviderStub(stranger).ListTools(ListToolsRequest())
        assert refused.value.code() == StatusCode.UNAUTHENTICATED
        with pytest.raises(AioRpcError) as refused:
            await PluginStub(stranger).Configure(ConfigureRequest())
        assert refused.value.code() == StatusCode.UNAUTHENTICATED


async def test_without_a_host_a_plugin_listens_where_it_is_told(example: Example, tmp_path: Path) -> None:
    variables = {"HECTOR_PLUGIN": "", "HECTOR_PLUGIN_TOKEN": "", "HECTOR_STDIN_WATCH": ""}
    async with launched(example("tool"), "--standalone", "127.0.0.1:0", **variables) as plugin:
        address = await plugin.said(r"127\.0\.0\.1:[1-9]\d*")
        async with wire_channel(address) as channel:
            call = ExecuteToolRequest(tool="upper", parameters_json='{"text": "a"}')
            assert (await ToolProviderStub(channel).ExecuteTool(call)).result == "A"


async def test_what_is_too_large_is_refused_and_the_plugin_lives_on(example: Example) -> None:
    async with started(example("tool")) as plugin:
        tools = ToolProviderStub(plugin.channel)
        with pytest.raises(AioRpcError) as refused:
            await tools.ExecuteTool(ExecuteToolRequest(tool="x" * (65 << 20)))
        assert refused.value.code() == StatusCode.RESOURCE_EXHAUSTED
        assert len((await tools.ListTools(ListToolsRequest())).tools) == 2
