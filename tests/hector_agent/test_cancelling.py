import asyncio
import sqlite3

import grpc
import pytest
from support.scripted_agent import ScriptedModel, ScriptedTools, as_ada, ask, serving, text_of, until

import hector_a2a as a2a
from hector.agent.v1 import (
    AgentServiceStub,
    CancelRun,
    GetRunRequest,
    ListRunsRequest,
    ListSessionsRequest,
    Signal,
    SignalRequest,
    TailRequest,
)
from hector.llm.v1 import StreamTextResponse
from hector_agent.errors import RunNotFound
from hector_mesh import Call, Principal, info_of, scope, streaming
from hector_store import RunLog

NOW = a2a.SendMessageConfiguration(return_immediately=True)


async def endless(request):
    yield StreamTextResponse(text="on and on ")
    await asyncio.Event().wait()


async def first_text(stream):
    """Return the task's id once text has been seen."""
    task = ""
    async for response in stream:
        if response.HasField("task"):
            task = response.task.id
        if response.HasField("artifact_update"):
            return task
    raise AssertionError("the stream ended without text")


async def test_cancelling_a_task_stops_the_model(mesh_under_test, tmp_path):
    model = ScriptedModel(endless)
    async with serving(mesh_under_test, tmp_path, model):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            async with streaming(stub.SendStreamingMessage(ask("hi"))) as stream:
                task = await first_text(stream)
                cancelled = await stub.CancelTask(a2a.CancelTaskRequest(id=task))
                rest = [response async for response in stream]
            async with asyncio.timeout(5):
                await model.stopped.wait()
    assert cancelled.status.state == a2a.TASK_STATE_CANCELED
    assert text_of(cancelled) == "on and on "
    assert rest[-1].status_update.status.state == a2a.TASK_STATE_CANCELED


async def test_cancelling_a_task_stops_its_tool(mesh_under_test, tmp_path):
    tools = ScriptedTools()
    async with serving(mesh_under_test, tmp_path, ScriptedModel([("slow", {})]), tools):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            task = (await stub.SendMessage(ask("hi", configuration=NOW))).task
            async with asyncio.timeout(5):
                await tools.begun.wait()
            cancelled = await stub.CancelTask(a2a.CancelTaskRequest(id=task.id))
            async with asyncio.timeout(5):
                await tools.stopped.wait()
    assert cancelled.status.state == a2a.TASK_STATE_CANCELED


