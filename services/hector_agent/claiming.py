"""Claims runs that nobody has, or whose worker is gone, as long as there is room for them here."""

import logging
import random
import time
from collections.abc import Callable
from math import inf

from hector_mesh import HectorError
from hector_store import NOW, Claim, Hints, RunChanges, RunLog, Workers
from hector_store.queue_config import QueueConfig

from .at_work import AtWork
from .ends import FENCED
from .lease import Lease, Ownership
from .taking_over import TakingOver

log = logging.getLogger(__name__)

DUE = "due"
POLL_S = 1.0
"""How long at most it takes to notice what no hint told of."""
LOOK_S = 5.0
"""How long after an answer was lost, and between two looks, it is seen what became of it."""
AT_ONCE = 100
"""Runs that are claimed with one statement."""


class Claiming:
    """Looks for runs to go on with, when it is told of some and now and then."""

    def __init__(
        self,
        run_log: RunLog,
        workers: Workers,
        hints: Hints,
        ownership: Ownership,
        at_work: AtWork,
        taking_over: TakingOver,
        agents: Callable[[], frozenset[str]],
        most: int,
        lease_s: float,
        queue: Callable[[], QueueConfig],
    ) -> None:
        self._log, self._workers, self._hints, self._ownership = run_log, workers, hints, ownership
        self._at_work, self._taking_over, self._agents, self._most = at_work, taking_over, agents, most
        self._queue = queue
        self._poll_s = min(POLL_S, lease_s / 3)
        self.is_stopped = False
        """Nothing more is claimed."""
        self._strays: dict[str, int] = {}
        self._looks_at = inf

    def suspect(self) -> None:
        """Look for runs that are this worker's by their rows, and that it has never heard of.

        To be said where the database's answer to the beginning of a run was lost.
        """
        self._looks_at = time.monotonic() + LOOK_S

    async def work(self) -> None:
        """Claim until cancelled."""
        with self._hints.subscribe(DUE) as due:
            while True:
                try:
                    is_more = await self.once()
                except HectorError as error:
                    log.info("runs could not be claimed", extra={"reason": error.reason})
                    is_more = False
                except Exception:
                    # A border: whatever goes wrong with one run, others must not wait for it for ever.
                    log.exception("claiming met a bug")
                    is_more = False
                if not is_more:
                    await due.raised(self._poll_s * random.uniform(0.8, 1.0))  # not all at one time

    async def once(self) -> bool:
        """Hand back what nobody works on, and claim what there is room for; say whether there may be more.

        Raises:
            HectorError: The database cannot be asked, or the lease is over.
        """
        await self._hand_back()
        lease = self._ownership.lease or await self._ownership.held()
        room = self._most - len(self._at_work)
        if time.monotonic() >= self._looks_at:
            await self._look_for_strays(lease)
        if self.is_stopped or room <= 0:
            return False
        limit = min(room, AT_ONCE)
        but = frozenset(self._taking_over.shunned)
        queue = self._queue()
        claim = Claim(
            limit=limit,
            agents=self._agents(),
            per_app=queue.per_app,
            per_agent=queue.per_agent,
            weights=queue.weights,
            but=but,
        )
        found = await self._workers.claim(lease.worker, claim)
        for claimed in found:
            self._taking_over.begin(claimed, lease)
        await self._taking_over.caught_up()
        return len(found) == limit

    async def _look_for_strays(self, lease: Lease) -> None:
        """Hand back what was seen twice: one that is just being opened is not at work yet."""
        rows = await self._log.unfinished(lease.worker)
        left = self._at_work.left
        seen = {row.id: row.epoch for row in rows if row.id not in self._at_work and row.id not in left}
        for run, epoch in seen.items():
            if self._strays.get(run) == epoch:
                log.warning("run was found that nobody works on", extra={"run": run})
                left[run] = epoch, lease
        self._strays = seen
        self._looks_at = time.monotonic() + LOOK_S if seen else inf

    async def _hand_back(self) -> None:
        """Let others have the runs that are this worker's, and that it does not work on any more."""
        for run, (epoch, lease) in tuple(self._at_work.left.items()):
            if not lease.is_lost:
                if lease.is_over:  # nobody knows yet
                    continue
                try:
                    await self._log.append(run, epoch, (), RunChanges(worker="", due_us=NOW))
                except HectorError as error:
                    if error.reason not in FENCED:
                        raise
            if self._at_work.left.get(run) == (epoch, lease):  # and not left once more meanwhile
                del self._at_work.left[run]
