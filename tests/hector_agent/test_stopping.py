"""Ours: who cancels stops everything within a second and is told so, whatever an agent's code does."""

import asyncio
import os
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc
import pytest
from support.custom_agent import answering, said
from support.processes import is_alive
from support.scripted_agent import ScriptedModel, ScriptedTools, as_ada, ask, serving, text_of, until

import hector_a2a as a2a
from hector.agent.v1 import AgentServiceStub, GetRunRequest
from hector.llm.v1 import StreamTextResponse
from hector_agent.at_work import STOPPING_S
from hector_mesh import Call, Principal, info_of, scope, streaming

WITHIN_S = 5.0
"""What a test waits for what takes a second at most on a quiet machine."""

SLEEPS = """
    import asyncio
    from pathlib import Path

    FOLDER = Path(__file__).parent

    async def echo(turn):
        yield "begun"
        try:
            await asyncio.sleep(300)
        finally:
            (FOLDER / "stopped").touch()
"""
TIDIES = """
    import asyncio
    from pathlib import Path

    FOLDER = Path(__file__).parent

    async def echo(turn):
        yield "begun"
        try:
            await asyncio.sleep(300)
        finally:
            await asyncio.sleep(0.2)
            (FOLDER / "stopped").touch()
"""
STAYS = """
    import asyncio
    from pathlib import Path

    FOLDER = Path(__file__).parent

    async def echo(turn):
        if turn.text != "hi":
            yield "next"
            return
        yield "begun"
        while not (FOLDER / "go").exists():
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                (FOLDER / "heard").touch()
        try:
            yield "too late"
        finally:
            (FOLDER / "stopped").touch()
"""
FAMILY = """
    import asyncio
    from pathlib import Path
    from hector_agent.custom import program

    FOLDER = Path(__file__).parent

    async def echo(turn):
        async with program("sh", "-c", f"sleep 300 & echo $! > {FOLDER}/grandchild; wait"):
            yield "begun"
            await asyncio.sleep(300)
"""


@asynccontextmanager
async def begun(mesh_under_test, folder, source):
    """Run an agent, and yield it with a task that is at work and has said so."""
    async with answering(mesh_under_test, folder, source) as agent:
        with as_ada():
            async with streaming(agent.SendStreamingMessage(said("hi"))) as events:
                async for event in events:
                    if event.HasField("task"):
                        task = event.task
                    if event.HasField("artifact_update"):
                        break
            yield agent, task


def cancel(agent, task):
    return agent.CancelTask(a2a.CancelTaskRequest(id=task.id))


async def there(path: Path) -> None:
    async def is_there() -> bool:
        return os.path.exists(path)  # noqa: ASYNC240, PTH110 - at once

    await until(is_there)


async def number_in(path: Path) -> int:
    found = ""

    async def is_written() -> bool:
        nonlocal found
        found = read(path)
        return found.endswith("\n")

    await until(is_written)
    return int(found)


def read(path: Path) -> str:
    with suppress(FileNotFoundError):
        return path.read_text()
    return ""


@pytest.mark.parametrize("source", [SLEEPS, TIDIES])
async def test_code_that_waits_is_stopped_and_may_tidy_up(mesh_under_test, tmp_path, source):
    async with begun(mesh_under_test, tmp_path, source) as (agent, task), asyncio.timeout(WITHIN_S):
        told = await cancel(agent, task)
        assert (tmp_path / "stopped").exists()  # before it was said to be stopped
    assert told.status.state == a2a.TASK_STATE_CANCELED
    assert text_of(told) == "begun"


async def test_code_that_does_not_stop_is_left_behind(mesh_under_test, tmp_path, caplog):
    async with begun(mesh_under_test, tmp_path, STAYS) as (agent, task):
        began = time.monotonic()
        async with asyncio.timeout(WITHIN_S):
            told = await cancel(agent, task)
        assert time.monotonic() - began >= STOPPING_S  # it got its time to tidy up
        assert (tmp_path / "heard").exists()
        assert told.status.state == a2a.TASK_STATE_CANCELED
        runs = AgentServiceStub(mesh_under_test.mesh)
        ended = await runs.GetRun(GetRunRequest(run=task.id))
        (tmp_path / "go").touch()
        await there(tmp_path / "stopped")
        found = await agent.GetTask(a2a.GetTaskRequest(id=task.id))
        assert await runs.GetRun(GetRunRequest(run=task.id)) == ended
    assert text_of(found) == "begun"  # and not what it said afterwards
    assert "run was ended although its code did not stop" in caplog.text


async def test_a_turn_that_is_left_behind_lets_the_next_one_of_its_session_in(mesh_under_test, tmp_path):
    async with begun(mesh_under_test, tmp_path, STAYS) as (agent, task), asyncio.timeout(WITHIN_S):
        await cancel(agent, task)
        answer = await agent.SendMessage(said("and now?", task.context_id))
        (tmp_path / "go").touch()
        await there(tmp_path / "stopped")
    assert text_of(answer.task) == "next"


async def test_code_that_does_not_stop_does_not_hold_up_the_servers_end(mesh_under_test, tmp_path):
    try:
        async with asyncio.timeout(WITHIN_S), begun(mesh_under_test, tmp_path, STAYS):
            pass
    finally:
        (tmp_path / "go").touch()
    await there(tmp_path / "stopped")


