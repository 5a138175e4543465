"""Ours: what is sent again is not taken twice: for a task that waits, a plain answer, a stream that broke."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from support.custom_agent import answering, said
from support.scripted_agent import ScriptedModel, as_ada, ask, serving, text_of

import hector_a2a as a2a
from hector.llm.v1 import StreamTextResponse
from hector_mesh import info_of, streaming

ASKS = """
    from hector_agent.custom import input_required

    async def echo(turn):
        yield f"{turn.text}. "
        if turn.text != "done":
            yield input_required("more?")
"""
PLAIN = """
    from hector_agent.custom import message

    times = 0

    async def echo(turn):
        global times
        times += 1
        yield message(f"answer {times}")
"""
WAITS, OVER = a2a.TASK_STATE_INPUT_REQUIRED, a2a.TASK_STATE_COMPLETED


def key(name):
    return {"metadata": (("idempotency-key", name),)}


@asynccontextmanager
async def parked(mesh_under_test, folder):
    async with answering(mesh_under_test, folder, ASKS) as agent:
        with as_ada():
            yield agent, (await agent.SendMessage(said("one"), **key("1"))).task


async def test_a_task_that_waits_is_the_answer_to_what_is_sent_again(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        assert task.status.state == WAITS
        assert (await agent.SendMessage(said("one"), **key("1"))).task == task
        async with streaming(agent.SendStreamingMessage(said("one"), **key("1"))) as stream:
            events = [event async for event in stream]
    assert events[0].task.id == task.id
    assert events[-1].status_update.status.state == WAITS


async def test_a_message_for_a_task_that_waits_is_taken_once(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        two = said("two", task=task.id)
        first = (await agent.SendMessage(two, **key("2"))).task
        again = (await agent.SendMessage(two, **key("2"))).task
        last = (await agent.SendMessage(said("done", task=task.id), **key("3"))).task
        late = (await agent.SendMessage(two, **key("2"))).task
    assert first == again
    assert (first.status.state, text_of(first)) == (WAITS, "one. |two. ")
    assert (last.status.state, text_of(last)) == (OVER, "one. |two. |done. ")
    assert late == last


@pytest.mark.parametrize("name", ["1", "2"])
async def test_a_key_stands_for_one_message_of_its_task(mesh_under_test, tmp_path, name):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        await agent.SendMessage(said("two", task=task.id), **key("2"))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await agent.SendMessage(said("three", task=task.id), **key(name))
        found = await agent.GetTask(a2a.GetTaskRequest(id=task.id))
    assert info_of(refused.value).reason == "IDEMPOTENCY_KEY_REUSED"
    assert text_of(found) == "one. |two. "


async def test_the_same_message_many_times_at_once_is_taken_once(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task), asyncio.timeout(20):

        async def send():
            return (await agent.SendMessage(said("two", task=task.id), **key("2"))).task

        answers = await asyncio.gather(*(send() for _ in range(10)))
    assert {text_of(answer) for answer in answers} == {"one. |two. "}
    said_by_user = [message for message in answers[0].history if message.role == a2a.ROLE_USER]
    assert len(said_by_user) == 2


async def test_keys_of_a_task_outlive_a_restart(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        first = (await agent.SendMessage(said("two", task=task.id), **key("2"))).task
    async with answering(mesh_under_test, tmp_path, ASKS) as agent:
        with as_ada():
            again = (await agent.SendMessage(said("two", task=task.id), **key("2"))).task
    assert first == again


async def test_a_stream_of_a_later_message_shows_what_came_of_that(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        two = said("two", task=task.id)
        await agent.SendMessage(two, **key("2"))
        await agent.SendMessage(said("done", task=task.id), **key("3"))
        async with streaming(agent.SendStreamingMessage(two, **key("2"))) as stream:
            events = [event async for event in stream]
    assert [message.parts[0].text for message in events[0].task.history] == ["one", "more?", "two"]
    assert text_of(events[0].task) == "one. "
    assert events[-1].status_update.status.state == WAITS
    told = [part.text for event in events for part in event.artifact_update.artifact.parts]
    assert "".join(told) == "two. "


async def test_a_plain_answer_is_given_again(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, PLAIN) as agent:
        with as_ada():
            first = await agent.SendMessage(said("hi"), **key("1"))
            again = await agent.SendMessage(said("hi"), **key("1"))
            async with streaming(agent.SendStreamingMessage(said("hi"), **key("1"))) as stream:
                (event,) = [event async for event in stream]
            other = await agent.SendMessage(said("hi"), **key("2"))
    assert first.message.parts[0].text == "answer 1"
    assert first == again
    assert event.message == first.message
    assert other.message.parts[0].text == "answer 2"


async def test_a_stream_that_broke_goes_on_where_it_was(mesh_under_test, tmp_path):
    go_on = asyncio.Event()

    async def in_parts(request):
        yield StreamTextResponse(text="first ")
        await go_on.wait()
        yield StreamTextResponse(text="last", done=True)

    async with serving(mesh_under_test, tmp_path, ScriptedModel(in_parts)):
        with as_ada():
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            async with streaming(agent.SendStreamingMessage(ask("hi"), **key("1"))) as stream:
                async for event in stream:
                    if event.HasField("artifact_update"):
                        place = event.artifact_update.metadata["hector.seq"]
                        break
            there = (("idempotency-key", "1"), ("last-event-id", place))
            for _ in range(2):  # while it is at work, and when it is over
                async with streaming(agent.SendStreamingMessage(ask("hi"), metadata=there)) as stream:
                    go_on.set()
                    events = [event async for event in stream]
                assert text_of(events[0].task) == "first "
                told = [part.text for event in events for part in event.artifact_update.artifact.parts]
                assert "".join(told) == "last"
