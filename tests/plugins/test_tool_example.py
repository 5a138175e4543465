"""Contract: what plugins/examples/README.md says of the tool plugin, in every language."""

import asyncio
import json
import time
from collections.abc import Callable

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from support.plugin_process import started
from support.refused import refusal

from hector.plugin.v1 import (
    PLUGIN_KIND_TOOL_PROVIDER,
    ConfigureRequest,
    Diagnostic,
    GetInfoRequest,
    PluginStub,
    ValidateConfigRequest,
)
from hector.tool.v1 import (
    ExecuteToolRequest,
    GetToolSchemaRequest,
    ListToolsRequest,
    StreamToolRequest,
    ToolProviderStub,
)

pytestmark = pytest.mark.timeout(1300)
"""Whoever comes first may have to build."""

Example = Callable[[str], tuple[str, ...]]

PARAMETERS = {
    "upper": ("text", "string", "The text."),
    "wait": ("seconds", "number", "How long."),
}
REFUSED = {"[]": "", "{": "", '{"suffix": 1}': "/suffix", '{"surprise": 1}': "/surprise"}
"""Configurations, and the place of what is wrong with each."""
UPPER = ExecuteToolRequest(tool="upper", parameters_json='{"text": "straße"}')


def execute(tool: str, **arguments: object) -> ExecuteToolRequest:
    return ExecuteToolRequest(tool=tool, parameters_json=json.dumps(arguments))


async def test_the_plugin_says_what_it_is(example: Example) -> None:
    async with started(example("tool")) as plugin:
        info = await PluginStub(plugin.channel).GetInfo(GetInfoRequest(host_name="hector"))
    assert (info.name, info.version, info.reconfigurable) == ("example-tool", "1.0.0", True)
    (component,) = info.components
    assert component.kind == PLUGIN_KIND_TOOL_PROVIDER
    assert component.service == "hector.tool.v1.ToolProvider"
    assert sorted(component.rpcs) == ["ExecuteTool", "GetToolSchema", "ListTools", "StreamTool"]
    schema = json.loads(info.config_schema_json)
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert schema["properties"]["suffix"]["type"] == "string"


async def test_its_tools_are_listed_with_their_schemas(example: Example) -> None:
    async with started(example("tool")) as plugin:
        stub = ToolProviderStub(plugin.channel)
        listed = await stub.ListTools(ListToolsRequest())
        again = await stub.ListTools(ListToolsRequest())
        assert [tool.name for tool in listed.tools] == ["upper", "wait"]
        assert listed.revision
        assert listed == again
        for tool in listed.tools:
            name, kind, description = PARAMETERS[tool.name]
            assert json.loads(tool.parameters_json) == {
                "type": "object",
                "properties": {name: {"type": kind, "description": description}},
                "required": [name],
                "additionalProperties": False,
            }
            assert (tool.annotations.read_only, tool.annotations.idempotent) == (True, True)
            assert (await stub.GetToolSchema(GetToolSchemaRequest(tool=tool.name))).tool == tool
    descriptions = [tool.description for tool in listed.tools]
    assert descriptions == ["Turns a text into upper case.", "Waits for some seconds."]


