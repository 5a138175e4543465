"""What a turn reads of its session: as much of what was said as its agent wants, and the state it sees."""

from collections.abc import Sequence
from dataclasses import dataclass

from hector.agent.v1 import RunEvent
from hector.common.v1 import ROLE_USER, Message
from hector_agent.agent import Agent
from hector_agent.ledger import events_of
from hector_agent.run import Run
from hector_agent.view import SHOWN
from hector_store import RunLog

from .scopes import merged

SAID = SHOWN | {"turn_parked", "message_sent", "model_answered", "tool_finished", "messages_added"}
"""Kinds of events that a conversation is made of."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session as a turn finds it."""

    events: Sequence[RunEvent]
    """What was said in other runs, oldest first; no older ones than the agent wants."""
    state: dict[str, object]
    """The state of all scopes, by key."""
    ahead: Sequence[str] = ()
    """Runs before this one that are not over, and do not wait for somebody: the latest first."""


async def session_of(log: RunLog, agent: Agent, run: Run, *, is_new: bool) -> Session:
    """Return the session of a run: what was before it, or for one that was at work before, all of it.

    How much is read does not grow with the session where the agent's `context` says how much it wants: each
    run says something, so that many messages are in no more than so many runs.
    """
    place = run.place
    if is_new and place.position == 1:
        return Session((), merged(await log.states.seen_by_new(place.app, place.owner)))
    window = agent.config.context.messages
    told = await log.told(
        place.app,
        place.owner,
        place.context,
        after_position=0 if window is None else max(0, place.position - 1 - window),
        before_position=place.position if is_new else None,
        kinds=SAID,
    )
    events = events_of(told.events)
    return Session(
        [event for event in events if event.run != place.run],
        merged(told.scopes),
        [other for other in told.ahead if other != place.run],
    )


def latest(messages: Sequence[Message], most: int | None) -> list[Message]:
    """Return the latest messages, beginning with one of the user's; None: all of them.

    So a call of a tool is never without its result, nor a result without its call.
    """
    if most is None or len(messages) <= most:
        return list(messages)
    found = messages[len(messages) - most :]
    begins = next((at for at, message in enumerate(found) if message.role == ROLE_USER), len(found))
    return list(found[begins:])
