"""A2A 1.10: an answer may be exactly one message, and then there is no task."""

import asyncio

import grpc
import pytest
from support.custom_agent import answering, said
from support.scripted_agent import as_ada, text_of, until

import hector_a2a as a2a
from hector.agent.v1 import AgentServiceStub, GetSessionRequest, ListRunsRequest
from hector_mesh import info_of, streaming

PLAIN = """
    from hector_agent.custom import message

    async def echo(turn):
        yield message(f"{turn.text} ({len(turn.history)})", metadata={"mood": "calm"})
"""
ALWAYS_PLAIN = """
    import asyncio
    from hector_agent.custom import Message, message

    async def echo(turn) -> Message:
        await asyncio.sleep(0.05)
        return message(turn.text)
"""


def plain(answer: "a2a.Message") -> str:
    assert answer.role == a2a.ROLE_AGENT
    assert answer.message_id
    assert answer.context_id
    assert not answer.task_id
    return answer.parts[0].text


async def nothing_listed(agent) -> bool:
    page = await agent.ListTasks(a2a.ListTasksRequest())
    return not page.tasks and page.total_size == 0


async def test_a_blocking_send_is_answered_with_the_message(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, PLAIN) as agent:
        with as_ada():
            answer = (await agent.SendMessage(said("hi"))).message
            assert plain(answer) == "hi (0)"
            assert answer.metadata["mood"] == "calm"
            assert await nothing_listed(agent)


async def test_a_send_that_does_not_wait_is_answered_with_the_message(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, PLAIN) as agent:
        with as_ada():
            request = said("hi", configuration={"return_immediately": True})
            assert plain((await agent.SendMessage(request)).message) == "hi (0)"


async def test_a_stream_is_the_message_and_nothing_else(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, PLAIN) as agent:
        with as_ada():
            [event] = [event async for event in agent.SendStreamingMessage(said("hi"))]
            assert plain(event.message) == "hi (0)"


@pytest.mark.parametrize("source", [PLAIN, ALWAYS_PLAIN])
async def test_a_message_belongs_to_its_session(mesh_under_test, tmp_path, source):
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            first = (await agent.SendMessage(said("one", context="c"))).message
            await agent.SendMessage(said("two", context="c"))
            assert first.context_id == "c"
            session = await AgentServiceStub(mesh_under_test.mesh).GetSession(GetSessionRequest(session="c"))
            told = [message.parts[0].text for message in session.session.messages]
            assert [text.split(" ")[0] for text in told] == ["one", "one", "two", "two"]


async def test_a_handler_sees_plain_answers_in_the_history(mesh_under_test, tmp_path):
    source = """
        from hector_agent.custom import message

        async def echo(turn):
            yield message(str([m.parts[0].text for m in turn.history]))
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            await agent.SendMessage(said("one", context="c"))
            assert plain((await agent.SendMessage(said("two", context="c"))).message) == "['one', '[]']"


async def test_there_is_no_task_to_get_cancel_follow_or_go_on_with(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, PLAIN) as agent:
        with as_ada():
            await agent.SendMessage(said("hi", context="c"))
            [run] = (await AgentServiceStub(mesh_under_test.mesh).ListRuns(ListRunsRequest())).runs
            for call in (
                agent.GetTask(a2a.GetTaskRequest(id=run.name)),
                agent.CancelTask(a2a.CancelTaskRequest(id=run.name)),
                agent.SendMessage(said("more", task=run.name)),
                _first(agent.SubscribeToTask(a2a.SubscribeToTaskRequest(id=run.name))),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await call
                assert info_of(refused.value).reason == "TASK_NOT_FOUND"


@pytest.mark.parametrize("way", ["blocking", "immediately", "stream"])
async def test_who_promises_a_message_is_waited_for(mesh_under_test, tmp_path, monkeypatch, way):
    """Ours: `-> Message` says it before anything is said."""
    monkeypatch.setattr("hector_agent.run.DECIDES_S", 0.0)
    async with answering(mesh_under_test, tmp_path, ALWAYS_PLAIN) as agent:
        with as_ada():
            if way == "stream":
                sending = asyncio.ensure_future(_first(agent.SendStreamingMessage(said("hi"))))
            else:
                request = said("hi", configuration={"return_immediately": way == "immediately"})
                sending = asyncio.ensure_future(agent.SendMessage(request))

            async def is_at_work():
                return bool((await AgentServiceStub(mesh_under_test.mesh).ListRuns(ListRunsRequest())).runs)

            await until(is_at_work)
            assert await nothing_listed(agent)
            assert plain((await sending).message) == "hi"
            assert await nothing_listed(agent)


async def test_who_thinks_too_long_has_begun_a_task(mesh_under_test, tmp_path, monkeypatch):
    """Ours: a client that wants to know at once is not kept waiting for a message that may never come."""
    monkeypatch.setattr("hector_agent.run.DECIDES_S", 0.0)
    source = """
        import asyncio
        from hector_agent.custom import message

        async def echo(turn):
            while not (await turn.find_task(turn.task_id)):
                pass
            await asyncio.sleep(0.1)
            yield message("late")
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            events = [event async for event in agent.SendStreamingMessage(said("hi"))]
            assert events[0].HasField("task")
            assert events[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED
            task = await agent.GetTask(a2a.GetTaskRequest(id=events[0].task.id))
            assert text_of(task) == "late"


async def test_a_promise_that_fails_is_a_task_that_failed(mesh_under_test, tmp_path):
    source = """
        from hector_agent.custom import Message

        async def echo(turn) -> Message:
            raise KeyError("secret")
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("hi"))).task
            assert task.status.state == a2a.TASK_STATE_FAILED
            assert await agent.GetTask(a2a.GetTaskRequest(id=task.id)) == task


async def test_a_message_after_a_task_has_begun_is_no_answer(mesh_under_test, tmp_path):
    source = """
        from hector_agent.custom import message

        async def echo(turn):
            yield "a task"
            yield message("and a message")
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada(), pytest.raises(grpc.aio.AioRpcError) as refused:
            await agent.SendMessage(said("hi"))
        assert info_of(refused.value).reason == "INVALID_AGENT_RESPONSE"


async def test_a_message_survives_a_restart_in_its_session(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, PLAIN) as agent:
        with as_ada():
            await agent.SendMessage(said("one", context="c"))
    async with answering(mesh_under_test, tmp_path, PLAIN) as agent:
        with as_ada():
            assert plain((await agent.SendMessage(said("two", context="c"))).message) == "two (2)"


async def _first(stream):
    async with streaming(stream) as events:
        async for event in events:
            return event


THINKING = """
    import asyncio

    thought = asyncio.Event()

    async def echo(turn):
        if turn.text == "think":
            thought.set()
        else:
            await thought.wait()
        yield turn.text
"""


@pytest.mark.parametrize("way", ["immediately", "stream"])
async def test_who_wants_to_know_at_once_is_told_of_a_task_while_its_agent_thinks(
    mesh_under_test, tmp_path, way
):
    async with answering(mesh_under_test, tmp_path, THINKING) as agent:
        with as_ada():
            if way == "stream":
                task = (await _first(agent.SendStreamingMessage(said("hi")))).task
            else:
                request = said("hi", configuration={"return_immediately": True})
                task = (await agent.SendMessage(request)).task
            assert task.status.state == a2a.TASK_STATE_WORKING
            assert not task.artifacts
            await agent.SendMessage(said("think"))
