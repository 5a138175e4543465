"""Ours: a command takes effect from any replica, with every hint lost, and once; on every database."""

import asyncio
import functools
import sys
import time
from contextlib import asynccontextmanager

import pytest
from support.custom_agent import config_of, said
from support.scripted_agent import as_ada, until

import hector_a2a as a2a
import hector_agent
from hector.agent.v1 import (
    RUN_STATE_CANCELED,
    RUN_STATE_COMPLETED,
    RUN_STATE_FAILED,
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

NOW = a2a.SendMessageConfiguration(return_immediately=True)
SOURCE = """
    import asyncio
    from hector_agent.custom import auth_required, input_required

    gate = asyncio.Event()
    steps = []

    async def echo(turn):
        if turn.text == "forever":
            await asyncio.Event().wait()
        if turn.text == "ask":
            yield input_required("Well?")
        if turn.text == "sign in" and not turn.wake_json:
            yield auth_required("Sign in.")
        if turn.text == "fail" and not steps:
            await turn.once("first", lambda: steps.append(turn.task_id) or True)
            raise RuntimeError("as it was told")
        await turn.once("first", lambda: steps.append(turn.task_id) or True)
        if turn.text == "steps":
            await gate.wait()
        await turn.once("second", lambda: steps.append(turn.task_id) or True)
        yield f"done {turn.wake_json}"
"""


def adas(test):
    """Let a test be Ada's: what a fixture sets does not reach it."""

    @functools.wraps(test)
    async def asked(*args, **named):
        with as_ada():
            await test(*args, **named)

    return asked


class Replica:
    """One of several processes, as far as commands go."""

    def __init__(self, mesh) -> None:
        self.agent, self.runs = a2a.A2AServiceStub(mesh), AgentServiceStub(mesh)

    async def begins(self, text: str) -> str:
        return (await self.agent.SendMessage(said(text, configuration=NOW))).task.id

    async def state(self, run: str) -> int:
        return (await self.runs.GetRun(GetRunRequest(run=run))).run.state

    async def held(self, run: str) -> str:
        return (await self.runs.GetRun(GetRunRequest(run=run))).run.held

    async def comes_to(self, run: str, state: int) -> None:
        async def there() -> bool:
            return await self.state(run) == state

        await until(there)

    async def asked(self, run: str) -> list[tuple[str, str]]:
        tail = self.runs.Tail(TailRequest(run=run, committed_only=True))
        async with streaming(tail) as responses:
            events = [response.event.signal_received async for response in responses]
        return [
            (said.signal.WhichOneof("signal"), said.principal) for said in events if said.HasField("signal")
        ]


@asynccontextmanager
async def replica(config):
    mesh, server = Mesh({}), LocalServer()
    room = hector_agent.build(config, mesh)
    async with room.running():
        room.register(server)
        await server.start()
        try:
            channel = LocalChannel(server)
            yield Replica(Mesh(dict.fromkeys(server.services, channel)))
        finally:
            await server.stop(None)


@pytest.fixture(params=["hints", "no hints"])
async def replicas(request, monkeypatch, database_url, tmp_path):
    """Two of them; the handlers' code is of both, since they are in one process."""
    if request.param == "no hints":
        monkeypatch.setenv("HECTOR_DROP_HINTS", "1")
    config = config_of(tmp_path, SOURCE, database=database_url)
    async with asyncio.timeout(60), replica(config) as first, replica(config) as second:
        yield first, second


@adas
async def test_cancelling_at_another_replica_stops_the_run(replicas, record_property):
    owner, other = replicas
    run = await owner.begins("forever")
    begun = time.perf_counter()
    assert (await other.runs.CancelRun(CancelRunRequest(run=run))).changed
    record_property("took_s", time.perf_counter() - begun)
    assert await owner.state(run) == RUN_STATE_CANCELED
    assert not (await other.runs.CancelRun(CancelRunRequest(run=run))).changed
    assert await other.asked(run) == [("cancel", "ada")]


@adas
async def test_cancelling_over_a2a_at_another_replica_stops_the_run(replicas):
    owner, other = replicas
    run = await owner.begins("forever")
    task = await other.agent.CancelTask(a2a.CancelTaskRequest(id=run))
    assert task.status.state == a2a.TASK_STATE_CANCELED


@adas
async def test_what_waits_is_cancelled_or_woken_by_any_replica(replicas):
    owner, other = replicas
    for replica in replicas:
        run = await owner.begins("ask")
        async with asyncio.timeout(10):
            assert (await replica.runs.CancelRun(CancelRunRequest(run=run))).changed
        run = await owner.begins("sign in")
        await replica.runs.Signal(SignalRequest(run=run, signal=Signal(wake_json='{"granted": true}')))
        await other.comes_to(run, RUN_STATE_COMPLETED)
        task = await other.agent.GetTask(a2a.GetTaskRequest(id=run))
        assert task.artifacts[0].parts[0].text == 'done {"granted": true}'


@adas
async def test_pausing_and_resuming_at_another_replica_repeats_no_step(replicas):
    owner, other = replicas
    run = await owner.begins("steps")
    handlers = sys.modules["handlers"]

    async def at_the_gate() -> bool:
        return bool(handlers.steps)

    await until(at_the_gate)
    assert (await other.runs.PauseRun(PauseRunRequest(run=run))).changed
    handlers.gate.set()

    async def is_held() -> bool:
        return await other.held(run) == "paused"

    await until(is_held)
    assert await owner.state(run) == RUN_STATE_WAITING
    assert (await other.runs.ResumeRun(ResumeRunRequest(run=run))).changed
    await other.comes_to(run, RUN_STATE_COMPLETED)
    assert handlers.steps == [run, run]
    assert await owner.asked(run) == [("pause", "ada"), ("resume", "ada")]


@adas
async def test_a_retry_at_another_replica_keeps_what_is_done_once(replicas):
    owner, other = replicas
    run = await owner.begins("fail")
    await owner.comes_to(run, RUN_STATE_FAILED)
    new = (await other.runs.RetryRun(RetryRunRequest(run=run))).run
    assert (await owner.runs.RetryRun(RetryRunRequest(run=run))).run.name == new.name
    await owner.comes_to(new.name, RUN_STATE_COMPLETED)
    assert sys.modules["handlers"].steps == [run, new.name], "the first step once, the second by the new one"


@adas
async def test_two_who_cancel_at_once_at_two_replicas_are_one_effect(replicas):
    owner, other = replicas
    run = await owner.begins("forever")
    wish = CancelRunRequest(run=run)
    done = await asyncio.gather(owner.runs.CancelRun(wish), other.runs.CancelRun(wish))
    assert {one.run.state for one in done} == {RUN_STATE_CANCELED}
    assert len(await owner.asked(run)) == 1
