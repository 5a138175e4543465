"""architecture.md: what a newer version wrote survives an older reader, and no older reader misreads it."""

import pytest

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    MessageReceived,
    ModelAnswered,
    RunEvent,
    StatusChanged,
    TextAppended,
)
from hector_agent.conversation import messages_of
from hector_agent.feed import Cursor
from hector_agent.ledger import events_of, task_of
from hector_agent.packing import packed
from hector_agent.rows import row_of
from hector_agent.tail import tail
from hector_mesh import HectorError
from hector_store import EVENT_FORMAT, NewEvent, NewRun, RunChanges, RunLog, opened

TALK = [
    RunEvent(message_received=MessageReceived(message=packed(a2a.Message(role=a2a.ROLE_USER)))),
    RunEvent(text_appended=TextAppended(artifact_id="answer-1", text="Hello")),
    RunEvent(model_answered=ModelAnswered()),
    RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED)),
]
OF_LATER = b"\xfa\x3e\x05later"  # field 1007 of any message, five bytes long


@pytest.fixture
async def log():
    async with opened("inmemory") as database:
        yield RunLog(database)


def newer(event: RunEvent) -> NewEvent:
    """The event as a later version writes it: with a field that is not known yet."""
    row = row_of(event)
    return NewEvent(row.kind, row.payload + OF_LATER)


def a_kind_of_later(needs: int) -> NewEvent:
    return NewEvent("poem_recited", b"\xd2\x3e\x04poem", needs)


async def written(log: RunLog, events: list[NewEvent]) -> str:
    run = NewRun(app="a", owner="o", agent="g", context_id="c", state="RUN_STATE_COMPLETED")
    return (await log.create(run, events)).run_id


async def shown(log: RunLog, run_id: str) -> "a2a.Task":
    row = await log.get("a", "o", run_id)
    assert row is not None
    task = task_of(row, await log.events("a", run_id))
    task.ClearField("id")
    task.ClearField("status")
    for message in task.history:
        message.ClearField("task_id")
    return task


async def test_kinds_and_fields_of_a_newer_version_change_nothing_for_an_older_reader(log: RunLog) -> None:
    plain = await written(log, [row_of(event) for event in TALK])
    later = a_kind_of_later(EVENT_FORMAT)
    events = [later, *(newer(event) for event in TALK), later]
    mixed = await written(log, events)
    assert await shown(log, mixed) == await shown(log, plain)
    said = [messages_of(events_of(await log.events("a", run))) for run in (plain, mixed)]
    assert said[0] == said[1]
    seen = [shown.event async for batch in tail(log, "a", mixed, None, Cursor(0)) for shown in batch]
    assert [event.WhichOneof("event") for event in seen] == [event.WhichOneof("event") for event in TALK]
    assert [event.seq for event in seen] == [2, 3, 4, 5]


async def test_what_an_older_version_adds_leaves_what_the_newer_one_wrote(log: RunLog) -> None:
    run = await written(log, [newer(TALK[0]), a_kind_of_later(EVENT_FORMAT)])
    epoch = await log.take_over(run, "older")
    changes = RunChanges(view=b"", state="RUN_STATE_FAILED")
    await log.append(run, epoch, [row_of(TALK[-1])], changes)
    kept = await log.events("a", run)
    assert [(event.kind, OF_LATER in event.payload) for event in kept] == [
        ("message_received", True),
        ("poem_recited", False),
        ("status_changed", False),
    ]
    assert kept[1].payload == b"\xd2\x3e\x04poem"
    # A reader that hands an event on keeps the fields it does not know.
    assert OF_LATER in events_of(kept)[0].SerializeToString()


async def test_lists_leave_out_the_answers_that_an_older_version_kept_beside_the_run(log: RunLog) -> None:
    whole = a2a.Task(history=[a2a.Message()], artifacts=[a2a.Artifact(artifact_id="answer-1")])
    created = await log.create(NewRun(app="a", owner="o", agent="g", view=whole.SerializeToString()))
    row = await log.get("a", "o", created.run_id)
    assert row is not None
    assert (len(task_of(row).history), len(task_of(row).artifacts)) == (1, 0)


async def test_what_must_not_be_left_out_is_refused_with_what_to_do(log: RunLog) -> None:
    run = await written(log, [row_of(TALK[0]), a_kind_of_later(EVENT_FORMAT + 1)])
    with pytest.raises(HectorError, match="upgrade hector to read this run") as caught:
        await shown(log, run)
    assert (caught.value.reason, caught.value.code.name) == (
        "EVENT_NEEDS_NEWER_VERSION",
        "FAILED_PRECONDITION",
    )
    assert caught.value.facts["kind"] == "poem_recited"


async def test_a_state_of_a_newer_version_is_an_unknown_one(log: RunLog) -> None:
    created = await log.create(
        NewRun(app="a", owner="o", agent="g", state="RUN_STATE_DREAMING"), [row_of(TALK[0])]
    )
    row = await log.get("a", "o", created.run_id)
    assert row is not None
    assert task_of(row, await log.events("a", row.id)).status.state == a2a.TASK_STATE_UNSPECIFIED
