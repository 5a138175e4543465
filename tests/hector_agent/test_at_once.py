"""Ours: an answer that is given without waiting is one commit, and nobody can tell otherwise."""

import asyncio

import grpc
import pytest
from support.custom_agent import answering, said
from support.scripted_agent import as_ada, text_of, until

import hector_a2a as a2a
from hector_agent.opening import unwritten
from hector_mesh import info_of, streaming
from hector_store import RunLog
from hector_store.errors import StorageQueueFull

ECHO = """
    import asyncio

    async def echo(turn):
        yield "You said: "
        await asyncio.sleep(0)
        yield turn.text
"""
WAITS = """
    import asyncio

    async def echo(turn):
        yield "begun"
        if turn.text == "fail":
            raise KeyError(turn.text)
        await asyncio.Event().wait()
"""
NONSENSE = """
    async def echo(turn):
        yield 42
"""


@pytest.fixture
def writes(monkeypatch):
    """Count what is written."""
    counted = []
    create, append = RunLog.create, RunLog.append

    async def creates(self, *given, **more):
        counted.append("create")
        return await create(self, *given, **more)

    async def appends(self, *given, **more):
        counted.append("append")
        return await append(self, *given, **more)

    monkeypatch.setattr(RunLog, "create", creates)
    monkeypatch.setattr(RunLog, "append", appends)
    return counted


async def test_an_answer_given_at_once_is_one_commit(mesh_under_test, tmp_path, writes):
    async with answering(mesh_under_test, tmp_path, ECHO) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("hi"))).task
            assert writes == ["create"]
            assert (task.status.state, text_of(task)) == (a2a.TASK_STATE_COMPLETED, "You said: hi")
            assert task.status.HasField("timestamp")
            assert await agent.GetTask(a2a.GetTaskRequest(id=task.id)) == task
            [listed] = (await agent.ListTasks(a2a.ListTasksRequest(include_artifacts=True))).tasks
            assert listed == task
            again = (await agent.SendMessage(said("more", context=task.context_id))).task
            assert text_of(again) == "You said: more"


async def test_its_stream_is_told_as_ever(mesh_under_test, tmp_path, writes):
    async with answering(mesh_under_test, tmp_path, ECHO) as agent:
        with as_ada():
            events = [event async for event in agent.SendStreamingMessage(said("hi"))]
            assert writes == ["create"]
    task, *updates = events
    assert (task.task.status.state, len(task.task.artifacts)) == (a2a.TASK_STATE_WORKING, 0)
    assert task.task.status.HasField("timestamp")
    assert [message.parts[0].text for message in task.task.history] == ["hi"]
    said_so_far = [event.artifact_update for event in updates if event.HasField("artifact_update")]
    assert "".join(one.artifact.parts[0].text for one in said_so_far) == "You said: hi"
    assert [one.last_chunk for one in said_so_far][-1]
    assert updates[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED
    places = [event.task.metadata["hector.seq"] for event in events[:1]]
    places += [(one.metadata["hector.seq"]) for one in said_so_far]
    assert places == ["2", "3"]


async def test_one_that_waits_is_there_before_it_goes_on(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, WAITS) as agent:
        with as_ada():
            sending = asyncio.ensure_future(agent.SendMessage(said("hi")))

            async def is_listed():
                return bool((await agent.ListTasks(a2a.ListTasksRequest())).tasks)

            await until(is_listed)
            [task] = (await agent.ListTasks(a2a.ListTasksRequest(include_artifacts=True))).tasks
            assert (task.status.state, text_of(task)) == (a2a.TASK_STATE_WORKING, "begun")
            await agent.CancelTask(a2a.CancelTaskRequest(id=task.id))
            assert (await sending).task.status.state == a2a.TASK_STATE_CANCELED


async def test_its_stream_shows_it_while_it_waits(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, WAITS) as agent:
        with as_ada():
            async with streaming(agent.SendStreamingMessage(said("hi"))) as events:
                read = aiter(events)
                task = (await anext(read)).task
                assert (await anext(read)).artifact_update.artifact.parts[0].text == "begun"
                await agent.CancelTask(a2a.CancelTaskRequest(id=task.id))
                rest = [event async for event in read]
            assert rest[-1].status_update.status.state == a2a.TASK_STATE_CANCELED


async def test_one_that_fails_at_once_is_a_failed_task(mesh_under_test, tmp_path, writes):
    async with answering(mesh_under_test, tmp_path, WAITS) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("fail"))).task
            assert task.status.state == a2a.TASK_STATE_FAILED
            assert text_of(task) == "begun"
            assert await agent.GetTask(a2a.GetTaskRequest(id=task.id)) == task
    assert writes == ["create"]


