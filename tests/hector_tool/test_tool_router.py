"""The router: which tools there are, who gets a call, and what is said about one that fits nowhere."""

import asyncio
import json

import grpc
import pytest
from grpc import StatusCode

from hector.common.v1 import Tool
from hector.tool.v1 import (
    ExecuteToolRequest,
    ListToolsRequest,
    ListToolsResponse,
    ToolProviderServicer,
    ToolProviderStub,
    add_ToolProviderServicer_to_server,
)
from hector_mesh import Generations, info_of
from hector_tool.router import ToolRouter


async def test_every_tool_names_the_entry_it_came_from(every):
    listed = (await every.ListTools(ListToolsRequest())).tools
    assert [(tool.name, tool.instance) for tool in listed] == [
        ("grep_search", "tools.grep_search"),
        ("read_file", "tools.read_file"),
        ("search", "tools.search"),
        ("todo_write", "tools.todo_write"),
    ]


async def test_an_entry_is_listed_alone_when_the_call_is_for_it(every, mesh_under_test):
    one = ToolProviderStub(mesh_under_test.mesh.at("tools.search"))
    listed = (await one.ListTools(ListToolsRequest())).tools
    assert [tool.name for tool in listed] == ["search"]


async def test_an_entry_that_is_switched_off_is_not_there(serve):
    tools = await serve({"search": {"enabled": False}, "todo_write": {}})
    listed = (await tools.ListTools(ListToolsRequest())).tools
    assert [tool.name for tool in listed] == ["todo_write"]
    with pytest.raises(grpc.aio.AioRpcError, match="there are: todo_write"):
        await tools.ExecuteTool(ExecuteToolRequest(tool="search"))


async def test_pages_hold_the_whole_list_once(every):
    names, token = [], ""
    for _ in range(4):
        page = await every.ListTools(ListToolsRequest(page_size=1, page_token=token))
        names += [tool.name for tool in page.tools]
        token = page.next_page_token
    assert names == ["grep_search", "read_file", "search", "todo_write"]
    assert token == ""


async def test_two_entries_of_one_tool_have_a_folder_each(serve, project, call):
    tools = await serve(
        {
            "read_docs": {"type": "read_file", "working_directory": "docs"},
            "read_all": {"type": "function", "handler": "read_file"},
        }
    )
    assert "gamma" in (await call(tools, "read_docs", path="guide.md")).result
    assert "gamma" in (await call(tools, "read_all", path="docs/guide.md")).result
    assert not (await call(tools, "read_all", path="guide.md")).success


async def test_an_instance_that_is_not_configured_names_those_that_are(every, mesh_under_test):
    absent = ToolProviderStub(mesh_under_test.mesh.at("tools.absent"))
    with pytest.raises(grpc.aio.AioRpcError, match=r"tools\.grep_search, tools\.read_file") as failed:
        await absent.ExecuteTool(ExecuteToolRequest(tool="search"))
    assert failed.value.code() is StatusCode.NOT_FOUND
    assert info_of(failed.value).reason == "TOOL_NOT_FOUND"


async def test_an_entry_runs_no_tool_but_its_own(every, mesh_under_test):
    todo = ToolProviderStub(mesh_under_test.mesh.at("tools.todo_write"))
    with pytest.raises(grpc.aio.AioRpcError, match="no tool named 'read_file'; there are: todo_write"):
        await todo.ExecuteTool(ExecuteToolRequest(tool="read_file", parameters_json='{"path": "readme.md"}'))


async def test_without_tools_in_the_configuration_there_is_the_to_do_list(serve):
    listed = (await (await serve(None)).ListTools(ListToolsRequest())).tools
    assert [tool.name for tool in listed] == ["todo_write"]


async def test_no_tools_means_none(serve):
    assert not (await (await serve({})).ListTools(ListToolsRequest())).tools


async def test_what_the_operator_says_about_a_tool_reaches_the_model(serve):
    tools = await serve(
        {"search": {"description": "Ask the handbook.", "require_approval": True, "timeout": "5s"}}
    )
    (tool,) = (await tools.ListTools(ListToolsRequest())).tools
    assert tool.description == "Ask the handbook."
    assert tool.annotations.requires_approval
    assert tool.timeout_s == 5


