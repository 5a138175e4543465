"""Streams of runs whose events were made fewer."""

import pytest
from sqlalchemy import delete, update

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    RUN_STATE_WORKING,
    ArtifactSaved,
    MessageReceived,
    RunEvent,
    StatusChanged,
    TextAppended,
)
from hector_agent.compacting import compacted
from hector_agent.errors import HistoryPruned
from hector_agent.feed import Cursor
from hector_agent.following import as_of, place_in
from hector_agent.packing import packed
from hector_agent.rows import row_of
from hector_agent.tail import Reader
from hector_agent.view import fold
from hector_store import NewRun, RunChanges, RunLog, opened
from hector_store.schema import run_events

RUN = "run"


def piece(number):
    return RunEvent(text_appended=TextAppended(artifact_id="answer-1", text=f"{number} ", append=number > 0))


@pytest.fixture
async def database():
    async with opened("inmemory") as found:
        yield found


@pytest.fixture
async def log(database):
    """A run that is over: 1 message, 2 at work, 3 to 6 text, 7 a file, 8 done."""
    log = RunLog(database)
    message = a2a.Message(message_id="m", role=a2a.ROLE_USER, parts=[a2a.Part(text="hi")])
    made = a2a.Artifact(artifact_id="file", parts=[a2a.Part(text="x")])
    events = [
        RunEvent(message_received=MessageReceived(message=packed(message))),
        RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING)),
        *map(piece, range(4)),
        RunEvent(artifact_saved=ArtifactSaved(artifact=packed(made))),
        RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED)),
    ]
    await log.create(NewRun(id=RUN, app="app", owner="ada", agent="a"), [row_of(event) for event in events])
    await log.append(RUN, 1, [], RunChanges(state="RUN_STATE_COMPLETED"))
    return log


async def compact(log, database):
    (text,) = compacted(await log.events("app", RUN))
    assert (text.seq, text.instead_of) == (6, (3, 4, 5))

    def write(db):
        db.execute(delete(run_events).where(run_events.c.seq.in_(text.instead_of)))
        db.execute(update(run_events).where(run_events.c.seq == 6).values(payload=text.payload))

    await database.write(write)


@pytest.mark.parametrize("place", ["1", "2", "3.1", "6", "7", "8"])
async def test_who_stands_outside_of_what_became_one_event_misses_nothing(log, database, place):
    row = await log.get("app", "ada", RUN)
    whole, _ = await as_of(log, row, None, Cursor(8))
    await compact(log, database)
    task, cursor = await as_of(log, row, None, place_in(place))
    reader = Reader(log, "app", RUN, None, cursor)
    while batch := await reader.read():
        fold(task, [shown.event for shown in batch])
    assert task == whole


@pytest.mark.parametrize("place", [3, 4, 5])
async def test_in_the_midst_of_it_is_no_place_any_more(log, database, place):
    """Ours: said as for events that are gone, and nothing comes twice."""
    row = await log.get("app", "ada", RUN)
    await compact(log, database)
    with pytest.raises(HistoryPruned):
        await as_of(log, row, None, Cursor(place))
    with pytest.raises(HistoryPruned):
        await Reader(log, "app", RUN, None, Cursor(place)).read()
