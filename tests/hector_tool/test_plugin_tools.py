"""Tools of plugins: what a model is told when one is stopped."""

from typing import Any, cast

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from hector.tool.v1 import ExecuteToolRequest, StreamToolRequest
from hector_config.plugin_word import PluginWord
from hector_mesh import Mesh
from hector_plugin_host.call_errors import PluginTimedOut, as_rpc_error
from hector_tool.config import ToolConfig
from hector_tool.plugin import PluginTools

SLOW = ExecuteToolRequest(tool="slow")


class FailingPlugin:
    """A channel, and the mesh that gives it: each call of it fails in the same way."""

    def __init__(self, error: AioRpcError) -> None:
        self._error = error

    def plugin(self, name: str, instance: str) -> "FailingPlugin":
        return self

    def unary_unary(self, method: str, *coders: object, **more: object) -> Any:
        async def call(request: object, timeout: float) -> None:
            raise self._error

        return call

    def unary_stream(self, method: str, *coders: object, **more: object) -> Any:
        def call(request: object, timeout: float) -> "FailingStream":
            return FailingStream(self._error)

        return call


class FailingStream:
    def __init__(self, error: AioRpcError) -> None:
        self._error = error

    def __aiter__(self) -> "FailingStream":
        return self

    async def __anext__(self) -> None:
        raise self._error

    def cancel(self) -> bool:
        return True


def tools(error: AioRpcError) -> PluginTools:
    config = ToolConfig.model_validate({"type": "plugin:slow", "config": {"tool_name": "slow"}})
    mesh = cast(Mesh, FailingPlugin(error))
    return PluginTools("slow", config, PluginWord("slow", ""), mesh)


def timed_out(limit_s: float, *, by_security: bool) -> AioRpcError:
    return as_rpc_error(PluginTimedOut("slow", "ExecuteTool", limit_s, by_security=by_security))


@pytest.mark.parametrize(("limit_s", "by_security"), [(12.0, True), (30.0, False)])
async def test_a_tool_that_was_stopped_says_after_what_time_it_really_was(
    limit_s: float, *, by_security: bool
) -> None:
    slow = tools(timed_out(limit_s, by_security=by_security))
    said = await slow.ExecuteTool(SLOW, cast(Any, None))
    assert (said.success, said.error) == (False, f"slow was stopped after {limit_s:g} s.")
    (last,) = [one async for one in slow.StreamTool(StreamToolRequest(tool="slow"), cast(Any, None))]
    assert last.result.error == f"slow was stopped after {limit_s:g} s."


async def test_a_plugin_that_says_itself_that_something_was_late_is_not_said_to_have_been_stopped() -> None:
    own = AioRpcError(StatusCode.DEADLINE_EXCEEDED, Metadata(), Metadata(), "the vendor did not answer")
    with pytest.raises(AioRpcError, match="the vendor did not answer"):
        await tools(own).ExecuteTool(SLOW, cast(Any, None))
