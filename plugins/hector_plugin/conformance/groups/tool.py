"""TO: tools."""

import json
import re

from google.protobuf.message import Message
from grpc import StatusCode

from hector.common.v1 import Tool
from hector.plugin.v1 import PLUGIN_KIND_TOOL_PROVIDER as TOOL
from hector.tool.v1 import (
    ExecuteToolRequest,
    ExecuteToolResponse,
    GetToolSchemaRequest,
    ListToolsRequest,
    StreamToolRequest,
    ToolProviderStub,
)
from hector_plugin._json_schema import problems_of_schema
from hector_plugin.conformance.checks import MUST, SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.connected import short
from hector_plugin.conformance.samples import of_another_type, sample_of
from hector_plugin.conformance.stage import Stage
from hector_plugin.conformance.tool_calls import harmless, listed, schema_of

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
NO_OBJECTS = ("{", "[]", "3", '"text"', "null")


@check(
    "TO1",
    MUST,
    "every tool says what a model must know",
    kind=TOOL,
    rule='a name of letters, digits, "_" and "-", at most 64, that no other tool has; a description; '
    "parameters_json is "
    "empty or JSON Schema of an object",
    mend="look at ListTools as it is printed here, and mend the tool that is named",
)
async def what_a_model_must_know(stage: Stage) -> None:
    plugin = await stage.shared()
    tools = await listed(plugin)
    if not tools:
        raise Broken("no tools")
    names = [tool.name for tool in tools]
    if len(set(names)) != len(names):
        raise Broken(f"two tools have the same name: {', '.join(sorted(names))}")
    for tool in tools:
        if not NAME.fullmatch(tool.name):
            raise Broken(f"the name {tool.name!r}")
        if not tool.description.strip():
            raise Broken(f"{tool.name} has no description")
        for field, text in (
            ("parameters_json", tool.parameters_json),
            ("result_schema_json", tool.result_schema_json),
        ):
            _is_schema(tool, field, text)


@check(
    "TO2",
    MUST,
    "arguments are checked before anything is done",
    kind=TOOL,
    rule="arguments that are no JSON object are INVALID_ARGUMENT; ones that lack a required property or have "
    "one of "
    "another type are that too, or an OK response with `error`",
    mend="check parameters_json against the tool's schema first: models do write such things",
)
async def arguments_are_checked(stage: Stage) -> None:
    plugin = await stage.shared()
    for tool in await listed(plugin):
        for written in NO_OBJECTS:
            request = ExecuteToolRequest(tool=tool.name, parameters_json=written)
            found = await plugin.answer(ToolProviderStub, "ExecuteTool", request)
            if found.code is not StatusCode.INVALID_ARGUMENT:
                raise Broken(str(found))
        for arguments in _wrong(tool):
            request = ExecuteToolRequest(tool=tool.name, parameters_json=json.dumps(arguments))
            found = await plugin.answer(ToolProviderStub, "ExecuteTool", request)
            refused = found.code is StatusCode.INVALID_ARGUMENT
            if not refused and not (found.code is StatusCode.OK and found.response.error):
                raise Broken(str(found))


@check(
    "TO3",
    MUST,
    "a call that worked says so",
    kind=TOOL,
    rule="success is true, error is empty, and there is something for the model: result, parts or "
    "structured_json",
    mend="set success; put text into result; put what failed into error and nowhere else",
)
async def says_that_it_worked(stage: Stage) -> None:
    response = await _called(stage)
    if response.error and response.success:
        raise Broken(f"success and an error: {response.error}")
    if response.error:
        raise NotApplicable(
            f"the call that was tried failed ({response.error}): give one that works with `calls`"
        )
    if not response.success:
        raise Broken("neither success nor error")
    if not (response.result or response.parts or response.structured_json):
        raise Broken("nothing for the model")
    for field in ("structured_json", "state_delta_json", "metadata_json"):
        text = getattr(response, field)
        try:
            json.loads(text or "{}")
        except ValueError:
            raise Broken(f"{field} is no JSON") from None


@check(
    "TO4",
    MUST,
    "a streamed call ends in exactly one result",
    kind=TOOL,
    rule="StreamTool is UNIMPLEMENTED, or its last message and no other is the result; it works where "
    "ExecuteTool does",
    mend="send progress and output first, and one `result` at the end",
)
async def streamed(stage: Stage) -> None:
    plugin = await stage.shared()
    call = await _harmless(stage)
    request = StreamToolRequest.FromString(call.SerializeToString())
    found = await plugin.streamed(ToolProviderStub, "StreamTool", request)
    if found.code is StatusCode.UNIMPLEMENTED:
        raise NotApplicable("it leaves StreamTool out")
    if found.code is not StatusCode.OK:
        raise Broken(str(found))
    events = [message.WhichOneof("event") for message in found.response]
    if events.count("result") != 1 or events[-1] != "result":
        raise Broken(f"the messages are {', '.join(map(str, events)) or 'none'}")
    streamed, whole = found.response[-1].result, await _called(stage)
    if (streamed.success, bool(streamed.error)) != (whole.success, bool(whole.error)):
        raise Broken(f"streamed {short(streamed)}, and whole {short(whole)}", "StreamTool, then ExecuteTool")


