"""What every built-in tool gets from its provider: time, size, and honest failures."""

import asyncio
import logging

import grpc
import pytest
from pydantic import Field

from hector.common.v1 import ToolAnnotations
from hector.tool.v1 import (
    ExecuteToolRequest,
    ExecuteToolResponse,
    ToolContext,
    ToolProviderStub,
    add_ToolProviderServicer_to_server,
)
from hector_mesh import Call, Generations, Principal, info_of, scope
from hector_tool.arguments import Arguments
from hector_tool.builtin import BuiltIn, BuiltInProvider
from hector_tool.config import ToolConfig
from hector_tool.errors import ToolDenied, ToolFailed
from hector_tool.router import ToolRouter


class Saying(Arguments):
    what: str = Field("", description="What to say.")


@pytest.fixture
def provided(mesh_under_test):
    async def provided(run, **config) -> ToolProviderStub:
        tool = BuiltIn(
            title="Say",
            description="Says.",
            arguments=Saying,
            run=run,
            annotations=ToolAnnotations(read_only=True),
        )
        provider = BuiltInProvider("say", ToolConfig(type="todo_write", **config), tool)
        router = ToolRouter(Generations({"tools.say": provider}))
        await mesh_under_test.serve(lambda server: add_ToolProviderServicer_to_server(router, server))
        return ToolProviderStub(mesh_under_test.mesh)

    return provided


SAY = ExecuteToolRequest(tool="say", context=ToolContext(agent="helper"))


async def test_more_text_than_allowed_is_cut_and_says_so(provided):
    async def run(arguments, context):
        return ExecuteToolResponse(result="ä" * 5000)

    said = await (await provided(run, max_output_size="1KiB")).ExecuteTool(SAY)
    assert said.success
    assert said.result.startswith("ä" * 512 + "\n[Cut here: 10,000 bytes")


async def test_a_failure_is_an_answer_to_the_model(provided):
    async def run(arguments, context):
        raise ToolFailed("the disk is full")

    said = await (await provided(run)).ExecuteTool(SAY)
    assert (said.success, said.error, said.result) == (False, "the disk is full", "")


async def test_a_denial_is_a_status_and_a_line_in_the_log(provided, caplog):
    async def run(arguments, context):
        raise ToolDenied("not that")

    tools = await provided(run)
    with (
        caplog.at_level(logging.WARNING, logger="hector_tool"),
        scope(Call(principal=Principal("mallory"))),
        pytest.raises(grpc.aio.AioRpcError) as failed,
    ):
        await tools.ExecuteTool(SAY)
    assert info_of(failed.value).reason == "TOOL_DENIED"
    (record,) = [record for record in caplog.records if record.name == "hector_tool.builtin"]
    assert (record.message, record.tool, record.agent, record.principal) == (
        "tool call denied", "say", "helper", "mallory",
    )  # fmt: skip


async def test_a_tool_that_takes_too_long_is_stopped_and_says_so(provided):
    stopped = asyncio.Event()

    async def run(arguments, context):
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    said = await (await provided(run, timeout="50ms")).ExecuteTool(SAY)
    assert said.error == "say was stopped after 0.05 s."
    assert stopped.is_set()


async def test_a_time_out_inside_a_tool_is_not_taken_for_its_own(provided):
    async def run(arguments, context):
        raise TimeoutError

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await (await provided(run)).ExecuteTool(SAY)
    assert info_of(failed.value).reason == "INTERNAL"


async def test_a_caller_that_leaves_stops_the_tool(provided):
    started, stopped = asyncio.Event(), asyncio.Event()

    async def run(arguments, context):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    calling = (await provided(run)).ExecuteTool(SAY)
    running = asyncio.ensure_future(calling.code())
    async with asyncio.timeout(10):
        await started.wait()
        calling.cancel()
        await stopped.wait()
        await running


async def test_a_dry_run_never_reaches_the_tool(provided):
    async def run(arguments, context):
        raise AssertionError

    said = await (await provided(run)).ExecuteTool(ExecuteToolRequest(tool="say", dry_run=True))
    assert said.result == "say would run with these arguments; nothing was done."
