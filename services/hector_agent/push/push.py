"""Delivers notifications, beside the runs and never in their way: a task for each that is under way."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import Context
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from hector_a2a.push_config import PushConfig
from hector_agent.errors import ShuttingDown
from hector_mesh import HectorError
from hector_store import Database, PendingPush, PushConfigs, PushProgress, PushRow, RunLog

from . import measuring
from .lanes import Lane, Lanes, origin_of
from .signing import Signer

if TYPE_CHECKING:
    from hector_agent.elsewhere import Elsewhere

    from .attempt import Failure
    from .courier import Courier

log = logging.getLogger(__name__)

ADOPT_S = 5.0
"""How often it is asked for whom nobody delivers: their worker is gone."""
CHECK_EACH = 12
"""So many times until the log is asked what nobody said: that runs have gone on."""
TROUBLE_S = 5.0
"""When to try again what failed here, and not at the receiver: the database is away, say."""
ENDING_S = 5.0


def alone() -> str:
    """Return the worker that delivers where there is no other."""
    return "alone"


class Push:
    """Tells webhooks what happens in runs. Use inside `running()`."""

    def __init__(self, config: PushConfig, signer: Signer) -> None:
        self.config = config
        """Where webhooks may be, and how patient to be with them."""
        self._signer = signer
        self._opened: tuple[PushConfigs, RunLog] | None = None
        self._lanes: dict[str, dict[str, Lane]] = {}
        self._queue = Lanes(config.max_concurrent)
        self._tasks: set[asyncio.Task[None]] = set()
        self._courier: Courier | None = None
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._worker: Callable[[], str] = alone
        self._elsewhere: Elsewhere | None = None
        self._followed: set[str] = set()
        """Runs that are at work in other processes, while this one delivers for them."""

    @property
    def configs(self) -> PushConfigs:
        """Where configs are kept.

        Raises:
            ShuttingDown: Not inside `running()`.
        """
        if self._opened is None:
            raise ShuttingDown
        return self._opened[0]

    @property
    def runs(self) -> RunLog:
        """Where runs are kept; raises as `configs`."""
        if self._opened is None:
            raise ShuttingDown
        return self._opened[1]

    @asynccontextmanager
    async def running(
        self,
        database: Database,
        runs: RunLog,
        worker: Callable[[], str] = alone,
        elsewhere: "Elsewhere | None" = None,
    ) -> AsyncIterator[None]:
        """Deliver until the block ends. What is under way then is delivered again after the next start.

        Args:
            database: Where configs are.
            runs: Where it stands what they are to be told.
            worker: As whom this process delivers; "" while it is none.
            elsewhere: How runs are followed that are at work in other processes; None: there are no others.
        """
        configs = PushConfigs(database)
        self._opened, self._worker, self._elsewhere = (configs, runs), worker, elsewhere
        if elsewhere is not None:
            elsewhere.has_taken = self.took
        measuring.watch(self._oldest_s)
        await self._adopt_all(configs)
        checking = asyncio.get_running_loop().create_task(self._look_after(configs), context=Context())
        try:
            yield
        finally:
            self._opened = None
            if elsewhere is not None:
                elsewhere.has_taken = None
            for lanes in self._lanes.values():
                for lane in lanes.values():
                    lane.stop_timer()
            self._lanes.clear()
            for task in (ended := {checking, *self._tasks}):
                task.cancel()
            await asyncio.wait(ended, timeout=ENDING_S)
            await self._stack.aclose()

    def renew(self, config: PushConfig, signer: Signer) -> None:
        """Go by another config from the next notification on."""
        if self._courier is not None and not self._courier.renewed(config, signer):
            self._courier = None  # that one is closed at the end: it may be at work
        self.config, self._signer = config, signer
        self._queue.resize(config.max_concurrent)

    def wake(self, run: str) -> None:
        """Deliver what a run has committed; for whoever commits. Costs nothing where nobody is to be told."""
        lanes = self._lanes.get(run)
        if lanes is None:
            return
        for lane in lanes.values():
            if lane.state == "busy":
                lane.again = True
            elif lane.state == "idle":
                self._ready(lane)

    def placed(self, run: str, *, is_here: bool = True) -> None:
        """Take up the configs that were placed, or driven anew, of a run; it may be at work elsewhere."""
        if self._opened is not None:
            self._spawn(self._look(self._opened[0], run, take=False, is_here=is_here))

    def took(self, run: str) -> None:
        """Take up all configs of a run that is at work here from now on, whoever had them."""
        if self._opened is not None:
            self._spawn(self._look(self._opened[0], run, take=True))

    @property
    def worker(self) -> str:
        """As whom this process delivers."""
        return self._worker()

    async def count_dead(self) -> None:
        """Show how many webhooks were given up."""
        measuring.DEAD.set(value=await self.configs.dead())

    # From here on: the lanes

    async def _adopt_all(self, configs: PushConfigs) -> None:
        ours = await self._ours(configs, await configs.pending())
        for pending in ours:
            self._adopt(pending, at_once=pending.is_behind)
        known = {pending.key[:2] for pending in ours}
        for lane in [lane for lanes in self._lanes.values() for lane in lanes.values()]:
            if lane.state == "idle" and lane.key[:2] not in known:
                self._ready(lane)  # it finds that it is somebody else's by now, and is forgotten
        await self.count_dead()

    async def _look(self, configs: PushConfigs, run: str, *, take: bool, is_here: bool = True) -> None:
        try:
            for pending in await self._ours(configs, await configs.pending(run), take=take):
                self._adopt(pending, at_once=True)  # it may have gone on since it was read
        except HectorError as error:
            facts = {"run": run, "reason": error.reason}
            log.warning("push configs could not be read", extra=facts)
            asyncio.get_running_loop().call_later(TROUBLE_S, self.took if take else self.placed, run)
        else:
            others = self._elsewhere
            if others is not None and not is_here and run in self._lanes and run not in self._followed:
                await self._follow(others, run)

    async def _ours(
        self, configs: PushConfigs, pending: Sequence[PendingPush], *, take: bool = False
    ) -> Sequence[PendingPush]:
        """Return those for which this process delivers, together with those it takes now.

        They are nobody's, or those of a worker that is gone; or, where the run itself was taken, anybody's.
        """
        worker = self._worker()
        if not worker:
            return ()
        ours = [one for one in pending if one.worker == worker]
        free = [one for one in pending if one.worker != worker and (take or not one.is_held)]
        return [*ours, *(await configs.claim(free, worker))] if free else ours

    async def _follow(self, elsewhere: "Elsewhere", run: str) -> None:
        """Deliver what a run commits in another process, until it is over or nobody works on it."""
        self._followed.add(run)
        try:
            async with elsewhere.changes(run) as changes:
                async for standing in changes:
                    self.wake(run)
                    if standing is None or standing.finished or run not in self._lanes:
                        return
                    if not standing.worker:
                        return  # who takes it up sees to its configs
        except ShuttingDown:
            return
        finally:
            self._followed.discard(run)

    def _adopt(self, pending: PendingPush, *, at_once: bool) -> None:
        key = pending.key
        lanes = self._lanes.setdefault(key.run_id, {})
        lane = lanes.get(key.id)
        if lane is not None and lane.key == key:
            if at_once and lane.state == "idle":
                self._ready(lane)
            lane.again = lane.again or at_once
            return
        if lane is not None and key.epoch < lane.newest:
            return  # it was read before what is here, and came back late
        if lane is not None and lane.state == "busy":
            lane.successor = pending  # when it is done with what it does: one at a time
            return
        if lane is not None:
            lane.stop_timer()  # if it is ready, it will find that there is nothing to do for it
        lane = lanes[key.id] = Lane(key, origin_of(pending.url), is_failing=pending.attempts > 0)
        if pending.wait_s > 0:
            self._wait(lane, pending.wait_s)
        elif at_once:
            self._ready(lane)

    def _ready(self, lane: Lane) -> None:
        lane.timer = None
        lane.since = lane.since or time.monotonic()
        self._queue.add(lane)
        self._begin()

    def _wait(self, lane: Lane, delay_s: float) -> None:
        lane.state = "waiting"
        lane.since = lane.since or time.monotonic()
        lane.timer = asyncio.get_running_loop().call_later(delay_s, self._ready, lane)

    def _begin(self) -> None:
        while self._opened is not None and (lane := self._queue.take()) is not None:
            self._spawn(self._drive(lane, *self._opened))

    async def _drive(self, lane: Lane, configs: PushConfigs, runs: RunLog) -> None:
        """Deliver what a lane has, and see to what comes then."""
        key, delay_s, is_over = lane.key, 0.0, False
        lane.again = False
        try:
            row = await configs.owned(key)
            if row is None:
                is_over = True
            else:
                courier = await self._at_work()
                delay_s, is_over = await self._deliver(courier, lane, row, configs, runs)
        except HectorError as error:
            facts = {"run": key.run_id, "config": key.id, "reason": error.reason}
            log.warning("notification could not be made", extra=facts)
            delay_s = TROUBLE_S
        finally:
            self._queue.done(lane)
            if self._opened is not None:
                self._after(lane, is_over=is_over, delay_s=delay_s)

    def _after(self, lane: Lane, *, is_over: bool, delay_s: float) -> None:
        run, config, _ = lane.key
        lanes = self._lanes.get(run, {})
        if lanes.get(config) is not lane:
            pass  # another one has come in its place
        elif is_over or lane.successor is not None:
            del lanes[config]
            if lane.successor is not None:
                self._adopt(lane.successor, at_once=True)
            elif not lanes:
                del self._lanes[run]
        elif delay_s:
            self._wait(lane, delay_s)
        elif lane.again:
            self._ready(lane)
        else:
            lane.since = 0.0
        self._begin()

    async def _deliver(
        self, courier: "Courier", lane: Lane, row: PushRow, configs: PushConfigs, runs: RunLog
    ) -> tuple[float, bool]:
        """Deliver one notification after the other; return how long to wait, and whether that was all."""
        from .notice import next_notice

        is_saved, run = True, await runs.get(row.app, None, row.run_id)
        while run is not None:
            notice = await next_notice(runs, row, run)
            if notice is None:
                is_ours = is_saved or await configs.progress(row.key, PushProgress(row.delivered))
                return 0.0, not is_ours
            if not is_saved or notice.may_grow:
                pledged = PushProgress(row.delivered, notice.seq, row.attempts, error=row.error)
                if not await configs.progress(row.key, pledged):
                    return 0.0, True
                row = replace(row, pledged=notice.seq)
            failure = await courier.deliver(row, notice)
            if failure is not None:
                return await self._failed(lane, row, notice.seq, failure, configs)
            lane.is_failing = False
            row = replace(row, delivered=notice.seq, pledged=0, attempts=0, error="")
            is_saved = False
            lane.since = time.monotonic()
            if notice.is_last:
                await configs.progress(row.key, PushProgress(row.delivered, state="done"))
                return 0.0, True
            if self._queue.are_waited_for():
                lane.again = True
                return 0.0, not await configs.progress(row.key, PushProgress(row.delivered))
            lane.again = False  # what came until now is read next
        return 0.0, True  # it was deleted

    async def _failed(
        self, lane: Lane, row: PushRow, seq: int, failure: "Failure", configs: PushConfigs
    ) -> tuple[float, bool]:
        attempts = row.attempts + 1
        lane.is_failing = True
        facts: dict[str, object] = {
            "run": row.run_id,
            "config": row.id,
            "origin": lane.origin,
            "reason": failure.reason,
            "attempts": attempts,
        }
        if failure.is_final or attempts >= self.config.max_attempts:
            dead = PushProgress(row.delivered, seq, attempts, "dead", error=failure.message)
            await configs.progress(row.key, dead)
            measuring.DEAD.add()
            log.warning("webhook was given up", extra=facts)
            return 0.0, True
        delay_s = self._delay_s(attempts, failure.retry_after_s)
        later = PushProgress(row.delivered, seq, attempts, wait_s=delay_s, error=failure.message)
        log.info("notification will be tried again", extra=facts | {"delay_s": round(delay_s, 3)})
        return delay_s, not await configs.progress(row.key, later)

    def _delay_s(self, attempts: int, asked_s: float) -> float:
        limit = self.config.max_delay
        jittered = random.uniform(0, min(limit, self.config.retry_delay * 2.0 ** (attempts - 1)))
        return max(jittered, min(asked_s, limit), 0.01)

    async def _at_work(self) -> "Courier":
        async with self._opening:
            if self._courier is None:
                from .courier import Courier

                made = Courier(self.config, self._signer)
                self._courier = await self._stack.enter_async_context(made)
        return self._courier

    async def _look_after(self, configs: PushConfigs) -> None:
        for number in count(1):
            await asyncio.sleep(ADOPT_S)
            try:
                if number % CHECK_EACH == 0:
                    await self._adopt_all(configs)
                elif free := await configs.pending(free=True):
                    for pending in await self._ours(configs, free):
                        self._adopt(pending, at_once=pending.is_behind)
            except HectorError as error:
                log.warning("push configs could not be read", extra={"reason": error.reason})

    def _oldest_s(self) -> float:
        """Return for how long the one who waits longest has."""
        since = [lane.since for lanes in self._lanes.values() for lane in lanes.values() if lane.since]
        return time.monotonic() - min(since) if since else 0.0

    def _spawn(self, work: "Coroutine[object, object, None]") -> None:
        # An empty context: a delivery must not inherit, and so die with, the call that caused it.
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The border: a bug must not stop the deliveries of all others.
            log.error("delivery met a bug", exc_info=error)
