"""Commands to runs, from any replica: written down, and acted upon by whoever works on the run.

The same command twice is one effect. A command to a run that is over says so.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from hector.agent.v1 import (
    RUN_STATE_AUTH_REQUIRED,
    RUN_STATE_CANCELED,
    RUN_STATE_WAITING,
    CancelRun,
    PauseRun,
    ResumeRun,
    RunEvent,
    RunState,
    Signal,
    SignalReceived,
    StatusChanged,
)
from hector_agent.ends import is_fenced
from hector_agent.errors import RunDoesNotWait, RunNotFound, RunOver, WakeNotUsable
from hector_agent.ledger import events_of, state_of
from hector_agent.roster import Roster
from hector_agent.runs import Runs
from hector_agent.state import is_change
from hector_agent.view import INTERRUPTED
from hector_mesh import Call, HectorError, Principal
from hector_store import RunRow

from .errors import NotHeld, NothingToPause, NotTakenYet
from .measuring import COMMANDS
from .standing import PAUSED, held, pausing, timers_set
from .wishes import written

OPERATORS = frozenset({"operator", "admin"})
PATIENCE_S = 20.0
"""How long a command waits for who has the run: longer than a lease, whose worker may be gone."""
KNOWN_S = 1.0
"""How long the end of a run may be committed before its worker, in the same process, goes by it."""
LOOK_S, SELDOM_S = 0.005, 0.1
"""How soon it is looked whether a command was acted upon, and how often later."""


class Done(NamedTuple):
    """What a command came to."""

    row: RunRow
    """The run, as it is now."""
    changed: bool
    """False: it was so before."""
    id: int = 0
    """The command's number in the run's signals; 0: it needed none."""


class Commands:
    """Gives commands to runs, for their owners, and for operators to everybody's."""

    def __init__(self, runs: Runs, roster: Roster) -> None:
        self._runs, self._roster = runs, roster

    async def cancel(self, call: Call, run: str, reason: str = "", *, only_own: bool = False) -> Done:
        """Stop a run and all that it started; return when it is over.

        Raises:
            RunNotFound: There is none of that id for the caller.
            RunOver: It ended otherwise.
            NotTakenYet: Who has it does not answer, and may be gone: it is done when somebody has it.
        """
        row = await self.row(call, run, only_own=only_own)
        if row.finished:
            await self._known(row)
            return _counted("cancel", _cancelled(row, changed=False))
        asked = SignalReceived(signal=Signal(cancel=CancelRun(reason=reason)), principal=call.principal.id)
        live = self._runs.live(row.app, row.owner, run)
        if live is not None:
            self._runs.halt(live, StatusChanged(state=RUN_STATE_CANCELED), [asked])
        number = await self._signal(row, asked)
        live = live or await self._runs.taken_up(row.app, row.owner, run)
        if live is not None:
            self._runs.halt(live, StatusChanged(state=RUN_STATE_CANCELED), [asked])
            await live.finished.wait()
        elif not row.worker:
            end = RunEvent(status_changed=StatusChanged(state=RUN_STATE_CANCELED))
            try:
                await self._runs.end_parked(row, [RunEvent(signal_received=asked), end])
            except HectorError as error:
                if not is_fenced(error):
                    raise  # else somebody has taken it since, and the signal with it
        row = await self._until(call, row, "the cancelling", _is_finished)
        return _counted("cancel", _cancelled(row, changed=True)._replace(id=number))

    async def pause(self, call: Call, run: str, reason: str = "") -> Done:
        """Have a run stop before its next step; return when whoever works on it knows.

        Raises:
            RunNotFound, RunOver, NotTakenYet: As `cancel`.
            NothingToPause: It waits for somebody.
        """
        row = await self.row(call, run)
        _refuse_if_over(row)
        if state_of(row) in INTERRUPTED:
            raise NothingToPause(run, row.state)
        own = await self._own(row)
        if held(own) == PAUSED or pausing(own):
            return _counted("pause", Done(row, changed=False))
        return await self._asked(call, row, "pause", Signal(pause=PauseRun(reason=reason)))

    async def resume(self, call: Call, run: str, reason: str = "") -> Done:
        """Have a run go on that is held; return when somebody has it, or knows.

        Raises:
            RunNotFound, RunOver, NotTakenYet: As `cancel`.
            NotHeld: It waits for something else.
        """
        row = await self.row(call, run)
        _refuse_if_over(row)
        own = await self._own(row)
        if not held(own) and not pausing(own):
            if state_of(row) in INTERRUPTED:
                raise NotHeld(run, row.state)
            return _counted("resume", Done(row, changed=False))
        return await self._asked(call, row, "resume", Signal(resume=ResumeRun(reason=reason)))

    async def wake(self, call: Call, run: str, wake_json: str) -> Done:
        """Give a run what it waits for: credentials, or what `turn.wait` asks for.

        Raises:
            RunNotFound, RunOver, NotTakenYet: As `cancel`.
            WakeNotUsable: It is no JSON object.
            RunDoesNotWait: It waits for something else.
        """
        if not is_change(wake_json or "null"):
            raise WakeNotUsable
        row = await self.row(call, run)
        _refuse_if_over(row)
        if state_of(row) != RUN_STATE_AUTH_REQUIRED and not await self._takes_signals(row):
            raise RunDoesNotWait(run, row.state)
        return await self._asked(call, row, "wake", Signal(wake_json=wake_json))

    async def row(self, call: Call, run: str, *, only_own: bool = False) -> RunRow:
        """Return a run that the caller may command.

        Raises:
            RunNotFound: There is none.
        """
        owner = call.principal.id if only_own else owner_for(call.principal)
        row = await self._runs.log.get(call.app, owner, run)
        if row is None:
            raise RunNotFound(run)
        return row

    async def _known(self, row: RunRow) -> None:
        """Wait until who has a run here knows what was committed of it, and would tell of it otherwise."""
        live = self._runs.live(row.app, row.owner, row.id)
        if live is not None:
            await live.finished.happens_within(KNOWN_S)

    async def _takes_signals(self, row: RunRow) -> bool:
        if state_of(row) == RUN_STATE_WAITING:
            return any(timer.takes_signal for timer in timers_set(await self._own(row)))
        agent = self._roster.agents.get(row.agent)
        return state_of(row) not in INTERRUPTED and agent is not None and agent.handler is not None

    async def _asked(self, call: Call, row: RunRow, command: str, signal: Signal) -> Done:
        number = await self._signal(row, SignalReceived(signal=signal, principal=call.principal.id))

        async def is_taken(now: RunRow) -> bool:
            return now.finished or all(one.id != number for one in await self._runs.log.signals(row.id))

        return _counted(command, Done(await self._until(call, row, command, is_taken), True, number))

    async def _signal(self, row: RunRow, asked: SignalReceived) -> int:
        kind, payload = written(asked.signal, asked.principal)
        return await self._runs.log.signal(row.app, row.id, kind, payload)

    async def _own(self, row: RunRow) -> list[RunEvent]:
        return events_of(await self._runs.log.events(row.app, row.id))

    async def _until(
        self, call: Call, row: RunRow, what: str, condition: Callable[[RunRow], Awaitable[bool]]
    ) -> RunRow:
        left_s, pause_s = call.remaining(), LOOK_S
        gives_up = time.monotonic() + min(PATIENCE_S, PATIENCE_S if left_s is None else left_s * 0.9)
        while True:
            found = await self._runs.log.get(row.app, row.owner, row.id)
            if found is None:
                raise RunNotFound(row.id)
            if await condition(found):
                return found
            if time.monotonic() >= gives_up:
                raise NotTakenYet(row.id, what)
            await asyncio.sleep(pause_s)
            pause_s = min(SELDOM_S, pause_s * 2)


def owner_for(principal: Principal) -> str | None:
    """Return whose runs a caller commands; None: everybody's."""
    return None if principal.roles & OPERATORS else principal.id


async def _is_finished(row: RunRow) -> bool:
    return row.finished


def _refuse_if_over(row: RunRow) -> None:
    if row.finished:
        raise RunOver(row.id, row.state)


def _cancelled(row: RunRow, *, changed: bool) -> Done:
    if state_of(row) != RUN_STATE_CANCELED:
        raise RunOver(row.id, RunState.Name(state_of(row)))
    return Done(row, changed)


def _counted(command: str, done: Done) -> Done:
    COMMANDS.add(command, "done" if done.changed else "unchanged")
    return done
