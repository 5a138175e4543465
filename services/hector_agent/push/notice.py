"""What a receiver is told next: made of the log behind its cursor, and the same however often it is made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import hector_a2a as a2a
from hector.agent.v1 import RunEvent
from hector_agent.ledger import events_of
from hector_agent.view import FINAL, PLACE, fold, new_task, update
from hector_store import PushRow, RunLog, RunRow

V03 = "0.3"
BATCH = 200  # events read at once
MOST_TEXT = 64 * 1024  # characters of text that one notification joins


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification. `seq` is the last event that it tells of, and so names it."""

    seq: int
    payload: "a2a.StreamResponse"
    is_last: bool
    """Nothing will ever follow."""
    may_grow: bool = False
    """Made later, it would hold more: it must be settled where it ends before it is sent."""


async def next_notice(log: RunLog, row: PushRow, run: RunRow) -> Notice | None:
    """Return what comes behind `row.delivered` in the log of its run; None when there is nothing yet.

    Receivers of A2A 1.0 get what a stream's readers get, committed events only: the task as of the beginning,
    then each update; text that piled up while the receiver was busy is joined. Those of 0.3 get the whole
    task whenever its state changes or one of its artifacts is complete. Of a run that is answered with a
    plain message all of them get that message.
    """
    if not run.is_task:
        return await _message(log, row) if run.finished else None
    if row.delivered < row.start:
        events = events_of(await log.events(row.app, row.run_id, limit=row.start))
        task = fold(new_task(row.run_id, run.context_id), events)
        return _of_task(task, row.start, _is_final(events[-1]) if events else False)
    after = row.delivered
    while True:
        rows = await log.events(row.app, row.run_id, after=after, limit=BATCH)
        found = events_of(rows)
        notice = (
            await _whole(log, row, run.context_id, found)
            if row.dialect == V03
            else _update(found, row, run.context_id)
        )
        if notice is not None or len(rows) < BATCH:
            return notice
        after = rows[-1].seq


async def _message(log: RunLog, row: PushRow) -> Notice | None:
    """Return the plain message that is a run's answer, in place of a task."""
    for event in events_of(await log.events(row.app, row.run_id)):
        if event.WhichOneof("event") == "message_sent":
            shown = update(event, row.run_id, "")
            return Notice(event.seq, shown, is_last=True) if shown is not None else None
    return None


def _update(events: Sequence[RunEvent], row: PushRow, context: str) -> Notice | None:
    """Return the first of the events that shows something, joined with the text that goes on from it."""
    for index, event in enumerate(events):
        if event.WhichOneof("event") == "text_appended":
            joined, may_grow = _joined(event, events[index + 1 :], row.pledged)
        else:
            joined, may_grow = event, False
        shown = update(joined, row.run_id, context)
        if shown is not None:
            return Notice(joined.seq, shown, _is_final(event), may_grow and not row.pledged)
    return None


def _joined(first: RunEvent, following: Iterable[RunEvent], pledged: int) -> tuple[RunEvent, bool]:
    """Return one piece of text with those that follow it, and whether more may follow.

    Up to `pledged`, if there is a pledge: it was sent like that before.
    """
    joined = RunEvent()
    joined.CopyFrom(first)
    text = joined.text_appended
    for event in following:
        if text.last or len(text.text) >= MOST_TEXT or (pledged and joined.seq >= pledged):
            return joined, False
        kind = event.WhichOneof("event")
        more = event.text_appended
        if kind != "text_appended" or more.artifact_id != text.artifact_id or not more.append:
            if update(event, "", "") is None:
                continue  # it shows nothing, and so parts nothing
            return joined, False
        text.text += more.text
        text.last = more.last
        joined.seq = event.seq
        joined.time.CopyFrom(event.time)
    return joined, not text.last


async def _whole(log: RunLog, row: PushRow, context: str, events: Sequence[RunEvent]) -> Notice | None:
    """Return the task as of the first of the events that 0.3's receivers are told of."""
    for event in events:
        if _tells(event):
            rows = await log.events(row.app, row.run_id, limit=event.seq)
            task = fold(new_task(row.run_id, context), events_of(rows))
            return _of_task(task, event.seq, _is_final(event))
    return None


def _tells(event: RunEvent) -> bool:
    kind = event.WhichOneof("event")
    if kind == "text_appended":
        return event.text_appended.last
    if kind == "artifact_saved":
        return event.artifact_saved.last or not event.artifact_saved.append
    return kind == "status_changed"


def _of_task(task: "a2a.Task", seq: int, is_last: bool) -> Notice:
    task.metadata[PLACE] = str(seq)
    return Notice(seq, a2a.StreamResponse(task=task), is_last)


def _is_final(event: RunEvent) -> bool:
    return event.WhichOneof("event") == "status_changed" and event.status_changed.state in FINAL
