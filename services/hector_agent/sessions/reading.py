"""What a turn reads of its session: as much of what was said as its agent wants, and the state it sees."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from hector.agent.v1 import RunEvent
from hector_agent.agent import Agent
from hector_agent.commands.standing import without_retried
from hector_agent.conversation import messages_of
from hector_agent.ledger import events_of
from hector_agent.run import Run
from hector_agent.view import SHOWN
from hector_store import RunLog

from .scopes import merged

SAID = SHOWN | {
    "turn_parked",
    "message_sent",
    "model_answered",
    "tool_finished",
    "messages_added",
    "run_retried",
}
"""Kinds of events that a conversation is made of."""


class Session(NamedTuple):
    """A session as a turn finds it."""

    events: Sequence[RunEvent]
    """What was said in other runs, oldest first; no more than the agent wants."""
    state: dict[str, object]
    """The state of all scopes, by key."""
    ahead: Sequence[str] = ()
    """Runs before this one that are not over, and do not wait for somebody: the latest first."""


def new_session(log: RunLog, run: Run) -> Session | None:
    """Return the session that a new run begins; None: it has to be read, see `session_of`."""
    place = run.place
    if place.position > 1 or log.states.outlives_sessions(place.app):
        return None
    return Session((), {})


async def session_of(log: RunLog, agent: Agent, run: Run, *, is_new: bool) -> Session:
    """Return the session of a run: what was before it; where code of the operator's goes on, all of it.

    How much is read does not grow with the session where the agent's `context` says how much it wants: each
    run says something, so that many messages are in no more than so many runs.
    """
    place = run.place
    if is_new and place.position == 1:
        return Session((), merged(await log.states.seen_by_new(place.app, place.owner)))
    window = agent.config.context.messages
    is_whole = agent.handler is not None and not is_new
    if place.position == 1 and not is_whole:
        return Session((), merged(await log.states.seen_by(place.app, place.owner, place.context)))
    told = await log.told(
        place.app,
        place.owner,
        place.context,
        after_position=0 if window is None else max(0, place.position - 1 - window),
        before_position=None if is_whole else place.position,
        kinds=SAID,
    )
    told_events = without_retried(events_of(told.events), run.retry_of)
    events = [event for event in told_events if event.run != place.run]
    return Session(
        events if window is None else latest(events, window),
        merged(told.scopes),
        [other for position, other in told.at_work if position < place.position],
    )


def latest(events: Sequence[RunEvent], most: int) -> list[RunEvent]:
    """Return the latest turns that are no more messages than that together; the last one in any case.

    Whole turns: so a call of a tool is never without its result, and it is the user who begins.
    """
    turns = [list(turn) for _, turn in groupby(events, key=lambda event: event.run)]
    kept: list[RunEvent] = []
    left = most
    for turn in reversed(turns):
        left -= len(messages_of(turn))
        if left < 0 and kept:
            break
        kept = turn + kept
    return kept