async def test_a_client_that_leaves_stops_nothing(mesh_under_test, tmp_path):
    go_on = asyncio.Event()

    async def waits(request):
        yield StreamTextResponse(text="first ")
        await go_on.wait()
        yield StreamTextResponse(text="last", done=True)

    async with serving(mesh_under_test, tmp_path, ScriptedModel(waits)):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            async with streaming(stub.SendStreamingMessage(ask("hi"))) as stream:
                task = await first_text(stream)
            async with streaming(stub.SubscribeToTask(a2a.SubscribeToTaskRequest(id=task))) as again:
                assert (await anext(aiter(again))).task.id == task
                go_on.set()
                rest = [response async for response in again]
            done = await stub.GetTask(a2a.GetTaskRequest(id=task))
    assert rest[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED
    assert text_of(done) == "first last"


async def test_a_client_that_leaves_while_its_run_is_written_down_stops_nothing(
    mesh_under_test, tmp_path, monkeypatch
):
    begun, go_on = asyncio.Event(), asyncio.Event()
    create = RunLog.create

    async def slow(log, run, events=()):
        begun.set()
        await go_on.wait()
        return await create(log, run, events)

    monkeypatch.setattr(RunLog, "create", slow)
    async with serving(mesh_under_test, tmp_path, ScriptedModel("hello")):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            call = stub.SendMessage(ask("hi"))
            async with asyncio.timeout(5):
                await begun.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            go_on.set()

            async def answered() -> bool:
                tasks = (await stub.ListTasks(a2a.ListTasksRequest())).tasks
                return [task.status.state for task in tasks] == [a2a.TASK_STATE_COMPLETED]

            await until(answered)


async def test_a_left_run_that_cannot_be_read_keeps_nobody_from_being_served(
    mesh_under_test, tmp_path, monkeypatch, caplog
):
    async def refuses(self, *arguments, **more):
        raise RunNotFound("gone")

    with as_ada():
        async with serving(mesh_under_test, tmp_path, ScriptedModel("hello")):
            await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
        with sqlite3.connect(tmp_path / "runs.db") as database:
            database.execute("UPDATE runs SET state = 'RUN_STATE_WORKING', finished = 0")
        database.close()
        monkeypatch.setattr("hector_store.run_log.RunLog.events", refuses)
        async with serving(mesh_under_test, tmp_path, ScriptedModel("still here")):

            async def refused() -> bool:
                return "run could not be taken over" in caplog.text

            await until(refused)
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
    assert text_of(task) == "still here "


async def test_more_runs_than_a_server_takes_are_refused_before_anything_is_written(
    mesh_under_test, tmp_path, monkeypatch
):
    monkeypatch.setattr("hector_agent.runs.MOST_LIVE", 1)
    async with serving(mesh_under_test, tmp_path, ScriptedModel(endless)):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            await stub.SendMessage(ask("one", configuration=NOW))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.SendMessage(ask("two", configuration=NOW))
            runs = await AgentServiceStub(mesh_under_test.mesh).ListRuns(ListRunsRequest())
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert runs.total_size == 1


async def test_a_run_that_is_just_being_written_down_when_the_server_stops_goes_on_after_the_next_start(
    mesh_under_test, tmp_path, monkeypatch
):
    begun, go_on = asyncio.Event(), asyncio.Event()
    create = RunLog.create

    async def slow(log, run, *events):
        begun.set()
        await go_on.wait()
        return await create(log, run, *events)

    monkeypatch.setattr(RunLog, "create", slow)
    with as_ada():
        async with serving(mesh_under_test, tmp_path, ScriptedModel(endless)):
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            call = stub.SendMessage(ask("hi"))
            async with asyncio.timeout(5):
                await begun.wait()
            asyncio.get_running_loop().call_soon(go_on.set)
        async with asyncio.timeout(5):
            with pytest.raises(grpc.aio.AioRpcError) as cut:
                await call
        assert cut.value.code() is grpc.StatusCode.UNAVAILABLE
        async with serving(mesh_under_test, tmp_path, ScriptedModel("hello")):
            await until(lambda: all_over(mesh_under_test, 1))


async def test_a_run_whose_end_is_being_written_is_not_ended_twice(mesh_under_test, tmp_path, monkeypatch):
    begun, go_on = asyncio.Event(), asyncio.Event()
    append = RunLog.append

    async def slow(log, run, epoch, events, changes, **more):
        if changes.state == "RUN_STATE_COMPLETED":
            begun.set()
            await go_on.wait()
        return await append(log, run, epoch, events, changes, **more)

    signal = RunLog.signal

    async def heard(log, *wish):
        number = await signal(log, *wish)
        asyncio.get_running_loop().call_soon(go_on.set)  # once whoever waits for this has gone on
        return number

    monkeypatch.setattr(RunLog, "append", slow)
    monkeypatch.setattr(RunLog, "signal", heard)
    async with serving(mesh_under_test, tmp_path, ScriptedModel("hello")):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            task = (await stub.SendMessage(ask("hi", configuration=NOW))).task
            async with asyncio.timeout(5):
                await begun.wait()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.CancelTask(a2a.CancelTaskRequest(id=task.id))
            found = await stub.GetTask(a2a.GetTaskRequest(id=task.id))
    assert info_of(refused.value).reason == "TASK_NOT_CANCELABLE"
    assert found.status.state == a2a.TASK_STATE_COMPLETED
    assert text_of(found) == "hello "


async def test_every_reader_sees_the_same_text_once(mesh_under_test, tmp_path):
    gates = [asyncio.Event() for _ in range(3)]

    async def in_parts(request):
        for number, gate in enumerate(gates):
            yield StreamTextResponse(text=f"part {number} ")
            await gate.wait()
        yield StreamTextResponse(done=True)

    async with serving(mesh_under_test, tmp_path, ScriptedModel(in_parts)):
        with as_ada():
            stub = AgentServiceStub(mesh_under_test.mesh)
            started = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi", configuration=NOW))

            async def read(after: int, offset: int = 0) -> str:
                text = ""
                async with streaming(
                    stub.Tail(TailRequest(run=started.task.id, after=after, offset=offset))
                ) as events:
                    async for response in events:
                        text += response.event.text_appended.text
                        for number, gate in enumerate(gates):
                            if f"part {number}" in text:
                                gate.set()
                return text

            async with asyncio.timeout(10):
                texts = await asyncio.gather(read(0), read(2), read(2, 5))
            whole = await read(0)
    assert texts == ["part 0 part 1 part 2 ", "part 0 part 1 part 2 ", "0 part 1 part 2 "]
    assert whole == "part 0 part 1 part 2 "


async def test_text_in_progress_reaches_the_log_before_the_model_has_finished(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel(endless)):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            async with streaming(stub.SendStreamingMessage(ask("hi"))) as stream:
                task = await first_text(stream)

                async def committed() -> bool:
                    return "on and on" in text_of(await stub.GetTask(a2a.GetTaskRequest(id=task)))

                await until(committed)


async def test_a_finished_task_cannot_be_cancelled(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel("done")):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            task = (await stub.SendMessage(ask("hi"))).task
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.CancelTask(a2a.CancelTaskRequest(id=task.id))
    assert info_of(refused.value).reason == "TASK_NOT_CANCELABLE"


async def test_what_belongs_to_somebody_else_is_not_found(mesh_under_test, tmp_path):
    eve = Call(principal=Principal("eve"))
    async with serving(mesh_under_test, tmp_path, ScriptedModel("secret", endless)):
        stub, agents = a2a.A2AServiceStub(mesh_under_test.mesh), AgentServiceStub(mesh_under_test.mesh)
        with as_ada():
            over = (await stub.SendMessage(ask("hi"))).task
            async with streaming(stub.SendStreamingMessage(ask("hi", over.context_id))) as stream:
                running = await first_text(stream)
        cancel = Signal(cancel=CancelRun())
        with scope(eve):
            for task in (over.id, running, "no-such-task"):
                for call in (
                    stub.GetTask(a2a.GetTaskRequest(id=task)),
                    stub.CancelTask(a2a.CancelTaskRequest(id=task)),
                    agents.GetRun(GetRunRequest(run=task)),
                    agents.Signal(SignalRequest(run=task, signal=cancel)),
                ):
                    with pytest.raises(grpc.aio.AioRpcError) as refused:
                        await call
                    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        with scope(Call(principal=Principal("eve"), app="default")):
            assert not (await agents.ListSessions(ListSessionsRequest())).sessions


async def test_turns_of_one_session_run_one_after_another(mesh_under_test, tmp_path):
    go_on = asyncio.Event()

    async def waits(request):
        await go_on.wait()
        yield StreamTextResponse(text="first", done=True)

    model = ScriptedModel(waits, "second")
    async with serving(mesh_under_test, tmp_path, model):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            first = (await stub.SendMessage(ask("one", configuration=NOW))).task
            second = (await stub.SendMessage(ask("two", first.context_id, configuration=NOW))).task
            assert second.status.state == a2a.TASK_STATE_SUBMITTED
            assert len(model.requests) <= 1
            go_on.set()

            async def answered() -> bool:
                task = await stub.GetTask(a2a.GetTaskRequest(id=second.id))
                return task.status.state == a2a.TASK_STATE_COMPLETED

            await until(answered)
    assert [message.parts[0].text for message in model.requests[1].messages][1:] == ["one", "first", "two"]


async def all_over(mesh_under_test, runs: int) -> bool:
    tasks = (await a2a.A2AServiceStub(mesh_under_test.mesh).ListTasks(a2a.ListTasksRequest())).tasks
    over = [task for task in tasks if task.status.state == a2a.TASK_STATE_COMPLETED]
    return len(over) == runs


async def test_a_run_that_a_crash_left_behind_goes_on_where_it_was(mesh_under_test, tmp_path):
    with as_ada():
        async with serving(mesh_under_test, tmp_path, ScriptedModel("hello")):
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
        # As a kill -9 leaves it: the row says that it is being worked on, by a worker that is gone.
        with sqlite3.connect(tmp_path / "runs.db") as database:
            database.execute("UPDATE runs SET state = 'RUN_STATE_WORKING', finished = 0, next_seq = 3")
            database.execute("DELETE FROM run_events WHERE seq > 2")
        database.close()
        async with serving(mesh_under_test, tmp_path, ScriptedModel("hello again")):
            await until(lambda: all_over(mesh_under_test, 1))
            found = await a2a.A2AServiceStub(mesh_under_test.mesh).GetTask(a2a.GetTaskRequest(id=task.id))
    assert text_of(found) == "hello again "


async def test_without_checkpoints_it_ends_as_interrupted_with_what_it_had(mesh_under_test, tmp_path):
    with as_ada():
        async with serving(mesh_under_test, tmp_path, ScriptedModel("hello")):
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
        with sqlite3.connect(tmp_path / "runs.db") as database:
            database.execute("UPDATE runs SET state = 'RUN_STATE_WORKING', finished = 0")
        database.close()
        storage = {"checkpoint": {"enabled": False}}
        async with serving(mesh_under_test, tmp_path, ScriptedModel(), storage=storage):
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)

            async def failed() -> bool:
                found = await stub.GetTask(a2a.GetTaskRequest(id=task.id))
                return found.status.state == a2a.TASK_STATE_FAILED

            await until(failed)
            found = await stub.GetTask(a2a.GetTaskRequest(id=task.id))
            run = await AgentServiceStub(mesh_under_test.mesh).GetRun(GetRunRequest(run=task.id))
    assert text_of(found) == "hello "
    assert run.run.error.reason == "INTERRUPTED"


