"""What becomes of a run that was claimed: it goes on from its last committed event, waits, or is ended.

The first event of a new owner is `OwnerChanged`, which says why. What follows repeats nothing that was
committed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_AUTH_REQUIRED,
    RUN_STATE_CANCELED,
    RUN_STATE_FAILED,
    RUN_STATE_SUBMITTED,
    RUN_STATE_WAITING,
    RUN_STATE_WORKING,
    OwnerChanged,
    RunEvent,
    Signal,
    SignalReceived,
    StatusChanged,
)
from hector_a2a.json_out import to_json
from hector_mesh import Call, HectorError, Principal
from hector_store import NEVER, Claimed, RunLog, SignalRow
from hector_store.checkpoint_config import CheckpointConfig

from .agent import Agent
from .at_work import AtWork
from .beside import Beside
from .elsewhere import Elsewhere
from .ends import is_fenced
from .lease import Lease
from .ledger import ended, events_of, packed
from .measuring import CLAIMED, TAKEN_OVER
from .opening import committed, owned
from .recovery import HELD, Fate, end_of, fate, is_held
from .resuming import void_text
from .run import PARKED, Also, Run
from .work import Work

logger = logging.getLogger(__name__)

SHUNNED_S = 5.0
"""How long a run is left to others, that could not be gone on with here."""


class TakingOver:
    """Goes on with runs that were claimed."""

    def __init__(
        self,
        log: RunLog,
        at_work: AtWork,
        elsewhere: Elsewhere,
        agent_of: Callable[[str, str], Agent | None],
        config: Callable[[], CheckpointConfig],
        told: Callable[[str], None] | None,
        now_us: Callable[[], Awaitable[int]],
    ) -> None:
        self._log, self._at_work, self._elsewhere = log, at_work, elsewhere
        self._agent_of, self._config, self._told, self._now_us = agent_of, config, told, now_us
        self.shunned: set[str] = set()
        """Runs that could not be gone on with a moment ago."""

    def begin(self, claimed: Claimed, lease: Lease) -> None:
        """Go on with a run that is this worker's since a moment ago."""
        CLAIMED.add(claimed.reason)
        row = claimed.row
        agent = self._agent_of(row.agent, row.revision)
        if agent is None:
            self._shun(claimed, lease, "AGENT_NOT_FOUND")
            return
        work = Work(agent, Call(app=row.app), asyncio.get_running_loop().create_future())
        work.opened.add_done_callback(_seen)
        self._at_work.begin(work, self._go_on(work, claimed, lease))

    async def _go_on(self, work: Work, claimed: Claimed, lease: Lease) -> None:
        row = claimed.row
        try:
            own = events_of(await self._log.events(row.app, row.id))
            run = owned(self._log, lease, self._elsewhere, row, row.epoch, own, self._told)
            try:
                goes_on = await self._settled(work, run, claimed, own)
            except BaseException:
                self._elsewhere.left(row.id)
                raise
        except HectorError as error:
            self._shun(claimed, lease, error.reason, is_mine=not is_fenced(error))
            return
        if not goes_on:
            if run.parked:
                self._elsewhere.keep(row.id, run.feed)
            else:
                self._elsewhere.taken(row.id)
                run.close()
            return
        self._at_work.opens(row.id, work)
        self._elsewhere.taken(row.id)
        await self._at_work.take_turn(self._log, work, run, own, row)

    async def _settled(self, work: Work, run: Run, claimed: Claimed, own: Sequence[RunEvent]) -> bool:
        """Write what becomes of a run; True: its turn is to be taken."""
        row, place = claimed.row, run.place
        _recall(work, claimed, own)
        was = run.state
        signals = await self._log.signals(row.id) if was in PARKED else ()
        change, why = await self._change(run, claimed, own, signals)
        if change is None:  # it waits, and nothing has happened
            also = Also(consume=[signal.id for signal in signals], until_us=NEVER)
            await run.commit((), also=also)
            return False
        before = claimed.before
        changed = OwnerChanged(worker=row.worker, epoch=row.epoch, reason=why, before=before)
        events = [RunEvent(owner_changed=changed)]
        if before:
            TAKEN_OVER.add(place.agent)
        facts = {"run": place.run, "agent": place.agent, "worker": row.worker, "before": before}
        logger.info("run was taken over", extra={**facts, "epoch": row.epoch, "reason": why})
        for signal in signals:
            wish = _wish(signal)
            events.append(RunEvent(signal_received=SignalReceived(signal=wish)))
            work.wake_json = wish.wake_json or work.wake_json
        if change.state != was:
            events.append(RunEvent(status_changed=change))
        if change.state == RUN_STATE_WAITING:
            until_us = self._gives_up_us(own)
            await run.commit(events, also=Also(until_us=until_us))
            return False
        run.void = void_text(own) if work.agent.handler is None else frozenset()
        if signals:
            await run.commit(events, also=Also(consume=[signal.id for signal in signals]))
        else:
            await committed(run, events)
        return not run.over

    async def _change(
        self, run: Run, claimed: Claimed, own: Sequence[RunEvent], signals: Sequence[SignalRow]
    ) -> tuple[StatusChanged | None, str]:
        """Return how a run is from now on, and why it is somebody else's; None: it waits, as it did."""
        row = claimed.row
        kinds = {signal.kind for signal in signals}
        gone = f"worker {claimed.before} is gone" if claimed.before else "its worker has left it"
        if "cancel" in kinds:
            return StatusChanged(state=RUN_STATE_CANCELED), gone if claimed.before else "it is cancelled"
        if run.parked and run.state != RUN_STATE_WAITING:
            if run.state == RUN_STATE_AUTH_REQUIRED and "wake" in kinds:
                return StatusChanged(state=RUN_STATE_WORKING), "it waited, and is woken"
            return None, ""
        now_us = await self._now_us()
        if run.state == RUN_STATE_WAITING:
            if is_held(own) and 0 < row.wake_at_us <= now_us and not kinds:
                error = end_of(Fate.IS_TOO_OLD, self._config())
                return ended(run.task, RUN_STATE_FAILED, error), "it waited too long to be resumed"
            goes_on = StatusChanged(state=RUN_STATE_WORKING)
            goes_on.metadata[HELD] = ""
            return goes_on, "it waited, and is resumed"
        if run.state == RUN_STATE_SUBMITTED and not claimed.before:
            return StatusChanged(state=RUN_STATE_SUBMITTED), "its turn had not begun"
        found = fate(own, self._config(), now_us)
        if found is Fate.GOES_ON:
            return StatusChanged(state=run.state), gone + self._revision_note(row.agent, row.revision)
        if found is Fate.WAITS:
            return _held(run), gone
        return ended(run.task, RUN_STATE_FAILED, end_of(found, self._config())), gone

    def _gives_up_us(self, own: Sequence[RunEvent]) -> int:
        timeout_s = self._config().recovery.timeout
        return own[-1].time.ToMicroseconds() + int(timeout_s * 1_000_000) if timeout_s and own else NEVER

    def _revision_note(self, name: str, revision: str) -> str:
        agent = self._agent_of(name, revision)
        if agent is None or not revision or agent.revision in ("", revision):
            return ""
        return f"; config revision {revision[:12]} is not known here, it goes on by {agent.revision[:12]}"

    def _shun(self, claimed: Claimed, lease: Lease, reason: str, *, is_mine: bool = True) -> None:
        """Leave a run to others, and for a while in any case."""
        row = claimed.row
        logger.warning("run could not be taken over", extra={"run": row.id, "reason": reason})
        if is_mine:
            self._at_work.left[row.id] = row.epoch, lease
        self.shunned.add(row.id)
        asyncio.get_running_loop().call_later(SHUNNED_S, self.shunned.discard, row.id)


