"""What becomes of a message to a session in which a turn is at work: it waits, is refused, or interrupts."""

import asyncio
from types import SimpleNamespace

import grpc
import pytest
from support.custom_agent import answering, said
from support.open_doors import opened
from support.scripted_agent import ADA, ScriptedModel, as_ada, text_of

import hector_a2a as a2a
from hector.agent.v1 import AgentServiceStub, TailRequest
from hector.llm.v1 import StreamTextResponse
from hector_agent.moment import Place
from hector_agent.sessions.contending import interrupt
from hector_mesh import Call, info_of
from hector_store.errors import StorageClosed

SOURCE = """
    import asyncio
    from pathlib import Path
    from hector_agent.custom import input_required

    async def echo(turn):
        yield "begun "
        if turn.text == "wait":
            await asyncio.Event().wait()
        if turn.text == "ask":
            yield input_required("?")
        else:
            yield turn.text
"""
NOW = a2a.SendMessageConfiguration(return_immediately=True)


async def at_work(agent, context: str) -> "a2a.Task":
    task = (await agent.SendMessage(said("wait", context=context, configuration=NOW))).task
    async with asyncio.timeout(10):
        async for response in agent.SubscribeToTask(a2a.SubscribeToTaskRequest(tenant="custom", id=task.id)):
            if response.task.artifacts or response.HasField("artifact_update"):
                break
    return task


async def test_a_turn_that_is_in_the_way_refuses_the_next_one(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, SOURCE, concurrent_turns="reject") as agent:
        with as_ada():
            task = await at_work(agent, "c")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await agent.SendMessage(said("hi", context="c"))
            assert refused.value.code() is grpc.StatusCode.ABORTED
            told = info_of(refused.value)
            assert (told.reason, told.metadata["taskId"]) == ("TURN_IN_PROGRESS", task.id)
            free = (await agent.SendMessage(said("hi", context="other"))).task
            assert text_of(free) == "begun hi"
            await agent.CancelTask(a2a.CancelTaskRequest(tenant="custom", id=task.id))
            assert text_of((await agent.SendMessage(said("hi", context="c"))).task) == "begun hi"
            asking = (await agent.SendMessage(said("ask", context="c"))).task
            assert text_of((await agent.SendMessage(said("hi", context="c"))).task) == "begun hi"
            busy = await at_work(agent, "c")
            with pytest.raises(grpc.aio.AioRpcError) as in_the_way:
                await agent.SendMessage(said("go on", task=asking.id))
            assert info_of(in_the_way.value).metadata["taskId"] == busy.id
            await agent.CancelTask(a2a.CancelTaskRequest(tenant="custom", id=busy.id))
            assert (await agent.SendMessage(said("go on", task=asking.id))).task.status.state == (
                a2a.TASK_STATE_COMPLETED
            )


async def test_of_many_messages_at_once_one_is_taken_where_others_are_refused(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, SOURCE, concurrent_turns="reject") as agent:
        with as_ada():
            await agent.SendMessage(said("hi", context="c"))
            answers = await asyncio.gather(
                *(agent.SendMessage(said("wait", context="c", configuration=NOW)) for _ in range(8)),
                return_exceptions=True,
            )
            taken = [answer for answer in answers if not isinstance(answer, BaseException)]
            assert len(taken) == 1
            reasons = {info_of(one).reason for one in answers if isinstance(one, grpc.aio.AioRpcError)}
            assert reasons == {"TURN_IN_PROGRESS"}
            await agent.CancelTask(a2a.CancelTaskRequest(tenant="custom", id=taken[0].task.id))


async def test_a_message_interrupts_the_turn_at_work_and_goes_on(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, SOURCE, concurrent_turns="interrupt") as agent:
        with as_ada():
            first = await at_work(agent, "c")
            elsewhere = await at_work(agent, "other")
            async with asyncio.timeout(10):
                second = (await agent.SendMessage(said("hi", context="c"))).task
            assert text_of(second) == "begun hi"
            stopped = await agent.GetTask(a2a.GetTaskRequest(tenant="custom", id=first.id))
            assert stopped.status.state == a2a.TASK_STATE_CANCELED
            assert text_of(stopped) == "begun ", "what it had said is kept"
            other = await agent.GetTask(a2a.GetTaskRequest(tenant="custom", id=elsewhere.id))
            assert other.status.state == a2a.TASK_STATE_WORKING
            runs = AgentServiceStub(mesh_under_test.mesh)
            events = [
                response.event async for response in runs.Tail(TailRequest(run=first.id, committed_only=True))
            ]
            assert events[-1].status_changed.state, "and that it was cancelled is recorded"


async def test_a_message_to_a_task_that_waits_interrupts_as_well(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, SOURCE, concurrent_turns="interrupt") as agent:
        with as_ada():
            asking = (await agent.SendMessage(said("ask", context="c"))).task
            busy = await at_work(agent, "c")
            async with asyncio.timeout(10):
                done = (await agent.SendMessage(said("go on", task=asking.id))).task
            assert done.status.state == a2a.TASK_STATE_COMPLETED
            stopped = await agent.GetTask(a2a.GetTaskRequest(tenant="custom", id=busy.id))
            assert stopped.status.state == a2a.TASK_STATE_CANCELED


async def test_each_door_says_in_its_own_code_that_a_turn_is_in_the_way(mesh_under_test, tmp_path):
    begun = asyncio.Event()

    async def endless(request):
        begun.set()
        yield StreamTextResponse(text="on ")
        await asyncio.Event().wait()

    from support.doors import Refused

    model = ScriptedModel(endless)
    async with opened(mesh_under_test, tmp_path, model, concurrent_turns="reject") as place:
        task = await place.doors()[0].send("hi", wait=False, contextId="c")
        async with asyncio.timeout(10):
            await begun.wait()
        codes = {}
        for door in place.doors():
            with pytest.raises(Refused) as refused:
                await door.send("again", contextId="c")
            assert refused.value.reason == "TURN_IN_PROGRESS"
            assert task["id"] in refused.value.message
            codes[f"{door.binding} {door.version}"] = refused.value.code
        await place.doors()[0].cancel(task["id"])
    assert codes == {
        "JSONRPC 1.0": -32603,
        "HTTP+JSON 1.0": 409,
        "GRPC 1.0": "ABORTED",
        "JSONRPC 0.3": -32603,
        "HTTP+JSON 0.3": 409,
        "GRPC 0.3": "ABORTED",
    }


async def test_a_database_that_is_away_when_a_turn_is_to_be_interrupted_is_told_of(caplog):
    class Away:
        async def at_work(self, *_):
            raise StorageClosed("it")

    caplog.set_level("INFO")
    run = SimpleNamespace(place=Place("run-2", "default", "ada", "assistant", "c", 2, 1))
    await interrupt(SimpleNamespace(log=Away()), run, Call(principal=ADA), is_new=True)
    [told] = [record for record in caplog.records if record.msg == "turns were not interrupted"]
    assert (told.by, told.reason) == ("run-2", "STORAGE_CLOSED")