async def test_what_is_at_work_when_the_server_stops_goes_on_after_the_next_start(mesh_under_test, tmp_path):
    with as_ada():
        async with serving(mesh_under_test, tmp_path, ScriptedModel(endless)):
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            async with streaming(stub.SendStreamingMessage(ask("hi"))) as stream:
                task = await first_text(stream)
        async with serving(mesh_under_test, tmp_path, ScriptedModel("and done")):
            await until(lambda: all_over(mesh_under_test, 1))
            found = await a2a.A2AServiceStub(mesh_under_test.mesh).GetTask(a2a.GetTaskRequest(id=task))
    assert text_of(found) == "and done "


async def test_a_log_that_hangs_does_not_hold_up_a_stop(mesh_under_test, tmp_path, monkeypatch):
    """The next start goes on with what this one could not let go of: as after a crash."""
    monkeypatch.setattr("hector_agent.runs.ENDING_S", 0.1)
    answers, append = asyncio.Event(), RunLog.append

    async def hanging(*what, **more):
        await answers.wait()
        return await append(*what, **more)

    with as_ada():
        async with asyncio.timeout(10), serving(mesh_under_test, tmp_path, ScriptedModel(endless)):
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            monkeypatch.setattr(RunLog, "append", hanging)
            async with streaming(stub.SendStreamingMessage(ask("hi"))) as stream:
                await first_text(stream)
        answers.set()
        async with serving(mesh_under_test, tmp_path, ScriptedModel("done")):
            await until(lambda: all_over(mesh_under_test, 1))


async def test_a_run_that_takes_too_long_fails_and_names_the_limit(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel(endless), timeout="100ms"):
        with as_ada():
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
    assert task.status.state == a2a.TASK_STATE_FAILED
    assert "agents.assistant.timeout" in task.status.message.parts[0].text