def _recall(work: Work, claimed: Claimed, own: Sequence[RunEvent]) -> None:
    """Have a run go on for who asked for it, with what was said beside the message."""
    row = claimed.row
    roles: frozenset[str] = frozenset()
    for event in own:
        kind = event.WhichOneof("event")
        if kind == "message_received":
            said = event.message_received
            roles, work.wake_json = frozenset(said.roles), ""
            metadata = cast("dict[str, Any]", to_json(said.request_metadata))
            work.beside = Beside(metadata, tuple(said.output_modes), tuple(said.extensions))
        elif kind == "signal_received" and event.signal_received.signal.wake_json:
            work.wake_json = event.signal_received.signal.wake_json
    work.call = Call(principal=Principal(row.owner, roles), app=row.app, revision=row.revision)


def _held(run: Run) -> StatusChanged:
    """Return how a run waits that does not go on by itself."""
    place = run.place
    held = StatusChanged(state=RUN_STATE_WAITING)
    held.metadata[HELD] = "recovery"
    text = f"Its server stopped while it worked on this. `hector task resume {place.run}` has it go on."
    said = a2a.Message(message_id=f"{place.run}-held-{place.epoch}", role=a2a.ROLE_AGENT)
    said.parts.add(text=text)
    held.message.CopyFrom(packed(said))
    return held


def _wish(signal: SignalRow) -> Signal:
    return Signal.FromString(signal.payload)


def _seen(opened: "asyncio.Future[Run | str]") -> None:
    if not opened.cancelled():
        opened.exception()  # nobody asked for it here
