"""A run that waits for a moment: its timer is a row that somebody claims when it is due, and nothing else."""

from datetime import UTC, datetime, timedelta

from hector.agent.v1 import RUN_STATE_WAITING, RunEvent, StatusChanged, TimerEnded, TimerSet
from hector_agent.moment import Also
from hector_agent.run import Run
from hector_store import NEVER


async def timer_in(run: Run, name: str, delay_s: float, call_id: str = "") -> tuple[RunEvent, int]:
    """Return a timer that is over so long from now, by the database's clock, and when that is.

    Raises:
        HectorError: The database cannot be asked.
    """
    wake_us = await run.now_us() + max(0, round(delay_s * 1_000_000))
    return timer_at(name, wake_us, call_id=call_id), wake_us


def timer_at(name: str, wake_us: int, *, call_id: str = "", takes_signal: bool = False) -> RunEvent:
    """Return a timer that is over at a moment; NEVER: only a signal ends it."""
    timer = TimerSet(name=name, call_id=call_id, takes_signal=takes_signal)
    if wake_us < NEVER:
        timer.wake_time.FromMicroseconds(wake_us)
    return RunEvent(timer_set=timer)


def wake_us_of(timer: TimerSet) -> int:
    """Return when a timer is over."""
    return timer.wake_time.ToMicroseconds() if timer.HasField("wake_time") else NEVER


def ended(timer: TimerSet, wake_json: str = "") -> RunEvent:
    """Return the end of a timer."""
    return RunEvent(timer_ended=TimerEnded(name=timer.name, wake_json=wake_json))


def asleep() -> RunEvent:
    """Return the state of a run that waits for its timers."""
    return RunEvent(status_changed=StatusChanged(state=RUN_STATE_WAITING))


async def sleep(run: Run, events: list[RunEvent], wake_us: int) -> None:
    """Write that a run waits from now on, and holds nothing until a moment."""
    await run.commit([*events, asleep()], also=Also(until_us=wake_us))


def micros(moment: datetime) -> int:
    """Return a moment as the database has it.

    Raises:
        ValueError: Nobody can tell in which zone it is.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment needs its zone, as datetime.now(UTC) + timedelta(hours=1)")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
