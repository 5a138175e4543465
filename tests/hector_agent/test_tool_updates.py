"""A stream says of each tool call what a person wants to see: arguments, duration, size."""

import asyncio

from support.scripted_agent import ScriptedModel, as_ada, ask, serving

import hector_a2a as a2a


async def doings(mesh_under_test, tmp_path, *answers):
    async with serving(mesh_under_test, tmp_path, ScriptedModel(*answers)):
        with as_ada():
            async with asyncio.timeout(10):
                stream = a2a.A2AServiceStub(mesh_under_test.mesh).SendStreamingMessage(ask("hi"))
                found = [response.status_update.metadata.fields async for response in stream]
    return [fields for fields in found if "hector.event" in fields]


async def test_a_tool_call_shows_its_arguments_time_and_size(mesh_under_test, tmp_path):
    begun, ended = await doings(mesh_under_test, tmp_path, [("echo", {"x": 1})], "done")
    assert begun["hector.event"].string_value == "tool_started"
    assert begun["hector.arguments"].string_value == '{"x": 1}'
    assert ended["hector.event"].string_value == "tool_finished"
    assert ended["hector.call"] == begun["hector.call"]
    assert ended["hector.duration_ms"].number_value >= 0
    assert ended["hector.result_size"].number_value == len('echo: {"x": 1}')
    assert "hector.error" not in ended


async def test_long_arguments_are_cut_and_a_failure_is_told(mesh_under_test, tmp_path):
    begun, ended = await doings(mesh_under_test, tmp_path, [("nothing", {"x": "y" * 500})], "done")
    assert len(begun["hector.arguments"].string_value) == 200
    assert "no tool named 'nothing'" in ended["hector.error"].string_value
