"""Asking agents: of a server, streamed or looked after, and of a mesh in this process."""

import asyncio

import pytest

import hector_a2a as a2a
from hector_a2a.client_errors import Refused
from hector_config import load
from hector_runtime import asking
from hector_runtime.asking import ServerAsker, question
from hector_runtime.cli.answer import Show, followed
from hector_runtime.config import Config, completed
from hector_runtime.inside import MeshAsker, in_process


class FakeClient:
    """A server whose agent does not stream, or does."""

    def __init__(self, *states, streams=False, reason="UNSUPPORTED_OPERATION"):
        self.states = list(states)
        self.streams, self.reason = streams, reason
        self.asked, self.cancelled = [], []
        self.looked = asyncio.Event()

    async def ask(self, request):
        if not self.streams:
            raise Refused("no", reason=self.reason)
        for state in self.states:
            yield a2a.StreamResponse(task=task(state))

    async def send(self, request):
        self.asked.append(request)
        return a2a.SendMessageResponse(task=task(self.states.pop(0)))

    async def get(self, id_, agent="", history_length=None):
        assert (id_, agent) == ("t-1", "quiet")
        self.looked.set()
        return task(self.states.pop(0)) if self.states else task(a2a.TASK_STATE_WORKING)

    async def cancel(self, id_, agent=""):
        self.cancelled.append((id_, agent))


def task(state):
    made = a2a.Task(id="t-1", context_id="c-1")
    made.status.state = state
    if state == a2a.TASK_STATE_COMPLETED:
        made.artifacts.add(artifact_id="answer-1").parts.add(text="The whole answer.")
    return made


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(asking, "POLL_S", (0.001, 0.002))


async def test_an_agent_that_does_not_stream_is_asked_and_looked_after():
    client = FakeClient(a2a.TASK_STATE_SUBMITTED, a2a.TASK_STATE_WORKING, a2a.TASK_STATE_COMPLETED)
    written = []
    async with asyncio.timeout(5):
        answer = await followed(ServerAsker(client), question("hi", "quiet", ""), Show(text=written.append))
    assert answer.good
    assert (answer.task, answer.context, answer.text) == ("t-1", "c-1", "The whole answer.")
    assert written == ["The whole answer."]
    assert client.asked[0].configuration.return_immediately
    assert client.cancelled == []


async def test_an_agent_that_does_not_stream_can_be_cancelled_while_it_works():
    client = FakeClient(a2a.TASK_STATE_SUBMITTED)
    asked = asyncio.create_task(followed(ServerAsker(client), question("hi", "quiet", ""), Show(text=print)))
    async with asyncio.timeout(5):
        await client.looked.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    assert client.cancelled == [("t-1", "quiet")]


async def test_an_agent_that_streams_is_asked_once():
    client = FakeClient(a2a.TASK_STATE_COMPLETED, streams=True)
    answer = await followed(ServerAsker(client), question("hi", "quiet", ""), Show())
    assert answer.good
    assert client.asked == []


async def test_another_refusal_is_passed_on():
    client = FakeClient(reason="TASK_NOT_FOUND")
    with pytest.raises(Refused):
        await followed(ServerAsker(client), question("hi", "quiet", ""), Show())


@pytest.fixture
async def offline():
    text = "{llms: {default: {provider: local}}, storage: {database: inmemory}}"
    config, _ = await completed(load(text, Config, environment={}).config, {})
    async with asyncio.timeout(30), in_process(config) as mesh:
        yield mesh


async def test_a_mesh_in_this_process_answers_and_goes_on_in_a_session(offline: MeshAsker):
    first = await followed(offline, question("My name is Ada.", "", ""), Show())
    assert first.good
    assert first.context
    second = await followed(offline, question("What is my name?", "assistant", first.context), Show())
    assert "Ada" in second.text
    assert second.context == first.context


async def test_the_pieces_written_are_the_text_of_the_answer(offline: MeshAsker):
    pieces = []
    answer = await followed(offline, question("Hello", "", ""), Show(text=pieces.append))
    assert "".join(pieces) == answer.text
