"""The runs of this process: which are taken on, and what is asked of those that there are.

Who works on them is in `at_work.py`, by which right in `lease.py`, and what is gone on with in `claiming.py`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from itertools import count

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_WORKING,
    RunEvent,
    Signal,
    SignalReceived,
    StatusChanged,
)
from hector_mesh import Call, HectorError, Whereabouts
from hector_mesh.flag import Flag
from hector_store import Database, IdempotencyMismatch, NewPush, RunLog, RunRow, Workers
from hector_store.checkpoint_config import CheckpointConfig
from hector_store.clock import now
from hector_store.queue_config import QueueConfig

from .agent import Agent
from .at_work import ENDING_S, AtWork
from .beside import NOTHING, Beside
from .claiming import Claiming
from .commands.heeding import Heeding
from .elsewhere import Elsewhere
from .ends import is_fenced
from .errors import NoLease, RunDoesNotWait, ShuttingDown, TooManyRuns
from .idempotency import Earlier, IdempotencyKeyReused, Once, heard
from .lease import RENEWALS, Lease, Ownership
from .missing import Missing
from .moment import IN_DOUBT
from .neighbours import look_for_dead
from .opening import opened, received, reopened, task_for, unwritten, waits
from .order import InOrder
from .push.push import Push
from .roster import Roster
from .run import Run
from .sessions.contending import check_idle, interrupt
from .taking_over import TakingOver
from .work import Work

logger = logging.getLogger(__name__)

MOST_LIVE = 10_000  # runs at work or waiting for their turn; each holds some kilobytes and a task
LEASE_S = 15.0
WAITING_SHARE = 0.7
"""How much of the time that a caller has is waited for a lease at most."""
PARKING_S = 1.0
"""How long before the end of a drain what is still at work is let go of."""

_Key = tuple[str, str, str]
"""App, owner and the name of a key."""


class Runs:
    """Starts runs and owns them until they are over. Use inside `running()`."""

    def __init__(
        self,
        roster: Roster,
        push: Push | None = None,
        *,
        lease_s: float = LEASE_S,
        checkpoint: CheckpointConfig | None = None,
        queue: QueueConfig | None = None,
        whereabouts: Whereabouts | None = None,
    ) -> None:
        self._opened: RunLog | None = None
        self._database: Database | None = None
        self._roster, self._push = roster, push
        self._lease_s, self._whereabouts = lease_s, whereabouts or Whereabouts()
        self.checkpoint = checkpoint or CheckpointConfig()
        """What becomes of runs whose process is gone."""
        self.queue = queue or QueueConfig()
        """Which runs get on first."""
        self.waiting = Elsewhere()
        """Where those stay who follow a run that waits for somebody, or is at work in another process."""
        self._at_work = AtWork(self.waiting)
        self._once: dict[_Key, Work] = {}
        """Of the live ones those that have a key, from the moment they are asked for."""
        self._takers = InOrder()
        """Who wants something of a run that waits."""
        self._taken = count(1)
        self._ownership: Ownership | None = None
        self._claiming: Claiming | None = None

    @property
    def database(self) -> Database:
        """Where runs are kept, and what belongs to them.

        Raises:
            ShuttingDown: Not inside `running()`.
        """
        if self._database is None:
            raise ShuttingDown
        return self._database

    @property
    def log(self) -> RunLog:
        """Where runs are kept.

        Raises:
            ShuttingDown: Not inside `running()`.
        """
        if self._opened is None:
            raise ShuttingDown
        return self._opened

    @property
    def worker(self) -> str:
        """As whom this process owns runs; "" while it has no lease."""
        lease = self._ownership.lease if self._ownership is not None else None
        return lease.worker if lease is not None else ""

    @asynccontextmanager
    async def running(self, database: Database) -> AsyncIterator[None]:
        """Own the runs' tasks, and go on with runs whose process is gone.

        On exit, runs that are still at work are let go of at what they have committed: another process, or
        the next start, goes on with them.

        Raises:
            HectorError: The database cannot be written to.
        """
        log, workers = RunLog(database), Workers(database)
        ownership = Ownership(workers, self._whereabouts, self._lease_s)
        ownership.lost = self._at_work.let_all_go
        told = self._push.wake if self._push is not None else None
        taking_over = TakingOver(
            log,
            self._at_work,
            self.waiting,
            self._roster.of,
            lambda: self.checkpoint,
            told,
            lambda: database.read(now, short=True),
        )
        agents: Callable[[], frozenset[str]] = lambda: frozenset(self._roster.agents)  # noqa: E731  one value
        self._claiming = claiming = Claiming(
            log,
            workers,
            database.hints,
            ownership,
            self._at_work,
            taking_over,
            agents,
            MOST_LIVE,
            self._lease_s,
            lambda: self.queue,
        )
        await ownership.join()
        self._opened, self._database, self._ownership = log, database, ownership
        self._at_work.is_closed = False
        create_task = asyncio.get_running_loop().create_task
        keeping = create_task(ownership.keep(), context=Context())
        looking = create_task(claiming.work(), context=Context())
        burying = create_task(look_for_dead(workers, self._lease_s / RENEWALS), context=Context())
        heeding = Heeding(workers, database.hints, lambda: ownership.lease, self._at_work)
        listening = create_task(heeding.work(), context=Context())
        missing = create_task(Missing(log, database.hints, self._at_work).work(), context=Context())
        try:
            yield
        finally:
            self._at_work.is_closed = True
            looking.cancel()
            listening.cancel()
            burying.cancel()
            missing.cancel()
            self.waiting.end(ShuttingDown())
            await asyncio.wait({looking, listening, burying, missing})
            self._at_work.let_all_go()
            if not await self._at_work.emptied(ENDING_S):
                logger.warning("runs did not stop in time", extra={"runs": len(self._at_work)})
            keeping.cancel()
            await asyncio.wait({keeping})
            await ownership.leave()

    async def drain(self, limit_s: float) -> None:
        """Take on nothing more by itself, and return when nothing is at work, or after so long.

        What is still at work then has been let go of, at the last step that it committed.
        """
        if self._claiming is not None:
            self._claiming.is_stopped = True
        if await self._at_work.emptied(max(0.0, limit_s - PARKING_S)):
            return
        self._at_work.ask_to_leave()
        if not await self._at_work.emptied(PARKING_S / 2):
            self._at_work.let_all_go()
            await self._at_work.emptied(PARKING_S)

    def live(self, app: str, owner: str, run: str) -> Run | None:
        """Return a run that is at work here and belongs to the caller."""
        return self._at_work.live(app, owner, run)

    def start_at_once(self, agent: Agent, message: "a2a.Message", call: Call, beside: Beside) -> Run | None:
        """Set a run to work that is written down with the first thing that happens in it.

        For callers who wait for its end, and hear nothing of it before. They may leave: the run goes on, or
        was not accepted, which its `failure` says.

        Returns:
            The run; None: it has to be opened first, see `start`.
        """
        lease = self._ownership.lease if self._ownership is not None else None
        if lease is None or message.context_id:
            return None
        return self._begin_unwritten(self._work(agent, call, None, (), beside, is_told=False), lease, message)

    async def start(
        self,
        agent: Agent,
        message: "a2a.Message",
        call: Call,
        pushes: tuple[NewPush, ...] = (),
        beside: Beside = NOTHING,
    ) -> Run:
        """Open a run with its first message, durably, and set it to work.

        The message's context id names the session; without one a new session begins. A caller that leaves
        in the middle stops nothing: the run goes on, or was not accepted. Who is to be told of it is written
        with it.

        Raises:
            HectorError: The run was not accepted: nothing was written.
        """
        work = self._begin(agent, message, call, None, pushes, beside)
        assert work.opened is not None
        try:
            run = await work.opened
        except BaseException:
            if work.run is not None:
                work.run.unread()
            raise
        assert isinstance(run, Run)  # only a key can lead to one that is over
        return run

    async def start_once(
        self,
        agent: Agent,
        message: "a2a.Message",
        call: Call,
        once: Once,
        pushes: tuple[NewPush, ...] = (),
        beside: Beside = NOTHING,
    ) -> Run | Earlier:
        """Open a run as `start` does, unless its key was used before: then return what became of that.

        Raises:
            IdempotencyKeyReused: The key stands for another message.
            HectorError: The run was not accepted: nothing was written, and the key is free.
        """
        key = (call.app, call.principal.id, once.name)
        while True:
            work = self._once.get(key)
            is_new = work is None or not self._at_work.is_live(work)
            if work is None or is_new:
                work = self._once[key] = self._begin(agent, message, call, once, pushes, beside)
                work.over = partial(self._forget_key, key, work)
            assert work.opened is not None
            is_same = work.once is not None and work.once.hash == once.hash
            try:
                found = await asyncio.shield(work.opened)  # shielded: others may wait for the same
            except IdempotencyMismatch as error:
                if not is_same:
                    continue  # it was another message that is not the first one's
                raise IdempotencyKeyReused(once.key, error.facts["run_id"]) from None
            run = found if isinstance(found, str) else found.place.run
            if not is_same:
                raise IdempotencyKeyReused(once.key, run)
            if isinstance(found, str):
                return Earlier(run, self.live(call.app, call.principal.id, run))
            return found if is_new else Earlier(run, found)

    async def take_up(
        self,
        agent: Agent,
        task_id: str,
        message: "a2a.Message",
        call: Call,
        beside: Beside = NOTHING,
        pushes: tuple[NewPush, ...] = (),
        once: Once | None = None,
    ) -> Run:
        """Go on with a run that waits for somebody, with a message of its owner's, durably.

        Of two messages at once one is taken, and the other finds the run at work.

        Raises:
            RunDoesNotWait: It does not wait: the error says how it is.
            HectorError: The message was not taken, and the run goes on waiting.
        """
        told = a2a.Message()
        told.CopyFrom(message)
        return await self._go_on(self._work(agent, call, once, pushes, beside), task_id, told)

    async def taken_up(self, app: str, owner: str, run: str) -> Run | None:
        """Return a run that is at work by what the log says: it tells of one that waited a moment before."""
        if self._takers.busy(run):
            async with self._takers.turn(run, next(self._taken)):
                pass
        return self.live(app, owner, run)

    async def _go_on(self, work: Work, run: str, reason: "a2a.Message | Signal") -> Run:
        self._at_work.begin(work, self._take_up(work, run, reason))
        assert work.opened is not None
        found = await work.opened
        assert isinstance(found, Run)
        return found

    def _begin(
        self,
        agent: Agent,
        message: "a2a.Message",
        call: Call,
        once: Once | None,
        pushes: tuple[NewPush, ...],
        beside: Beside,
    ) -> Work:
        work, lease = self._work(agent, call, once, pushes, beside), None
        if beside.at_once and self._ownership is not None and not (message.context_id or once or pushes):
            lease = self._ownership.lease
        if lease is not None:
            self._begin_unwritten(work, lease, message)
        else:
            self._at_work.begin(work, self._work_on(work, message))
        return work

    def _begin_unwritten(self, work: Work, lease: Lease, message: "a2a.Message") -> Run:
        run = unwritten(self.log, lease, work.agent, message, work.call, work.beside)
        if work.opened is not None:  # who asked for it hears of it before its end
            run.undecided = Flag()
        if self._push is not None:
            run.committed = self._push.wake
        self._at_work.begin(work, self._at_work.take_turn(self.log, work, run))
        return run

    def _work(
        self,
        agent: Agent,
        call: Call,
        once: Once | None = None,
        pushes: tuple[NewPush, ...] = (),
        beside: Beside = NOTHING,
        *,
        is_told: bool = True,
    ) -> Work:
        if self._at_work.is_closed:
            raise ShuttingDown
        if len(self._at_work) >= MOST_LIVE:
            raise TooManyRuns(MOST_LIVE)
        opened = asyncio.get_running_loop().create_future() if is_told else None
        return Work(agent, call, opened, once, pushes, beside)

    async def _lease(self, left_s: float | None = None) -> Lease:
        """Return by which right this process owns what it begins; wait for it, where it was just lost.

        Raises:
            NoLease: There is none in that time.
            HectorError: The database is away.
        """
        if self._ownership is None:
            raise ShuttingDown
        lease = self._ownership.lease
        if lease is not None:
            return lease
        try:
            return await self._ownership.held(None if left_s is None else left_s * WAITING_SHARE)
        except NoLease:
            await self.database.is_well()  # or it says what is the matter
            raise

    def _forget_key(self, key: _Key, work: Work) -> None:
        if self._once.get(key) is work:
            del self._once[key]

    def halt(self, run: Run, change: StatusChanged, asked: Sequence[SignalReceived] = ()) -> None:
        """Stop a run that is at work here, and write that it ended so, and who asked for it."""
        self._at_work.halt(run, change, asked)

    async def end_parked(self, row: RunRow, events: Sequence[RunEvent]) -> None:
        """End a run that nobody works on, whoever its agent is.

        Raises:
            HectorError: RUN_FENCED: somebody has taken it.
        """
        async with self._takers.turn(row.id, next(self._taken)):
            run, _ = await self._reopened(row, events)
            run.close()

    async def _waiting_row(self, app: str, owner: str, run: str) -> RunRow:
        """Return a run that waits; where somebody lets go of it or takes it up, that comes first."""
        live = self._at_work.find(run)
        if live is not None:
            await live.comes_to_wait()
        found = await self.log.get(app, owner, run)
        if found is not None and found.worker and waits(found) and run not in self._at_work:
            await self.waiting.let_be(run)
            found = await self.log.get(app, owner, run)
        if found is None or found.worker or run in self._at_work or not waits(found):
            raise RunDoesNotWait(run, found.state if found is not None else "gone")
        return found

    async def _reopened(
        self,
        row: RunRow,
        why: Sequence[RunEvent],
        pushes: tuple[NewPush, ...] = (),
        left_s: float | None = None,
    ) -> tuple[Run, list[RunEvent]]:
        told, lease = self._push.wake if self._push is not None else None, await self._lease(left_s)

        def failed(epoch: int) -> None:
            self._at_work.left[row.id] = epoch, lease  # it is handed back

        try:
            return await reopened(self.log, lease, self.waiting, row, why, told, failed, pushes)
        except HectorError as error:
            self._suspect(error)
            raise

    def _suspect(self, error: HectorError) -> None:
        """Have a run looked for that may be this worker's by its row, as nobody can tell."""
        if error.reason == IN_DOUBT and self._claiming is not None:
            self._claiming.suspect()

    async def _work_on(self, work: Work, message: "a2a.Message") -> None:
        """Open a run, and take its turn."""
        agent, call = work.agent, work.call
        lease = await self._lease(call.remaining())
        task = task_for(message)
        try:
            run = await opened(
                self.log,
                lease,
                agent,
                task,
                call,
                work.beside,
                work.once,
                work.pushes,
                new_context=not message.context_id,
                waits=self._at_work.has_turns((call.app, call.principal.id, task.context_id)),
            )
        except HectorError as error:
            self._suspect(error)
            raise
        if isinstance(run, str):
            work.open_earlier(run)
            return
        del message, task  # a run may take hours, and with its message it would keep the whole request
        if agent.handler is not None:
            run.undecided = Flag()
        if self._push is not None:
            run.committed = self._push.wake
            if work.pushes:
                self._at_work.spawn(self._tell(run, self._push))
        if run.place.position > 1 and agent.config.concurrent_turns == "interrupt":
            self._at_work.spawn(interrupt(self, run, call, is_new=True))
        await self._at_work.take_turn(self.log, work, run)

    async def _tell(self, run: Run, push: Push) -> None:
        """Let others be told of a run, once it is known whether it is a task."""
        await run.decide()
        push.placed(run.place.run)

    async def _take_up(self, work: Work, run_id: str, reason: "a2a.Message | Signal") -> None:
        """Take a run up again that waits, and its turn with it."""
        call = work.call
        async with self._takers.turn(run_id, next(self._taken)):
            row = await self._waiting_row(call.app, call.principal.id, run_id)
            await check_idle(self.log, work.agent, row)
            if work.once and await heard(self.log, call.app, call.principal.id, run_id, work.once):
                raise RunDoesNotWait(run_id, row.state)  # not for this: it was said before
            if isinstance(reason, Signal):
                work.wake_json = reason.wake_json
                principal = call.principal.id
                said = RunEvent(signal_received=SignalReceived(signal=reason, principal=principal))
            else:
                reason.task_id, reason.context_id = row.id, row.context_id
                said = received(reason, call, work.beside, work.once)
            working = RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING))
            try:
                run, own = await self._reopened(row, [said, working], work.pushes, call.remaining())
            except HectorError as error:
                if not is_fenced(error):
                    raise
                # Somebody had a look at it. It may wait again by now.
                row = await self._waiting_row(call.app, call.principal.id, run_id)
                run, own = await self._reopened(row, [said, working], work.pushes, call.remaining())
            self._at_work.opens(run_id, work)
        if self._push is not None and work.pushes:
            self._push.placed(run_id)
        if work.agent.config.concurrent_turns == "interrupt":
            self._at_work.spawn(interrupt(self, run, call, is_new=False))
        await self._at_work.take_turn(self.log, work, run, own, row)