@pytest.mark.parametrize("way", ["send", "stream"])
@pytest.mark.parametrize("source", [ECHO, NONSENSE], ids=["well", "wrong"])
async def test_one_that_cannot_be_written_was_not_accepted(
    mesh_under_test, tmp_path, monkeypatch, way, source
):
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():

            async def is_full(self, *given, **more):
                raise StorageQueueFull(1, 1)

            with monkeypatch.context() as broken:
                broken.setattr(RunLog, "create", is_full)
                asking = agent.SendMessage(said("hi")) if way == "send" else read(agent, said("hi"))
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await asking
            assert info_of(refused.value).reason == StorageQueueFull.reason
            assert not (await agent.ListTasks(a2a.ListTasksRequest())).tasks
            if source == ECHO:
                assert text_of((await agent.SendMessage(said("hi"))).task) == "You said: hi"


async def test_what_could_not_be_written_in_between_is_not_passed_over(
    mesh_under_test, tmp_path, monkeypatch
):
    source = """
        import asyncio
        from hector_agent.custom import artifact

        async def echo(turn):
            yield artifact("made", id="a")
            await asyncio.sleep(0)  # and so it is on its way when this ends
    """
    append, failures = RunLog.append, iter([True])

    async def fails_once(self, *given, **more):
        if next(failures, False):
            raise StorageQueueFull(1, 1)
        return await append(self, *given, **more)

    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            await agent.SendMessage(said("hi", context="c"))
            monkeypatch.setattr(RunLog, "append", fails_once)
            task = (await agent.SendMessage(said("hi", context="c"))).task
            assert task.status.state == a2a.TASK_STATE_COMPLETED
            assert [artifact.artifact_id for artifact in task.artifacts] == ["a"]


async def test_a_caller_that_leaves_stops_nothing(mesh_under_test, tmp_path):
    source = """
        import asyncio
        from pathlib import Path

        async def echo(turn):
            while not (Path(__file__).parent / "go").exists():
                await asyncio.sleep(0.01)
            yield "done"
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():

            async def states():
                listed = (await agent.ListTasks(a2a.ListTasksRequest())).tasks
                return [task.status.state for task in listed]

            async def is_at_work():
                return await states() == [a2a.TASK_STATE_WORKING]

            async def is_done():
                return await states() == [a2a.TASK_STATE_COMPLETED]

            call = agent.SendMessage(said("hi"))
            sending = asyncio.ensure_future(call)
            await until(is_at_work)
            call.cancel()
            await asyncio.wait([sending])
            (tmp_path / "go").touch()
            await until(is_done)


async def test_a_caller_without_time_hears_of_its_task_when_that_is_there_and_not_before(
    mesh_under_test, tmp_path, monkeypatch
):
    create, begun, goes_on = RunLog.create, asyncio.Event(), asyncio.Event()

    async def creates(self, *given, **more):
        begun.set()
        await goes_on.wait()
        return await create(self, *given, **more)

    monkeypatch.setattr(RunLog, "create", creates)
    monkeypatch.setattr("hector_agent.again.EARLIER", 1.0)  # no caller has any time
    monkeypatch.setattr("hector_agent.again.EARLIER_S", 60.0)
    async with answering(mesh_under_test, tmp_path, WAITS) as agent:
        with as_ada():
            sending = asyncio.ensure_future(agent.SendMessage(said("hi"), timeout=20))
            await begun.wait()
            assert not (await asyncio.wait([sending], timeout=0.1))[0]
            goes_on.set()
            with pytest.raises(grpc.aio.AioRpcError) as late:
                await sending
            told = info_of(late.value)
            assert told.reason == "STILL_AT_WORK"
            task = await agent.GetTask(a2a.GetTaskRequest(id=told.metadata["taskId"]))
            assert task.status.state == a2a.TASK_STATE_WORKING


async def test_many_at_once_are_all_there(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, ECHO) as agent:
        with as_ada():
            tasks = await asyncio.gather(*(agent.SendMessage(said(str(n))) for n in range(64)))
            assert [text_of(one.task) for one in tasks] == [f"You said: {n}" for n in range(64)]
            page = await agent.ListTasks(a2a.ListTasksRequest(page_size=100))
            assert page.total_size == 64


async def read(agent, request):
    return [event async for event in agent.SendStreamingMessage(request)]


@pytest.mark.parametrize("leaves", ["before it is written", "before it says anything"])
async def test_a_reader_that_leaves_before_the_first_event_is_not_kept_for(
    mesh_under_test, tmp_path, monkeypatch, leaves
):
    source = """
        import asyncio

        async def echo(turn):
            yield await asyncio.Event().wait()
    """
    begun = []

    def seen(*args, **named):
        begun.append(unwritten(*args, **named))
        return begun[-1]

    monkeypatch.setattr("hector_agent.runs.unwritten", seen)
    monkeypatch.setattr("hector_agent.run.DECIDES_S", 60.0)

    async def is_begun():
        return bool(begun) and (leaves.endswith("written") or begun[0].draft is None)

    async def is_left():
        return begun[0].draft is None and begun[0].feed.followers == 0 and begun[0].begun is None

    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            stream = agent.SendStreamingMessage(said("hi"))
            reading = asyncio.ensure_future(anext(aiter(stream)))
            await until(is_begun)
            assert begun[0].feed.followers == 1
            stream.cancel()
            await asyncio.wait([reading])
            await until(is_left)