async def test_annotations_tell_what_changes_something(every):
    listed = {tool.name: tool for tool in (await every.ListTools(ListToolsRequest())).tools}
    assert {name for name, tool in listed.items() if tool.annotations.read_only} == {
        "grep_search", "read_file", "search",
    }  # fmt: skip
    assert not any(tool.annotations.destructive or tool.annotations.open_world for tool in listed.values())
    assert listed["todo_write"].state_keys == ["todos"]


async def test_schemas_are_flat_and_say_everything(every):
    for tool in (await every.ListTools(ListToolsRequest())).tools:
        schema = json.loads(tool.parameters_json)
        assert "$ref" not in tool.parameters_json
        assert "anyOf" not in tool.parameters_json
        assert schema["additionalProperties"] is False
        assert all(argument["description"] and argument["type"] for argument in schema["properties"].values())


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("read_file", {}, 'argument "path" is missing'),
        ("read_file", {"pth": "a"}, 'did you mean "path"?'),
        ("read_file", {"path": "a", "mode": "w"}, "allowed: path, start_line, end_line, line_numbers"),
        (
            "read_file",
            {"path": "a", "start_line": 0},
            r'"start_line".*greater than or equal to 1 \(found 0\)',
        ),
        ("read_file", {"path": "a", "start_line": 5, "end_line": 2}, "end_line 2 is before start_line 5"),
        ("read_file", {"path": ["a"]}, r'"path".*string.*found \["a"\]'),
        ("read_file", {"path": "a", "line_numbers": "perhaps"}, '"line_numbers".*boolean'),
        ("grep_search", {"pattern": "x", "context_lines": 11}, r"less than or equal to 10 \(found 11\)"),
        ("grep_search", {"pattern": "x", "max_results": 1001}, "less than or equal to 1000"),
        ("grep_search", {"pattern": "x", "path": "a" * 5000}, '"path"'),
        ("search", {"query": ""}, '"query"'),
        ("search", {"query": "x", "limit": 51}, "less than or equal to 50"),
        ("todo_write", {"todos": []}, '"todos"'),
        ("todo_write", {"todos": [{"id": "1", "content": "x", "status": "done"}]}, r'"todos\[0\]\.status"'),
        ("todo_write", {"todos": [{"id": "1", "status": "pending"}]}, r'"todos\[0\]\.content" is missing'),
        ("todo_write", {"todos": [{"id": "1", "content": "x", "status": "pending"}] * 2}, "each id once"),
    ],
)
async def test_wrong_arguments_say_which_what_and_what_is_allowed(every, call, tool, arguments, says):
    with pytest.raises(grpc.aio.AioRpcError, match=says) as failed:
        await call(every, tool, **arguments)
    assert failed.value.code() is StatusCode.INVALID_ARGUMENT
    assert info_of(failed.value).reason == "TOOL_ARGUMENTS_INVALID"
    assert info_of(failed.value).metadata["tool"] == tool


async def test_a_number_in_quotes_is_a_number(every, call):
    done = await call(
        every, "read_file", path="readme.md", start_line="3", end_line="3", line_numbers="false"
    )
    assert done.result.splitlines()[0] == "First line of text."


class Waiting(ToolProviderServicer):
    """Lists its tool when the other one of two was asked too."""

    def __init__(self, name: str, both: asyncio.Barrier) -> None:
        self._name, self._both = name, both

    async def ListTools(self, request, context):
        await self._both.wait()
        return ListToolsResponse(tools=[Tool(name=self._name)])


async def test_entries_are_asked_for_their_tools_side_by_side(mesh_under_test):
    both = asyncio.Barrier(2)
    router = ToolRouter(Generations({f"tools.{name}": Waiting(name, both) for name in "ab"}))
    await mesh_under_test.serve(lambda server: add_ToolProviderServicer_to_server(router, server))
    async with asyncio.timeout(10):
        listed = await ToolProviderStub(mesh_under_test.mesh).ListTools(ListToolsRequest())
    assert [(tool.name, tool.instance) for tool in listed.tools] == [("a", "tools.a"), ("b", "tools.b")]
