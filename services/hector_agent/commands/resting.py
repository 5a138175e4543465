"""Where code of the operator's own may stop between two steps: because it is paused, leaves, or sleeps."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

from hector.agent.v1 import RunEvent
from hector_agent.errors import RunReleased
from hector_agent.moment import Also
from hector_agent.run import Run
from hector_store import NEVER, NOW

from .deciding import paused
from .timers import asleep, ended, timer_at, wake_us_of


class Commit(Protocol):
    """Writes what a handler has said so far, and events behind that."""

    def __call__(self, *events: RunEvent, also: Also | None = None) -> Awaitable[None]: ...


async def may_go_on(run: Run, commit: Commit) -> None:
    """Return if the next step of a handler may begin here.

    Raises:
        CancelledError: Not here and now; all that was said is written.
        RunReleased: It goes on elsewhere.
    """
    if run.pausing is not None:
        asked = run.pausing
        await commit(paused(asked), also=Also(until_us=NEVER))
        _unwind(run)
    if run.leaving:
        await commit()
        raise RunReleased(run.place.run)


async def sleep(
    run: Run,
    own: Sequence[RunEvent],
    name: str,
    wake_us: int | None,
    delay_s: float,
    commit: Commit,
    *,
    takes_signal: bool,
) -> str | None:
    """Wait until a moment, or for a signal before; return its JSON, or None.

    The moment is counted from the first time that this is asked for: who asks again, after the handler was
    called anew, goes on to wait, or is past it.

    Args:
        run: Who waits.
        own: Its events until its handler was called.
        name: Tells this wait from others of the run.
        wake_us: The moment; None: `delay_s` from now.
        delay_s: How long.
        commit: Writes what was said before, too.
        takes_signal: A signal ends it, too.

    Raises:
        CancelledError: It waits from now on, and holds nothing: the handler is called again.
    """
    events = list[RunEvent]()
    for event in own:
        if event.HasField("timer_ended") and event.timer_ended.name == name:
            return event.timer_ended.wake_json or None
    timer = next(
        (event.timer_set for event in own if event.HasField("timer_set") and event.timer_set.name == name),
        None,
    )
    now_us = await run.now_us()
    if timer is None:
        due_us = min(wake_us if wake_us is not None else now_us + round(delay_s * 1_000_000), NEVER)
        events.append(timer_at(name, due_us, takes_signal=takes_signal))
        timer = events[0].timer_set
    if takes_signal and run.wakes:
        said = run.wakes.pop(0)
        await commit(*events, ended(timer, said))
        return said
    if wake_us_of(timer) <= now_us:
        await commit(*events, ended(timer))
        return None
    await may_go_on(run, commit)
    await commit(*events, asleep(), also=Also(until_us=wake_us_of(timer)))
    if takes_signal and run.wakes:  # it came in the same moment: somebody takes the run at once
        await run.release(NOW)
    _unwind(run)
    return None


def _unwind(run: Run) -> None:
    """Leave the handler, which is called again when the run goes on."""
    run.stopping = True
    raise asyncio.CancelledError