async def test_the_suffix_is_configured_and_what_is_refused_changes_nothing(example: Example) -> None:
    async with started(example("tool")) as plugin:
        host, tools = PluginStub(plugin.channel), ToolProviderStub(plugin.channel)
        before = await tools.ExecuteTool(UPPER)
        assert (before.success, before.result, before.error) == (True, "STRASSE", "")
        assert not (await host.Configure(ConfigureRequest(config_json='{"suffix": "!"}'))).diagnostics
        assert (await tools.ExecuteTool(UPPER)).result == "STRASSE!"
        for wrong, path in (
            ("[]", ""),
            ("{", ""),
            ('{"suffix": 1}', "/suffix"),
            ('{"surprise": 1}', "/surprise"),
        ):
            checked = await host.ValidateConfig(ValidateConfigRequest(config_json=wrong))
            refused = await host.Configure(ConfigureRequest(config_json=wrong))
            for (problem,) in (checked.diagnostics, refused.diagnostics):
                assert (problem.severity, problem.path) == (Diagnostic.SEVERITY_ERROR, path), wrong
        assert (await tools.ExecuteTool(UPPER)).result == "STRASSE!"
        assert not (await host.Configure(ConfigureRequest())).diagnostics
        assert (await tools.ExecuteTool(UPPER)).result == "STRASSE"


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "streamed"])
async def test_wrong_arguments_and_unknown_tools_are_refused(example: Example, stream: bool) -> None:
    async with started(example("tool")) as plugin:
        stub = ToolProviderStub(plugin.channel)

        async def refused(tool: str, parameters_json: str) -> tuple[StatusCode, str]:
            if stream:
                call = stub.StreamTool(StreamToolRequest(tool=tool, parameters_json=parameters_json))
            else:
                call = stub.ExecuteTool(ExecuteToolRequest(tool=tool, parameters_json=parameters_json))
            said = await refusal(call)
            assert said.domain in ("hector.plugin", "hector")
            assert said.message
            return said.code, said.reason

        wrong = ["[1]", "{", "", '{"text": 1}', '{"text": "a", "more": 1}', "null"]
        for arguments in wrong:
            why = await refused("upper", arguments)
            assert why == (StatusCode.INVALID_ARGUMENT, "TOOL_ARGUMENTS_INVALID"), arguments
        assert (await refused("wait", '{"seconds": true}'))[1] == "TOOL_ARGUMENTS_INVALID"
        assert await refused("lower", "{}") == (StatusCode.NOT_FOUND, "TOOL_NOT_FOUND")
        unknown = await refusal(stub.GetToolSchema(GetToolSchemaRequest(tool="lower")))
        assert (unknown.code, unknown.reason) == (StatusCode.NOT_FOUND, "TOOL_NOT_FOUND")


async def test_a_tool_that_fails_tells_the_model(example: Example) -> None:
    async with started(example("tool")) as plugin:
        answer = await ToolProviderStub(plugin.channel).ExecuteTool(execute("wait", seconds=-1))
    assert (answer.success, answer.error) == (False, "seconds must not be negative")


async def test_a_dry_run_does_nothing(example: Example) -> None:
    async with started(example("tool")) as plugin:
        call = execute("wait", seconds=3600)
        call.dry_run = True
        answer = await ToolProviderStub(plugin.channel).ExecuteTool(call, timeout=10)
    assert (answer.success, answer.result) == (True, "would run wait")


async def test_who_watches_sees_progress_and_then_one_result(example: Example) -> None:
    async with started(example("tool")) as plugin:
        stub = ToolProviderStub(plugin.channel)
        call = StreamToolRequest(tool="wait", parameters_json='{"seconds": 0.05}')
        waiting, result = [event async for event in stub.StreamTool(call)]
        shown = waiting.progress
        assert (shown.progress, shown.total, shown.message) == (0, 0.05, "waiting")
        assert (result.result.success, result.result.result) == (True, "waited")
        call = StreamToolRequest(tool="upper", parameters_json=UPPER.parameters_json)
        (result,) = [event async for event in stub.StreamTool(call)]
        assert result.result.result == "STRASSE"


async def test_waiting_ends_with_its_call(example: Example) -> None:
    async with started(example("tool")) as plugin:
        stub = ToolProviderStub(plugin.channel)
        began = time.monotonic()
        with pytest.raises(AioRpcError) as late:
            await stub.ExecuteTool(execute("wait", seconds=3600), timeout=0.2)
        assert late.value.code() == StatusCode.DEADLINE_EXCEEDED
        call = stub.StreamTool(StreamToolRequest(tool="wait", parameters_json='{"seconds": 3600}'))
        await call.read()
        call.cancel()
        plugin.process.terminate()  # and nothing is left that the plugin would have to wait for
        assert await plugin.left() == 0
        assert time.monotonic() - began < 30


async def test_calls_run_side_by_side(example: Example) -> None:
    async with started(example("tool")) as plugin:
        stub = ToolProviderStub(plugin.channel)
        waits = [stub.ExecuteTool(execute("wait", seconds=1)) for _ in range(64)]
        answers = await asyncio.wait_for(asyncio.gather(*waits), 30)  # one after the other it would be 64 s
    assert {answer.result for answer in answers} == {"waited"}