@check(
    "TO5",
    MUST,
    "what is idempotent can be repeated",
    kind=TOOL,
    rule="a call of a tool that says `idempotent` or `read_only` that worked works again: hosts repeat such "
    "calls after a crash (what it returns may differ, as the time does)",
    mend="take the annotation away, or use the effect id",
)
async def repeated(stage: Stage) -> None:
    plugin = await stage.shared()
    call = await _harmless(stage)
    tool = next(tool for tool in await listed(plugin) if tool.name == call.tool)
    if not (tool.annotations.idempotent or tool.annotations.read_only):
        raise NotApplicable(f"{tool.name} does not say that it is idempotent")
    first, again = await _called(stage), await _called(stage)
    if (first.success, bool(first.error)) != (again.success, bool(again.error)):
        raise Broken(f"first {short(first)}, then {short(again)}", f"{call.tool} twice")


@check(
    "TO6",
    MUST,
    "a tool's schema is what the list says",
    kind=TOOL,
    rule="GetToolSchema returns the same Tool as ListTools",
    mend="answer both from one table",
)
async def schema_is_what_the_list_says(stage: Stage) -> None:
    plugin = await stage.shared()
    for tool in await listed(plugin):
        found = await plugin.call(ToolProviderStub, "GetToolSchema", GetToolSchemaRequest(tool=tool.name))
        if found.tool != tool:
            raise Broken(f"{short(found.tool)}, and in the list {short(tool)}")


@check(
    "TO7",
    SHOULD,
    "the revision stays while the list does",
    kind=TOOL,
    rule="ListToolsResponse.revision is not empty, and changes when the list changes",
    mend="make it a hash of the list",
)
async def revision(stage: Stage) -> None:
    plugin = await stage.shared()
    first = await plugin.call(ToolProviderStub, "ListTools", ListToolsRequest())
    again = await plugin.call(ToolProviderStub, "ListTools", ListToolsRequest())
    if first.revision != again.revision:
        raise Broken(f"{first.revision!r}, then {again.revision!r}")
    if not first.revision:
        raise Broken("it is empty")


@check(
    "TO8",
    SHOULD,
    "a dry run does nothing and says what would happen",
    kind=TOOL,
    rule="with dry_run a good call succeeds with a result, without state_delta_json and artifacts",
    mend="look at dry_run before you do anything; an SDK does it for you",
)
async def dry_run(stage: Stage) -> None:
    plugin = await stage.shared()
    request = ExecuteToolRequest()
    request.CopyFrom(await _harmless(stage))
    request.dry_run = True
    found = await plugin.call(ToolProviderStub, "ExecuteTool", request)
    if not found.success or not found.result or found.state_delta_json or found.artifacts:
        raise Broken(short(found))


def _is_schema(tool: Tool, field: str, text: str) -> None:
    if not text:
        return
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Broken(f"{field} of {tool.name} is no JSON: {error}") from None
    if wrong := problems_of_schema(schema):
        raise Broken(f"{field} of {tool.name}: {wrong[0]}")
    if field == "parameters_json" and (not isinstance(schema, dict) or schema.get("type") != "object"):
        raise Broken(f"{field} of {tool.name} is not of an object (type: object)")


def _wrong(tool: Tool) -> list[dict[str, object]]:
    """Give arguments that lack one that is required, and some of which one has another type."""
    schema = schema_of(tool)
    good = sample_of(schema)
    if not isinstance(good, dict):
        return []
    required = list(schema.get("required", ()))
    found = [{key: value for key, value in good.items() if key != name} for name in required]
    for name, below in schema.get("properties", {}).items():
        other = of_another_type(below)
        if other is not None:
            found.append({**good, name: other})
    return found


async def _harmless(stage: Stage) -> ExecuteToolRequest:
    found = await harmless(await stage.shared(), stage.subject)
    if found is None:
        raise NotApplicable(
            "no tool says read_only: name one that may be called, with its arguments, in `calls`"
        )
    return found


async def _called(stage: Stage) -> ExecuteToolResponse:
    plugin = await stage.shared()
    request: Message = await _harmless(stage)
    response: ExecuteToolResponse = await plugin.call(ToolProviderStub, "ExecuteTool", request)
    return response
