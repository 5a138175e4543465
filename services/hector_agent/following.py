"""A task's stream: the task as it is, or was where an earlier stream broke off, and then what changes."""

import re
from collections.abc import AsyncGenerator

import hector_a2a as a2a
from hector.agent.v1 import RunEvent, TextAppended
from hector_store import RunLog, RunRow

from .errors import HistoryPruned
from .feed import Cursor, Feed
from .growing import OpenText
from .ledger import begins, events_of
from .tail import Reader
from .view import PLACE, SHOWN, fold, new_task, update

INPUT_REQUIRED = a2a.TASK_STATE_INPUT_REQUIRED
OVER = frozenset(
    {a2a.TASK_STATE_COMPLETED, a2a.TASK_STATE_FAILED, a2a.TASK_STATE_CANCELED, a2a.TASK_STATE_REJECTED}
)
HEADER = "Last-Event-ID"
PLACES = re.compile(r"(\d{1,15})(?:\.(\d{1,10}))?", re.ASCII)


def place_in(text: str) -> Cursor:
    """Return what a reader has that names a place as streams do: `seq`, or `seq.offset` inside a text.

    Raises:
        InvalidParams: It is no place.
    """
    found = PLACES.fullmatch(text)
    seq, offset = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    if found is None or seq == 0:
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise a2a.InvalidParams(
            {HEADER: f"{shown!r} is no event's id; those of this task's streams look like 7 or 7.120"}
        )
    return Cursor(seq - 1, offset) if found[2] is not None else Cursor(seq)


def place_of(cursor: Cursor) -> str:
    """Return the place of a reader; `place_in` is its inverse."""
    return f"{cursor.seq + 1}.{cursor.offset}" if cursor.offset else str(cursor.seq)


async def as_of(log: RunLog, row: RunRow, feed: Feed | None, cursor: Cursor) -> tuple["a2a.Task", Cursor]:
    """Return the task as a reader at `cursor` has it, and the cursor of a reader that has that.

    An offset into a text that was never written, or was written otherwise, is void: the text was lost with
    whoever worked on the run, and what the reader gets stands before it.

    Raises:
        HistoryPruned: What is behind the cursor is not kept any more.
        InvalidParams: There is nothing yet where the reader says it was.
    """
    while True:
        found = await log.story(row.app, row.owner, row.id, SHOWN)
        if found is None:
            raise a2a.TaskNotFound(row.id)
        row, rows = found
        if cursor.seq >= row.next_seq:
            last = row.next_seq - 1
            raise a2a.InvalidParams(
                {HEADER: f"says event {place_of(cursor)}, and the last one of task {row.id!r} is {last}"}
            )
        if cursor.seq + 1 < row.next_seq:
            kept = await log.events(row.app, row.id, after=cursor.seq, limit=1)
            if not kept or begins(kept[0]) != cursor.seq + 1:
                raise HistoryPruned(row.id, cursor.seq, kept[0].seq if kept else row.next_seq)
        elif cursor.offset and feed is not None and feed.next > row.next_seq:
            continue  # it was committed between the two looks
        break
    task = new_task(row.id, row.context_id)
    events = [event for event in events_of(rows) if event.seq <= cursor.seq + 1]
    fold(task, (event for event in events if event.seq <= cursor.seq))
    if cursor.offset:
        begun = _begun(events, feed, cursor)
        if begun is None:
            return task, Cursor(cursor.seq)
        fold(task, [RunEvent(text_appended=begun)])
    return task, cursor


async def updates(
    reader: Reader, context: str, opening: "a2a.StreamResponse", *, for_sender: bool = False
) -> AsyncGenerator[list["a2a.StreamResponse"], None]:
    """Yield a stream's first event, and then what is new to a reader, until the run is over.

    What is there at the same time comes together. Messages are shared between readers: they must not be
    changed.

    Args:
        reader: Where the events come from; it is closed at the end.
        context: The run's session.
        opening: The first event.
        for_sender: End where the run waits for its sender's next message.
    """
    run = reader.run
    try:
        yield [opening]
        del opening
        while batch := await reader.read():
            responses = [await without_void(reader, batch[0].event.seq, context)] if reader.void else []
            for shown in batch:
                response = shown.made
                if response is None:
                    response = shown.made = update(shown.event, run, context)  # for the other readers, too
                    if response is None:
                        continue
                responses.append(response)
                if response.HasField("status_update"):
                    state = response.status_update.status.state
                    # Where credentials are wanted it goes on: they come another way.
                    if state in OVER or (for_sender and state == INPUT_REQUIRED):
                        yield responses
                        return
            if responses:
                yield responses
            del batch, shown, response, responses  # a stream that waits would keep what was shown
    finally:
        reader.close()


async def without_void(reader: Reader, seq: int, context: str) -> "a2a.StreamResponse":
    """Return an artifact as it is in the log before event `seq`, for a reader who has more of it.

    It had seen text that nobody committed: whoever worked on the run is gone, and the text with it. What
    comes in its place need not begin the artifact anew; it may be the end of the run.
    """
    artifact_id, reader.void = reader.void, ""
    task = await reader.shown_before(seq)
    found = [artifact for artifact in task.artifacts if artifact.artifact_id == artifact_id]
    response = a2a.StreamResponse()
    changed = response.artifact_update
    changed.task_id, changed.context_id = reader.run, context
    changed.artifact.artifact_id, changed.artifact.name = artifact_id, "answer"
    if found:
        changed.artifact.CopyFrom(found[0])
    else:
        changed.artifact.parts.add(text="")
    changed.metadata[PLACE] = str(seq - 1)
    return response


def first(task: "a2a.Task", cursor: Cursor) -> "a2a.StreamResponse":
    """Return a stream's first event."""
    response = a2a.StreamResponse()
    response.task.CopyFrom(task)
    response.task.metadata.fields[PLACE].string_value = place_of(cursor)
    return response


def _begun(events: list[RunEvent], feed: Feed | None, cursor: Cursor) -> TextAppended | None:
    """Return the beginning of a text that a reader has; None: there is no such text."""
    text: TextAppended | OpenText | None = None
    if events and events[-1].seq == cursor.seq + 1:
        if events[-1].WhichOneof("event") == "text_appended":
            text = events[-1].text_appended
    elif feed is not None and feed.next == cursor.seq + 1:
        text = feed.open_text
    if text is None or len(text.text) < cursor.offset:
        return None
    return TextAppended(artifact_id=text.artifact_id, text=text.text[: cursor.offset], append=text.append)
