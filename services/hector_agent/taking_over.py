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
    RUN_STATE_FAILED,
    RUN_STATE_SUBMITTED,
    RUN_STATE_WAITING,
    OwnerChanged,
    RunEvent,
    StatusChanged,
)
from hector_a2a.json_out import to_json
from hector_mesh import Call, HectorError, Principal
from hector_mesh.flag import Flag
from hector_store import NEVER, Claimed, Dead, RunLog
from hector_store.checkpoint_config import CheckpointConfig

from .agent import Agent
from .at_work import AtWork
from .beside import Beside
from .commands.deciding import Decided, decided
from .commands.standing import HELD, RECOVERY, held, retry_of, wakes
from .commands.wishes import wishes_of
from .elsewhere import Elsewhere
from .ends import is_fenced
from .lease import Lease
from .ledger import ended, events_of
from .measuring import CLAIMED, TAKEN_OVER, buried
from .moment import Also
from .opening import owned
from .packing import packed
from .recovery import Fate, end_of, fate
from .resuming import void_text
from .run import Run
from .work import Work

logger = logging.getLogger(__name__)

SHUNNED_S = 5.0
"""How long a run is left to others, that could not be gone on with here."""
FEW, LONGEST_BEGINNING_S = 10, 5.0
"""How many runs may still be beginning when more are claimed, and how long at most that is waited for."""


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
        self._beginning: set[Work] = set()
        self._caught_up = Flag()

    def begin(self, claimed: Claimed, lease: Lease) -> None:
        """Go on with a run that is this worker's since a moment ago."""
        CLAIMED.add(claimed.reason)
        row = claimed.row
        agent = self._agent_of(row.agent, row.revision)
        if agent is None:
            self._shun(claimed, lease, "AGENT_NOT_FOUND")
            return
        work = Work(agent, Call(app=row.app), None)
        self._beginning.add(work)
        self._at_work.begin(work, self._go_on(work, claimed, lease))
        assert work.task is not None
        work.task.add_done_callback(lambda _: self._has_begun(work))

    async def caught_up(self) -> None:
        """Wait until most of what was begun is at work, but not for ever.

        A thousand that begin at once would wait for the database longer than it has patience, and keep the
        lease from being renewed.
        """
        if len(self._beginning) > FEW:
            self._caught_up.clear()
            await self._caught_up.happens_within(LONGEST_BEGINNING_S)

    def _has_begun(self, work: Work) -> None:
        self._beginning.discard(work)
        if len(self._beginning) <= FEW:
            self._caught_up.set()

    async def _go_on(self, work: Work, claimed: Claimed, lease: Lease) -> None:
        begun = await self._begun(work, claimed, lease)
        self._has_begun(work)
        if begun is not None:
            run, own = begun
            await self._at_work.take_turn(self._log, work, run, own, claimed.row)

    async def _begun(self, work: Work, claimed: Claimed, lease: Lease) -> tuple[Run, list[RunEvent]] | None:
        """Return a run whose turn is to be taken, with its events; None: it waits, is over, or not ours."""
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
            return None
        except Exception:
            # A border: whatever is wrong with one run, it must not stay this worker's with nobody at it.
            logger.exception("taking a run over met a bug", extra={"run": row.id})
            self._shun(claimed, lease, "INTERNAL")
            return None
        if not goes_on:
            if run.parked:
                self._elsewhere.keep(row.id, run.feed)
            else:
                self._elsewhere.taken(row.id)
                run.close()
            return None
        self._at_work.opens(row.id, work)
        self._elsewhere.taken(row.id)
        return run, own

    async def _settled(self, work: Work, run: Run, claimed: Claimed, own: list[RunEvent]) -> bool:
        """Write what becomes of a run; True: its turn is to be taken. Adds to its events what is written."""
        row, place, before = claimed.row, run.place, claimed.before
        _recall(work, claimed, own)
        wishes = wishes_of(await self._log.signals(row.id))
        now_us = 0 if run.state == RUN_STATE_SUBMITTED else await self._now_us()
        found = decided(run.state, own, wishes, now_us, row.wake_at_us or NEVER)
        gone = f"worker {before} is gone" if before else "its worker has left it"
        if found.fate == "as it was":
            self._go_on_by_itself(found, run, claimed, own, now_us)
        elif found.fate == "waits" and held(own) == RECOVERY and found.until_us <= now_us:
            error = end_of(Fate.IS_TOO_OLD, self._config())
            found.fate, found.why = "over", "it waited too long to be resumed"
            found.events.append(RunEvent(status_changed=ended(run.task, RUN_STATE_FAILED, error)))
        also = Also(
            consume=found.consume, until_us=found.until_us if found.fate == "waits" else None, dead=found.dead
        )
        if found.fate == "waits" and not found.events:  # nothing has happened
            await run.commit((), also=also)
            return False
        why = found.why or gone
        changed = OwnerChanged(worker=row.worker, epoch=row.epoch, reason=why, before=before)
        events = [RunEvent(owner_changed=changed), *found.events]
        if before:
            TAKEN_OVER.add(place.agent)
        facts = {"run": place.run, "agent": place.agent, "worker": row.worker, "before": before}
        logger.info("run was taken over", extra={**facts, "epoch": row.epoch, "reason": why})
        work.wake_json = found.wake_json or work.wake_json
        run.void = void_text(own) if work.agent.handler is None else frozenset()
        await run.commit(events, also=also)
        if found.dead is not None:
            buried(place, found.dead)
        own += events
        again = retry_of(own)
        if again is not None:
            run.effects_of, run.retry_of = again.first or place.run, again.run
        run.wakes = wakes(own)
        return found.fate in ("goes on", "as it was")

    def _go_on_by_itself(
        self, found: Decided, run: Run, claimed: Claimed, own: Sequence[RunEvent], now_us: int
    ) -> None:
        """Decide what becomes of a run that was at work, as `storage.checkpoint` says."""
        row, config = claimed.row, self._config()
        if run.state == RUN_STATE_SUBMITTED and not claimed.before:
            found.why = "its turn had not begun"
            return
        fated = fate(own, config, now_us or own[-1].time.ToMicroseconds())
        gone = f"worker {claimed.before} is gone" if claimed.before else "its worker has left it"
        found.why = gone
        if fated is Fate.GOES_ON:
            found.why += self._revision_note(row.agent, row.revision)
        elif fated is Fate.WAITS:
            found.fate, found.until_us = "waits", self._gives_up_us(own)
            found.events.append(RunEvent(status_changed=_held(run)))
        else:
            found.fate, error = "over", end_of(fated, config)
            found.events.append(RunEvent(status_changed=ended(run.task, RUN_STATE_FAILED, error)))
            if fated is Fate.ENDS_ITS_OWNERS:
                tries = config.recovery.max_attempts
                found.dead = Dead(run.place.agent, error.reason, error.message, tries)

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
        if lease.is_lost:  # it is no fault of the run's: whoever has a lease may go on with it at once
            return
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
    waiting = StatusChanged(state=RUN_STATE_WAITING)
    waiting.metadata[HELD] = RECOVERY
    text = f"Its server stopped while it worked on this. `hector task resume {place.run}` has it go on."
    said = a2a.Message(message_id=f"{place.run}-held-{place.epoch}", role=a2a.ROLE_AGENT)
    said.parts.add(text=text)
    waiting.message.CopyFrom(packed(said))
    return waiting
