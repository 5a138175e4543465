"""What others ask of a task in the moment in which it is taken up, and what becomes of it when in doubt."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from support.custom_agent import answering, said
from support.scripted_agent import as_ada

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    AgentServiceStub,
    CancelRun,
    Signal,
    SignalRequest,
    TailRequest,
)
from hector_mesh import info_of, streaming
from hector_store import RunLog
from hector_store.server_errors import StorageInDoubt
from hector_store.url import parse

ASKS = """
    from hector_agent.custom import input_required

    async def echo(turn):
        yield f"hello {turn.text}" if turn.resumes else input_required("Who are you?")
"""
NEVER_ENDS = """
    import asyncio
    from hector_agent.custom import input_required

    async def echo(turn):
        if not turn.resumes:
            yield input_required("Who are you?")
        await asyncio.Event().wait()
"""


class Gate:
    """Holds up whoever writes events while it is closed: before they are written, or behind."""

    def __init__(self, monkeypatch, *, behind=False):
        self.open, self.reached, self.wished = asyncio.Event(), asyncio.Event(), asyncio.Event()
        append, signal = RunLog.append, RunLog.signal

        async def held(log, *args, **named):
            written = await append(log, *args, **named) if behind else None
            self.reached.set()
            await self.open.wait()
            return written or await append(log, *args, **named)

        async def wished(log, *args):
            number = await signal(log, *args)
            self.wished.set()
            return number

        monkeypatch.setattr(RunLog, "signal", wished)
        monkeypatch.setattr(RunLog, "append", held)


@asynccontextmanager
async def taken_up(mesh_under_test, folder, monkeypatch, source, *, behind=False):
    """Yield an agent, a task that waits, the gate at which it is taken up, and who does that."""
    async with answering(mesh_under_test, folder, source) as agent, asyncio.timeout(10):
        with as_ada():
            task = (await agent.SendMessage(said("greet me"))).task
            gate = Gate(monkeypatch, behind=behind)
            async with asyncio.TaskGroup() as group:
                following = group.create_task(_follow_up(agent, task.id))
                await gate.reached.wait()
                yield agent, task.id, gate, following


async def _follow_up(agent, task):
    return (await agent.SendMessage(said("Ada", task=task))).task


async def test_a_subscriber_of_that_moment_sees_how_the_task_goes_on(mesh_under_test, tmp_path, monkeypatch):
    async with taken_up(mesh_under_test, tmp_path, monkeypatch, ASKS) as (agent, task, gate, _):
        subscribe = a2a.SubscribeToTaskRequest(id=task)
        async with streaming(agent.SubscribeToTask(subscribe)) as events:
            assert (await anext(aiter(events))).task.status.state == a2a.TASK_STATE_INPUT_REQUIRED
            gate.open.set()
            rest = [event async for event in events]
    states = [event.status_update.status.state for event in rest if event.HasField("status_update")]
    assert states == [a2a.TASK_STATE_WORKING, a2a.TASK_STATE_COMPLETED]


@pytest.mark.parametrize("by", ["CancelTask", "Signal"])
async def test_a_task_that_is_being_taken_up_can_be_cancelled(mesh_under_test, tmp_path, monkeypatch, by):
    async with taken_up(mesh_under_test, tmp_path, monkeypatch, NEVER_ENDS) as (agent, task, gate, following):
        if by == "CancelTask":
            cancel = agent.CancelTask(a2a.CancelTaskRequest(id=task))
        else:
            wish = SignalRequest(run=task, signal=Signal(cancel=CancelRun()))
            cancel = AgentServiceStub(mesh_under_test.mesh).Signal(wish)
        cancelling = asyncio.ensure_future(cancel)
        await gate.wished.wait()
        gate.open.set()
        await cancelling
    assert following.result().status.state == a2a.TASK_STATE_CANCELED


async def test_a_task_that_was_taken_up_just_now_can_be_cancelled(mesh_under_test, tmp_path, monkeypatch):
    """It stands in the log as being at work a moment before it is."""
    async with taken_up(mesh_under_test, tmp_path, monkeypatch, NEVER_ENDS, behind=True) as found:
        agent, task, gate, following = found
        looked, story = asyncio.Event(), RunLog.story

        async def seen(*args):
            row = await story(*args)
            looked.set()
            return row

        monkeypatch.setattr(RunLog, "story", seen)
        cancelling = asyncio.ensure_future(agent.CancelTask(a2a.CancelTaskRequest(id=task)))
        await looked.wait()
        gate.open.set()
        await cancelling
    assert following.result().status.state == a2a.TASK_STATE_CANCELED


async def test_the_tail_of_a_task_that_was_taken_up_just_now_goes_on(mesh_under_test, tmp_path, monkeypatch):
    async with taken_up(mesh_under_test, tmp_path, monkeypatch, ASKS, behind=True) as found:
        _, task, gate, _ = found
        looked, get = asyncio.Event(), RunLog.get

        async def seen(*args):
            row = await get(*args)
            looked.set()
            return row

        monkeypatch.setattr(RunLog, "get", seen)
        async with streaming(AgentServiceStub(mesh_under_test.mesh).Tail(TailRequest(run=task))) as tail:
            first = asyncio.ensure_future(anext(aiter(tail)))
            await looked.wait()
            gate.open.set()
            events = [(await first).event] + [one.event async for one in tail]
    assert events[-1].status_changed.state == RUN_STATE_COMPLETED


@pytest.mark.parametrize("doubt", ["kept", "lost"])
async def test_a_task_whose_taking_up_is_in_doubt_goes_on_or_waits(
    mesh_under_test, tmp_path, monkeypatch, doubt
):
    append, doubts = RunLog.append, [doubt]

    async def in_doubt(log, *args, **named):
        if not doubts:
            return await append(log, *args, **named)
        if doubts.pop() == "kept":
            await append(log, *args, **named)
        raise StorageInDoubt(parse("postgres://db.example.com/hector"), "cut")

    async with answering(mesh_under_test, tmp_path, ASKS) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("greet me"))).task
            monkeypatch.setattr(RunLog, "append", in_doubt)
            if doubt == "lost":
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await _follow_up(agent, task.id)
                assert info_of(refused.value).reason == "STORAGE_IN_DOUBT"
            done = await _follow_up(agent, task.id)
    assert done.status.state == a2a.TASK_STATE_COMPLETED
    assert [message.parts[0].text for message in done.history] == ["greet me", "Who are you?", "Ada"]


@pytest.mark.parametrize("doubt", ["kept", "lost"])
async def test_a_new_task_of_which_nobody_can_tell_is_worked_on_if_it_is_there(
    mesh_under_test, tmp_path, monkeypatch, doubt
):
    create, doubts = RunLog.create, [doubt]

    async def in_doubt(log, *args):
        if not doubts:
            return await create(log, *args)
        if doubts.pop() == "kept":
            await create(log, *args)
        raise StorageInDoubt(parse("postgres://db.example.com/hector"), "cut")

    monkeypatch.setattr(RunLog, "create", in_doubt)
    source = 'async def echo(turn):\n    yield f"hello {turn.text}"'
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            if doubt == "lost":
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await agent.SendMessage(said("Ada", context="c"))
                assert info_of(refused.value).reason == "STORAGE_IN_DOUBT"
            done = (await agent.SendMessage(said("Ada", context="c"))).task
            assert done.status.state == a2a.TASK_STATE_COMPLETED
            assert [task.id for task in (await agent.ListTasks(a2a.ListTasksRequest())).tasks] == [done.id]
