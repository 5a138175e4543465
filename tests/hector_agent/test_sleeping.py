"""Ours: what waits for a moment or for a signal holds nothing, and goes on once, at whatever replica."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

from support.custom_agent import answering, config_of, said
from support.scripted_agent import as_ada, until

import hector_a2a as a2a
import hector_agent
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    RUN_STATE_WAITING,
    AgentServiceStub,
    CancelRunRequest,
    GetRunRequest,
    PauseRunRequest,
    ResumeRunRequest,
    RetryRunRequest,
    Signal,
    SignalRequest,
    TailRequest,
)
from hector_mesh import LocalChannel, LocalServer, Mesh, streaming
from hector_store import opened

NOW = a2a.SendMessageConfiguration(return_immediately=True)

NAPS = """
    calls = []

    async def echo(turn):
        calls.append(turn.task_id)
        yield "once: "
        yield str(await turn.once("count", lambda: len(calls)))
        await turn.sleep(0.05)
        yield f", then {len(calls)}"
"""
WAITS = """
    async def echo(turn):
        first = await turn.wait()
        second = await turn.wait(0.05)
        yield f"{first} {second}"
"""


async def run_of(mesh, name):
    return (await AgentServiceStub(mesh).GetRun(GetRunRequest(run=name))).run


async def is_in(mesh, name, state) -> bool:
    return (await run_of(mesh, name)).state == state


async def test_a_handler_sleeps_and_goes_on_where_it_was(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, NAPS) as agent, asyncio.timeout(20):
        with as_ada():
            task = (await agent.SendMessage(said("hi"))).task
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    assert [part.text for part in task.artifacts[0].parts] == ["once: 1, then 2"]


async def test_a_signal_ends_a_wait_and_time_ends_another(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, WAITS) as agent, asyncio.timeout(20):
        mesh = mesh_under_test.mesh
        with as_ada():
            task = (await agent.SendMessage(said("hi", configuration=NOW))).task
            await until(lambda: is_in(mesh, task.id, RUN_STATE_WAITING))
            wake = Signal(wake_json=json.dumps({"paid": 3}))
            await AgentServiceStub(mesh).Signal(SignalRequest(run=task.id, signal=wake))
            await until(lambda: is_in(mesh, task.id, RUN_STATE_COMPLETED))
            task = await agent.GetTask(a2a.GetTaskRequest(id=task.id))
    assert task.artifacts[0].parts[0].text == "{'paid': 3} None"


LONG = """
    import asyncio

    async def echo(turn):
        await turn.sleep(3600, name="an hour")
        yield "slept"
"""


async def test_what_sleeps_can_be_cancelled_paused_and_resumed(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, LONG) as agent, asyncio.timeout(20):
        mesh = mesh_under_test.mesh
        stub = AgentServiceStub(mesh)
        with as_ada():
            task = (await agent.SendMessage(said("hi", configuration=NOW))).task
            await until(lambda: is_in(mesh, task.id, RUN_STATE_WAITING))
            run = await run_of(mesh, task.id)
            left = run.wake_time.ToDatetime(UTC) - datetime.now(UTC)
            assert timedelta(minutes=50) < left < timedelta(minutes=70)
            assert (await stub.PauseRun(PauseRunRequest(run=task.id))).changed
            assert (await run_of(mesh, task.id)).held == "paused"
            assert (await stub.ResumeRun(ResumeRunRequest(run=task.id))).changed
            run = await run_of(mesh, task.id)
            assert (run.state, run.held) == (RUN_STATE_WAITING, "")
            assert run.HasField("wake_time"), "it goes on to sleep until then"
            assert (await stub.CancelRun(CancelRunRequest(run=task.id))).changed
            again = (await stub.RetryRun(RetryRunRequest(run=task.id))).run
            await until(lambda: is_in(mesh, again.name, RUN_STATE_WAITING))
            assert (await run_of(mesh, again.name)).wake_time == run.wake_time


async def test_a_sleeper_outlives_its_server(mesh_under_test, tmp_path):
    source = NAPS.replace("0.05", "0.3")
    mesh = mesh_under_test.mesh
    with as_ada():
        async with answering(mesh_under_test, tmp_path, source) as agent:
            task = (await agent.SendMessage(said("hi", configuration=NOW))).task
            await until(lambda: is_in(mesh, task.id, RUN_STATE_WAITING))
        async with answering(mesh_under_test, tmp_path, source), asyncio.timeout(20):
            await until(lambda: is_in(mesh, task.id, RUN_STATE_COMPLETED))
            request = TailRequest(run=task.id, committed_only=True)
            async with streaming(AgentServiceStub(mesh).Tail(request)) as tail:
                events = [response.event async for response in tail]
    assert sum(event.HasField("timer_ended") for event in events) == 1
    assert sum(event.HasField("step_finished") for event in events) == 1


FIRES = """
    fired = []

    async def echo(turn):
        await turn.sleep(float(turn.text))
        await turn.once("fire", lambda: fired.append(turn.task_id) or True)
        yield "fired"
"""
TIMERS = 1000


async def test_a_thousand_timers_at_two_replicas_are_a_thousand_firings(database_url, tmp_path):
    """Issue 6: and each of them by one of the two."""
    config = config_of(tmp_path, FIRES, database=database_url)
    async with AsyncExitStack() as stack:
        agents = []
        for _ in range(2):
            mesh, server = Mesh({}), LocalServer()
            room = hector_agent.build(config, mesh)
            await stack.enter_async_context(room.running())
            room.register(server)
            await server.start()
            stack.push_async_callback(server.stop, None)
            agents.append(a2a.A2AServiceStub(LocalChannel(server)))
        with as_ada():
            sent = [
                agents[number % 2].SendMessage(said("0.5", configuration=NOW)) for number in range(TIMERS)
            ]
            tasks = [answer.task.id for answer in await asyncio.gather(*sent)]
            async with asyncio.timeout(120):
                while True:
                    page = await agents[0].ListTasks(
                        a2a.ListTasksRequest(status=a2a.TASK_STATE_COMPLETED, page_size=1)
                    )
                    if page.total_size == TIMERS:
                        break
                    await asyncio.sleep(0.1)
    assert sorted(sys.modules["handlers"].fired) == sorted(tasks)
    async with opened(database_url) as found:
        ended = await found.read(
            lambda connection: connection.exec_driver_sql(
                "SELECT COUNT(*), COUNT(DISTINCT run_id) FROM run_events WHERE kind = 'timer_ended'"
            ).one()
        )
    assert tuple(ended) == (TIMERS, TIMERS)
