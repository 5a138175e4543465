"""Asking agents: of a server, streamed or looked after, and of a mesh in this process."""

import asyncio

import pytest

import hector_a2a as a2a
from hector_a2a.client_errors import BrokenAnswer, NoServerThere, Refused
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


class BreakingClient:
    """A server whose streams break off; each attempt to pick one up gets the next of `then`."""

    url = "http://there"

    def __init__(self, *then):
        self.then = list(then)
        self.subscribed, self.got = [], 0

    async def ask(self, request):
        yield a2a.StreamResponse(task=placed(task(a2a.TASK_STATE_WORKING), "1"))
        yield piece("one ", "2")
        raise BrokenAnswer(self.url, "the line was cut")

    async def subscribe(self, id_, agent="", place=""):
        self.subscribed.append((id_, agent, place))
        step = self.then.pop(0) if len(self.then) > 1 else self.then[0]
        if isinstance(step, Exception):
            raise step
        for response in step:
            yield response
        if not self.then or response.WhichOneof("payload") != "status_update":
            raise BrokenAnswer(self.url, "the line was cut again")

    async def get(self, id_, agent="", history_length=None):
        self.got += 1
        return task(a2a.TASK_STATE_COMPLETED)


def placed(message, place):
    message.metadata["hector.seq"] = place
    return message


def piece(text, place):
    made = a2a.StreamResponse()
    made.artifact_update.task_id, made.artifact_update.append = "t-1", True
    made.artifact_update.artifact.artifact_id = "answer-1"
    made.artifact_update.artifact.parts.add(text=text)
    placed(made.artifact_update, place)
    return made


def over():
    made = a2a.StreamResponse()
    made.status_update.task_id = "t-1"
    made.status_update.status.state = a2a.TASK_STATE_COMPLETED
    return placed(made.status_update, "9") and made


def as_of(text, place):
    made = placed(task(a2a.TASK_STATE_WORKING), place)
    made.artifacts.add(artifact_id="answer-1").parts.add(text=text)
    return a2a.StreamResponse(task=made)


async def heard(client):
    written, lost = [], []
    asker = ServerAsker(client, lambda: lost.append(True))
    answer = await followed(asker, question("hi", "writer", ""), Show(text=written.append))
    return "".join(written), answer, lost


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(asking, "RETRY_S", (0.001, 0.002))
    monkeypatch.setattr(asking, "PICK_UP_S", 0.05)


async def test_a_stream_that_breaks_off_is_picked_up_where_it_did(patience):
    client = BreakingClient(
        [as_of("one ", "2"), piece("two ", "3")], [as_of("one two ", "3"), piece("three", "4"), over()]
    )
    text, answer, lost = await heard(client)
    assert (text, answer.text, answer.good) == ("one two three", "one two three", True)
    assert client.subscribed == [("t-1", "writer", "2"), ("t-1", "writer", "3")]
    assert lost == [True]


async def test_a_server_that_comes_back_is_waited_for(patience):
    client = BreakingClient(
        NoServerThere("http://there", "refused"), [as_of("one ", "2"), piece("two", "3"), over()]
    )
    text, answer, _ = await heard(client)
    assert (text, answer.good) == ("one two", True)


async def test_what_cannot_be_picked_up_any_more_is_fetched_as_it_is(patience):
    client = BreakingClient(Refused("it is over", reason="UNSUPPORTED_OPERATION"))
    text, answer, _ = await heard(client)
    assert (answer.good, client.got) == (True, 1)
    assert text.endswith("The whole answer.")


async def test_a_server_that_does_not_come_back_is_told_as_that(patience):
    with pytest.raises(BrokenAnswer, match=r"http://there broke off: the server stopped, or was lost"):
        await heard(BreakingClient(NoServerThere("http://there", "refused")))


async def test_a_line_that_always_breaks_is_told_as_that(patience):
    with pytest.raises(BrokenAnswer, match="broke off: the line was cut"):
        await heard(BreakingClient(BrokenAnswer("http://there", "again")))
