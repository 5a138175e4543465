"""An answer is put together from what streams in, and written once."""

import asyncio

import pytest

import hector_a2a as a2a
from hector_mesh import HectorError
from hector_runtime.asking import question
from hector_runtime.cli import answer
from hector_runtime.cli.answer import Show, ToolUse, followed


def started(state=a2a.TASK_STATE_WORKING, **artifacts):
    update = a2a.StreamResponse()
    update.task.id, update.task.context_id = "t-1", "c-1"
    update.task.status.state = state
    for name, text in artifacts.items():
        update.task.artifacts.add(artifact_id=name).parts.add(text=text)
    return update


def piece(text, name="one", *, append=True):
    update = a2a.StreamResponse()
    update.artifact_update.artifact.artifact_id = name
    update.artifact_update.artifact.parts.add(text=text)
    update.artifact_update.append = append
    return update


def status(state, text="", **metadata):
    update = a2a.StreamResponse()
    update.status_update.status.state = state
    if text:
        update.status_update.status.message.parts.add(text=text)
    update.status_update.metadata.update(metadata)
    return update


STAYS_OPEN = object()


class Says:
    def __init__(self, *responses, cancelling=None):
        self.responses, self.cancelled, self.cancelling = responses, [], cancelling

    async def ask(self, request):
        for response in self.responses:
            if response is STAYS_OPEN:
                await asyncio.Event().wait()
            if isinstance(response, BaseException):
                raise response
            yield response

    async def cancel(self, task, agent):
        self.cancelled.append((task, agent))
        if self.cancelling:
            raise self.cancelling


async def read(*responses, **options):
    written, notes = [], []
    says = Says(*responses, **options)
    show = Show(text=written.append, tool=notes.append)
    found = await followed(says, question("hi", "a", ""), show)
    return found, "".join(written), notes, says


async def test_pieces_become_the_text_and_artifacts_are_apart():
    found, written, _, says = await read(
        started(),
        piece("Let me ", append=False),
        piece("look."),
        piece("Found.", "two", append=False),
        status(a2a.TASK_STATE_COMPLETED),
    )
    assert found.good
    assert found.text == written == "Let me look.\n\nFound."
    assert says.cancelled == []


async def test_an_artifact_that_begins_anew_replaces_what_there_was_in_the_answer():
    found, _, _, _ = await read(
        started(), piece("half", append=False), piece("whole", append=False), status(a2a.TASK_STATE_COMPLETED)
    )
    assert found.text == "whole"


async def test_artifacts_that_come_with_the_task_are_written_once():
    found, written, _, _ = await read(
        started(), started(one="The answer"), started(a2a.TASK_STATE_COMPLETED, one="The answer, all of it")
    )
    assert found.text == written == "The answer, all of it"


async def test_a_plain_message_is_an_answer():
    update = a2a.StreamResponse()
    update.message.context_id = "c-1"
    update.message.parts.add(text="Hello")
    found, written, _, _ = await read(update)
    assert found.good
    assert (found.text, written, found.context) == ("Hello", "Hello", "c-1")


async def test_a_failure_keeps_its_reason():
    found, _, _, _ = await read(started(), status(a2a.TASK_STATE_FAILED, "no key"))
    assert not found.good
    assert found.problem == "no key"


def doing(event, **facts):
    facts = {"event": event, "tool": "search", "call": "c-1", **facts}
    return status(a2a.TASK_STATE_WORKING, **{f"hector.{name}": fact for name, fact in facts.items()})


async def test_a_tool_is_shown_when_it_has_ended_and_kept_in_the_answer():
    found, _, shown, _ = await read(
        started(),
        doing("tool_started", arguments='{"query": "x"}'),
        doing("tool_finished", duration_ms=12, result_size=345),
        status(a2a.TASK_STATE_COMPLETED),
    )
    assert shown == [ToolUse("search", '{"query": "x"}', 12, 345)]
    assert found.tools == {"c-1": shown[0]}


async def test_a_tool_that_failed_says_why():
    _, _, shown, _ = await read(started(), doing("tool_finished", duration_ms=1, result_size=4, error="gone"))
    assert shown[0].error == "gone"


async def test_an_agent_that_waits_has_not_answered():
    found, _, _, _ = await read(started(), status(a2a.TASK_STATE_INPUT_REQUIRED, "Which one?"))
    assert found.waits
    assert not found.good
    assert (found.problem, found.state_name) == ("Which one?", "input_required")


async def test_cancelled_before_the_task_is_known_it_waits_for_it_and_stops_it():
    says = Says()
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def late(request):
        asked.set()
        await go_on.wait()
        yield started()
        await asyncio.Event().wait()

    says.ask = late
    asking = asyncio.create_task(followed(says, question("hi", "a", ""), Show()))
    async with asyncio.timeout(5):
        await asked.wait()
        asking.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert says.cancelled == [("t-1", "a")]


async def test_a_stream_that_breaks_stops_nothing():
    """Ours: the server may go on, or have ended the task in its own way."""
    says = Says(started(), HectorError("broken"))
    with pytest.raises(HectorError, match="broken"):
        await followed(says, question("hi", "a", ""), Show())
    assert says.cancelled == []


def gone(text):
    raise BrokenPipeError


@pytest.mark.parametrize("failing", [None, HectorError("no such task")])
async def test_a_reader_that_is_gone_stops_the_task(failing):
    says = Says(started(), piece("x"), piece("y"), cancelling=failing)
    with pytest.raises(BrokenPipeError):
        await followed(says, question("hi", "a", ""), Show(text=gone))
    assert says.cancelled == [("t-1", "a")]


async def test_a_task_that_is_over_is_not_stopped():
    says = Says(started(a2a.TASK_STATE_COMPLETED), piece("x"))
    with pytest.raises(BrokenPipeError):
        await followed(says, question("hi", "a", ""), Show(text=gone))
    assert says.cancelled == []


async def test_a_server_that_does_not_cancel_in_time_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(answer, "CANCEL_S", 0.05)
    says = Says(started(), piece("x"))

    async def hangs(task, agent):
        await asyncio.Event().wait()

    says.cancel = hangs
    async with asyncio.timeout(5):
        with pytest.raises(BrokenPipeError):
            await followed(says, question("hi", "a", ""), Show(text=gone))


@pytest.mark.parametrize("first", [[started(), status(a2a.TASK_STATE_AUTH_REQUIRED, "Sign in.")], None])
async def test_who_is_to_show_credentials_is_told_though_the_stream_stays_open(first):
    """A2A 1.0, section 7.6.1: it stays open at AUTH_REQUIRED. Somebody sits before it."""
    if first is None:  # a task that waits before anybody reads of it
        first = [started(a2a.TASK_STATE_AUTH_REQUIRED)]
        first[0].task.status.message.parts.add(text="Sign in.")
    async with asyncio.timeout(5):
        found, _, _, says = await read(*first, STAYS_OPEN)
    assert (found.waits, found.problem, found.task) == (True, "Sign in.", "t-1")
    assert says.cancelled == []
