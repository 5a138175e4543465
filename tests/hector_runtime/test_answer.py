"""An answer is put together from what streams in, and written once."""

import asyncio

import pytest

import hector_a2a as a2a
from hector_mesh import HectorError
from hector_runtime.asking import question
from hector_runtime.cli import answer
from hector_runtime.cli.answer import followed


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


class Says:
    def __init__(self, *responses, cancelling=None):
        self.responses, self.cancelled, self.cancelling = responses, [], cancelling

    async def ask(self, request):
        for response in self.responses:
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
    found = await followed(says, question("hi", "a", ""), written.append, notes.append)
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


async def test_what_the_agent_does_meanwhile_is_noted():
    doing = {"hector.event": "tool_started", "hector.tool": "search"}
    _, _, notes, _ = await read(
        started(), status(a2a.TASK_STATE_WORKING, **doing), status(a2a.TASK_STATE_COMPLETED)
    )
    assert notes == ["using search"]


async def test_a_stream_that_breaks_stops_nothing():
    """Ours: the server may go on, or have ended the task in its own way."""
    says = Says(started(), HectorError("broken"))
    with pytest.raises(HectorError, match="broken"):
        await followed(says, question("hi", "a", ""), print)
    assert says.cancelled == []


def gone(text):
    raise BrokenPipeError


@pytest.mark.parametrize("failing", [None, HectorError("no such task")])
async def test_a_reader_that_is_gone_stops_the_task(failing):
    says = Says(started(), piece("x"), piece("y"), cancelling=failing)
    with pytest.raises(BrokenPipeError):
        await followed(says, question("hi", "a", ""), gone)
    assert says.cancelled == [("t-1", "a")]


async def test_a_task_that_is_over_is_not_stopped():
    says = Says(started(a2a.TASK_STATE_COMPLETED), piece("x"))
    with pytest.raises(BrokenPipeError):
        await followed(says, question("hi", "a", ""), gone)
    assert says.cancelled == []


async def test_a_server_that_does_not_cancel_in_time_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(answer, "CANCEL_S", 0.05)
    says = Says(started(), piece("x"))

    async def hangs(task, agent):
        await asyncio.Event().wait()

    says.cancel = hangs
    async with asyncio.timeout(5):
        with pytest.raises(BrokenPipeError):
            await followed(says, question("hi", "a", ""), gone)