async def test_programs_and_what_they_started_are_gone_when_their_task_is_cancelled(
    mesh_under_test, tmp_path
):
    async with begun(mesh_under_test, tmp_path, FAMILY) as (agent, task):
        grandchild = await number_in(tmp_path / "grandchild")
        async with asyncio.timeout(WITHIN_S):
            await cancel(agent, task)

        async def gone() -> bool:
            return not is_alive(grandchild)

        await until(gone)


async def test_two_who_cancel_are_told_the_same(mesh_under_test, tmp_path):
    async with begun(mesh_under_test, tmp_path, TIDIES) as (agent, task), asyncio.timeout(WITHIN_S):

        async def once():
            return await cancel(agent, task)

        answers = await asyncio.gather(once(), once(), once())
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await cancel(agent, task)
    assert [answer.status.state for answer in answers] == [a2a.TASK_STATE_CANCELED] * 3
    assert (tmp_path / "stopped").exists()  # the second did not break off what the first had begun
    assert info_of(refused.value).reason == "TASK_NOT_CANCELABLE"


async def test_somebody_else_cannot_cancel_and_stops_nothing(mesh_under_test, tmp_path):
    async with begun(mesh_under_test, tmp_path, SLEEPS) as (agent, task):
        with scope(Call(principal=Principal("eve"))), pytest.raises(grpc.aio.AioRpcError) as refused:
            await cancel(agent, task)
        assert info_of(refused.value).reason == "TASK_NOT_FOUND"
        assert not (tmp_path / "stopped").exists()
        found = await agent.GetTask(a2a.GetTaskRequest(id=task.id))
        assert found.status.state == a2a.TASK_STATE_WORKING


async def test_a_run_that_waits_for_its_turn_is_cancelled_without_one(mesh_under_test, tmp_path):
    async def endless(request):
        yield StreamTextResponse(text="on and on ")
        await asyncio.Event().wait()

    model = ScriptedModel(endless)
    now = a2a.SendMessageConfiguration(return_immediately=True)
    async with serving(mesh_under_test, tmp_path, model):
        with as_ada():
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            first = (await agent.SendMessage(ask("one", configuration=now))).task
            second = (await agent.SendMessage(ask("two", first.context_id, configuration=now))).task
            assert second.status.state == a2a.TASK_STATE_SUBMITTED
            async with asyncio.timeout(WITHIN_S):
                told = await cancel(agent, second)
            going_on = await agent.GetTask(a2a.GetTaskRequest(id=first.id))
            await cancel(agent, first)
    assert told.status.state == a2a.TASK_STATE_CANCELED
    assert going_on.status.state == a2a.TASK_STATE_WORKING
    assert len(model.requests) == 1


async def test_tools_that_work_side_by_side_are_all_stopped(mesh_under_test, tmp_path):
    tools = ScriptedTools()
    async with serving(mesh_under_test, tmp_path, ScriptedModel([("slow", {}), ("slow", {})]), tools):
        with as_ada():
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            now = a2a.SendMessageConfiguration(return_immediately=True)
            task = (await agent.SendMessage(ask("hi", configuration=now))).task

            async def both_at_work() -> bool:
                return tools.running == 2

            async def none_at_work() -> bool:
                return tools.running == 0

            await until(both_at_work)
            async with asyncio.timeout(WITHIN_S):
                told = await cancel(agent, task)
            await until(none_at_work)
    assert told.status.state == a2a.TASK_STATE_CANCELED


async def test_who_cancels_in_the_moment_of_the_end_is_told_the_truth(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel(*["hello"] * 30)):
        with as_ada():
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            now = a2a.SendMessageConfiguration(return_immediately=True)
            for number in range(30):
                task = (await agent.SendMessage(ask("hi", configuration=now))).task
                for _ in range(number):
                    await asyncio.sleep(0)
                told, refused = a2a.TASK_STATE_COMPLETED, "TASK_NOT_CANCELABLE"
                try:
                    told = (await cancel(agent, task)).status.state
                except grpc.aio.AioRpcError as error:
                    refused = info_of(error).reason
                found = await agent.GetTask(a2a.GetTaskRequest(id=task.id))
                assert (found.status.state, refused) == (told, "TASK_NOT_CANCELABLE")


@pytest.mark.parametrize("code", [SLEEPS, SLEEPS.replace('yield "begun"', "pass")], ids=["says", "thinks"])
async def test_who_waits_too_long_is_told_which_task_goes_on(mesh_under_test, tmp_path, monkeypatch, code):
    """A2A has no word for it; without one a client that has no idempotency key has lost its turn."""
    monkeypatch.setattr("hector_agent.again.EARLIER_S", 60.0)
    monkeypatch.setattr("hector_agent.again.EARLIER", 0.95)
    async with answering(mesh_under_test, tmp_path, code) as stub:
        with as_ada():
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.SendMessage(said("hi"), timeout=20)
            assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            told = info_of(refused.value)
            assert told.reason == "STILL_AT_WORK"
            task = await stub.GetTask(a2a.GetTaskRequest(id=told.metadata["taskId"]))
            assert task.context_id == told.metadata["contextId"]
            assert task.status.state == a2a.TASK_STATE_WORKING
            await stub.CancelTask(a2a.CancelTaskRequest(id=task.id))
