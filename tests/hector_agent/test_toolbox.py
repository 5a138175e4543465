"""Lists of tools: who is asked for them, and whom one delays that does not answer."""

import asyncio

import grpc
import pytest
from grpc import StatusCode
from support.scripted_agent import ScriptedModel, as_ada, ask, serving

import hector_a2a as a2a
from hector.common.v1 import Tool
from hector.llm.v1 import StreamTextResponse
from hector.tool.v1 import ListToolsResponse, ToolProviderServicer, add_ToolProviderServicer_to_server
from hector_agent import tools as toolboxes
from hector_agent.tools import Toolbox
from hector_mesh import HectorError, current_call


class Away(HectorError):
    code, reason = StatusCode.UNAVAILABLE, "AWAY"


class SwitchedOff(HectorError):
    code, reason = StatusCode.NOT_FOUND, "TOOL_ENTRY_NOT_FOUND"


class Entries(ToolProviderServicer):
    """Three entries: one that answers, one that is switched off, and one that answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_asked, self.answers = asyncio.Event(), asyncio.Event()
        self.is_away = False

    async def ListTools(self, request, context):
        instance = current_call.get().instance
        self.asked.append(instance)
        self.is_asked.set()
        if self.is_away:
            raise Away("the tools are away")
        if instance == "tools.off":
            raise SwitchedOff("there is no such entry")
        if instance in ("tools.late", ""):
            await self.answers.wait()
        names = ("z", "a") if instance == "tools.good" else ("late",)
        return ListToolsResponse(tools=[Tool(name=name, instance=instance) for name in names])


@pytest.fixture
async def entries(mesh_under_test):
    served = Entries()
    await mesh_under_test.serve(lambda server: add_ToolProviderServicer_to_server(served, server))
    return served


async def test_an_entry_that_answers_late_delays_only_those_who_name_it(mesh_under_test, entries):
    async with asyncio.timeout(10):
        toolbox = Toolbox(mesh_under_test.mesh)
        late = asyncio.create_task(toolbox.listed(["late", "good"]))
        assert [tool.name for tool in await toolbox.listed(["good", "off"])] == ["a", "z"]
        assert not late.done()
        entries.answers.set()
        assert [tool.name for tool in await late] == ["a", "late", "z"]


async def test_while_one_asks_anew_the_list_before_serves_the_others(mesh_under_test, entries, monkeypatch):
    monkeypatch.setattr(toolboxes, "FRESH_S", 0.0)
    async with asyncio.timeout(10):
        toolbox = Toolbox(mesh_under_test.mesh)
        entries.answers.set()
        await toolbox.listed(["late"])
        entries.answers.clear()
        entries.is_asked.clear()
        monkeypatch.setattr(toolboxes, "FRESH_S", 60.0)
        asking = asyncio.create_task(toolbox.listed(["late"]))
        await entries.is_asked.wait()
        assert [tool.name for tool in await toolbox.listed(["late"])] == ["late"]
        entries.answers.set()
        await asking
    assert entries.asked == ["tools.late"] * 2


async def test_the_list_before_serves_while_the_tools_are_away(mesh_under_test, entries, monkeypatch):
    monkeypatch.setattr(toolboxes, "FRESH_S", 0.0)
    async with asyncio.timeout(10):
        toolbox = Toolbox(mesh_under_test.mesh)
        await toolbox.listed(["good"])
        entries.is_away = True
        assert [tool.name for tool in await toolbox.listed(["good"])] == ["a", "z"]
        with pytest.raises(grpc.aio.AioRpcError, match="the tools are away"):
            await toolbox.listed(["late"])


@pytest.mark.parametrize("stores", [None, [], ["handbook"]])
async def test_all_that_a_run_asks_is_told_what_its_agent_may_search(mesh_under_test, tmp_path, stores):
    seen = []

    async def answer(request):
        seen.append(current_call.get().documents)
        yield StreamTextResponse(text="done")
        yield StreamTextResponse(done=True)

    async with serving(mesh_under_test, tmp_path, ScriptedModel(answer), document_stores=stores):
        with as_ada():
            await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
    assert seen == [None if stores is None else tuple(stores)]
