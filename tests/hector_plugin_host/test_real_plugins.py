"""Contract: what the host does with processes that really crash, stand still and are replaced."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc.aio import AioRpcError

from hector.llm.v1 import (
    LLMProviderServicer,
    StreamTextRequest,
    StreamTextResponse,
    add_LLMProviderServicer_to_server,
)
from hector.tool.v1 import ExecuteToolRequest, ToolProviderStub
from hector_mesh import (
    Call,
    LocalChannel,
    LocalServer,
    Mesh,
    Principal,
    current_call,
    info_of,
    interceptors,
    scope,
)
from hector_plugin_host import Grants, PluginPlan, Restart, watching
from hector_plugin_host.host import PluginHost
from hector_plugin_host.premises import Premises

Write = Callable[..., PluginPlan]
SHOUT = ExecuteToolRequest(tool="upper")

UPPER = """
import asyncio, os, sys
from hector.tool.v1 import ExecuteToolResponse, ToolProviderServicer
from hector_plugin import serve

class Upper(ToolProviderServicer):
    async def ExecuteTool(self, request, context):
        if request.tool == "wait":
            await asyncio.sleep(0.05)
        if request.tool == "die":
            os._exit(7)
        return ExecuteToolResponse(success=True, result="LOUD")

if os.path.exists(__file__ + ".broken"):
    sys.exit("broken")
serve(Upper(), name="upper", version="1.2.3")
"""


ASKER = """
from hector_plugin import host, serve, tool

@tool
async def ask(text: str) -> str:
    "Ask a model."
    return await host.ask("fast", text)

serve(name="upper", version="1.2.3")
"""


class Model(LLMProviderServicer):
    """The host's own, which says as whom it was asked."""

    async def StreamText(
        self, request: StreamTextRequest, context: object
    ) -> AsyncIterator[StreamTextResponse]:
        call = current_call.get()
        yield StreamTextResponse(text=f"{call.principal.id} asks {call.instance}", done=True)


@asynccontextmanager
async def running(
    premises: Premises, *plans: PluginPlan, mesh: Mesh | None = None
) -> AsyncIterator[PluginHost]:
    host = PluginHost(plans, premises, mesh=mesh)
    async with asyncio.timeout(100), host.running():
        yield host


def stub(host: PluginHost) -> ToolProviderStub:
    return ToolProviderStub(host.channel("upper"))


def say(file: Path, there: bool) -> None:
    if there:
        file.touch()
    else:
        file.unlink()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  what other processes do has no event
        await asyncio.sleep(0.01)


async def test_twelve_swaps_of_real_processes_under_thirty_two_callers_fail_no_call(
    program: Write, premises: Premises, short: Path
) -> None:
    async with running(premises, program(UPPER)) as host:
        await host.settled()
        over, made = asyncio.Event(), 0

        async def caller(number: int) -> None:
            nonlocal made
            request = ExecuteToolRequest(tool="upper" if number % 4 else "wait")
            while not over.is_set():
                assert (await stub(host).ExecuteTool(request)).success
                made += 1

        async with asyncio.TaskGroup() as group:
            for number in range(32):
                group.create_task(caller(number))
            for _ in range(12):
                before = made
                await host.reload("upper")
                await until(lambda before=before: made > before + 32)  # type: ignore[misc]
            over.set()
        status = host.status()[0]
        assert (status.generation, status.restarts, status.in_flight) == (13, 0, 0)


async def test_a_process_asks_a_model_of_its_host_for_its_caller(
    program: Write, premises: Premises, short: Path
) -> None:
    server = LocalServer(interceptors())
    add_LLMProviderServicer_to_server(Model(), server)
    mesh = Mesh({"hector.llm.v1.LLMProvider": LocalChannel(server)})
    plan = program(ASKER, grants=Grants(llms=("fast",)))
    async with running(premises, plan, mesh=mesh) as host:
        tools = ToolProviderStub(Mesh({"hector.tool.v1.ToolProvider": host.channel("upper")}))
        with scope(Call(principal=Principal("ann"))):
            asked = ExecuteToolRequest(tool="ask", parameters_json='{"text": "who?"}')
            answer = await tools.ExecuteTool(asked)
    assert (answer.result, answer.error) == ("ann asks llms.fast", "")


async def test_a_process_that_dies_in_a_call_is_there_again_for_the_next(
    program: Write, premises: Premises, short: Path
) -> None:
    async with running(premises, program(UPPER)) as host:
        with pytest.raises(AioRpcError) as failed:
            await stub(host).ExecuteTool(ExecuteToolRequest(tool="die"))
        assert info_of(failed.value).reason == "PLUGIN_CRASHED"
        assert "exited with 7" in (failed.value.details() or "")
        assert (await stub(host).ExecuteTool(SHOUT)).success


async def test_a_plugin_that_crashes_again_and_again_is_put_aside_and_comes_back_once_mended(
    program: Write, premises: Premises, short: Path
) -> None:
    plan = program(UPPER, restart=Restart(backoff_s=0.01, cap_s=0.05, probe_s=0.3))
    broken = Path(plan.command[-1] + ".broken")
    say(broken, True)
    async with running(premises, plan) as host:
        await until(lambda: host.status()[0].state == "failed")
        assert host.status()[0].restarts == 5
        assert "broken" in host.status()[0].reason
        say(broken, False)
        await until(lambda: host.status()[0].state == "ready")
        assert (await stub(host).ExecuteTool(SHOUT)).success


async def test_a_process_that_was_stopped_is_replaced(
    program: Write, premises: Premises, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within thirty seconds, as test_supervision shows by its own clock; here with a third of the waiting."""
    monkeypatch.setattr(watching, "EVERY_S", watching.EVERY_S / 3)
    monkeypatch.setattr(watching, "ANSWER_S", watching.ANSWER_S / 3)
    async with running(premises, program(UPPER)) as host:
        await host.settled()
        (replica,) = host.status()[0].replicas
        assert replica.pid is not None
        os.kill(replica.pid, signal.SIGSTOP)
        with pytest.raises(AioRpcError) as failed:
            await stub(host).ExecuteTool(SHOUT, timeout=0.5)
        assert info_of(failed.value).reason == "PLUGIN_TIMED_OUT"
        await until(lambda: host.status()[0].restarts == 1 and host.status()[0].state == "ready")
        assert (await stub(host).ExecuteTool(SHOUT)).success
