"""Who works on runs: workers come, renew their lease, claim runs, and leave."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

from . import claiming, hints, leases, measuring
from .database import Database
from .errors import InvalidValue
from .fairness import Candidate, Turns
from .fitting import fit
from .schema import NAME, OWNER, TARGET, WORD
from .values import SignalRow
from .work import URGENT
from .worker_values import SHORTEST_LEASE_S, Claim, Claimed, Worker, WorkerRow

TRIES = 3
"""How often runs are looked for, when others take those that were found."""


class Workers:
    """The workers of one database. All times are the database's: clocks of processes do not matter."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turns = Turns()
        self._targets: dict[str, str] = {}
        self._turn = asyncio.Lock()
        self._in_doubt: dict[str, list[Candidate]] = {}
        """What a worker was about to take, until its caller has the answer."""

    async def join(self, worker: Worker, lease_s: float) -> None:
        """Give a worker its lease. Its id must be new: a lease that has ended is never taken up again.

        Raises:
            InvalidValue: A value does not fit, or the lease is too short.
            HectorError: See `Database.write`.
        """
        fit("worker", worker.id, NAME, empty=False)
        fit("worker target", worker.target, TARGET)
        fit("worker host", worker.host, OWNER)
        fit("worker parent", worker.parent, NAME)
        fit("worker version", worker.version, WORD)
        joining = partial(leases.join, worker=worker, lease_us=_lease_us(lease_s))
        await self._database.write(joining, rows=URGENT)
        self._targets[worker.id] = worker.target

    async def renew(self, worker_id: str, lease_s: float) -> bool:
        """Extend a worker's lease, for all of its runs; False: it is over, and so is the worker."""
        return await self._database.write(
            partial(leases.renew, worker_id=worker_id, lease_us=_lease_us(lease_s)), rows=URGENT
        )

    async def release(self, worker_id: str) -> int:
        """Let go of all that a worker has, and forget it: others may claim its runs at once.

        For a worker that leaves, or for who knows that it is dead: what is still under way from it is refused
        as soon as somebody has claimed the run.

        Returns:
            How many runs it had.
        """
        return await self._release([worker_id])

    async def release_children(self, parent: str) -> int:
        """Release every worker that a process known as `parent` was; for who knows that it is dead."""
        children = [row.id for row in await self.all() if row.parent == parent] if parent else []
        return await self._release(children) if children else 0

    async def claim(self, worker_id: str, claim: Claim) -> list[Claimed]:
        """Take runs that nobody has and that are due, and those whose worker is gone, as far as they fit.

        Higher priorities first, apps in turn by their weights, then whoever has been due for longest. What it
        costs does not depend on how many runs there are, or how many wait. If the answer to a claim was lost,
        or its caller was cancelled, the next claim returns what that took.

        Raises:
            LeaseOver: The worker has no lease.
            HectorError: See `Database.write`.
        """
        async with self._turn:
            taken = await self._claim(worker_id, claim)
            self._in_doubt.pop(worker_id, None)
        measuring.claimed(taken)
        return taken

    async def take(self, worker_id: str, run_id: str) -> Claimed | None:
        """Take one run, due or not, if nobody has it or its worker is gone; None: it is somebody's, or over.

        Raises:
            LeaseOver: The worker has no lease.
            HectorError: See `Database.write`.
        """
        async with self._turn:
            found = await self._database.read(partial(claiming.find, run_id=run_id), short=True)
            if found is None or await self._is_of_before(found.worker):
                return None
            taken = await self._take(worker_id, Claim(limit=1), [found], when_due=False)
            if found in self._in_doubt.get(worker_id, ()):  # it has not been released meanwhile
                self._in_doubt[worker_id].remove(found)
        return taken[0] if taken else None

    async def of(self, worker_id: str) -> WorkerRow | None:
        """Return one worker, with or without its lease; None: it has left, or was forgotten."""
        return await self._database.read(partial(leases.one, worker_id=worker_id), short=True)

    async def all(self) -> Sequence[WorkerRow]:
        """Return all workers that are known, the oldest first; some may be gone without a goodbye."""
        return await self._database.read(leases.every, short=True)

    async def alive(self) -> Sequence[WorkerRow]:
        """Return the workers that have their lease, the oldest first."""
        return [row for row in await self.all() if row.is_alive]

    async def waiting_signals(self, worker_id: str) -> Sequence[SignalRow]:
        """Return the signals that a worker's runs have not consumed yet, in order."""
        return await self._database.read(partial(leases.waiting_signals, worker_id=worker_id), short=True)

    async def _claim(self, worker_id: str, claim: Claim) -> list[Claimed]:
        taken = await self._settled(worker_id)
        if taken:  # at once: they are waited for
            return taken
        for _ in range(TRIES):
            wanted = replace(claim, limit=claim.limit - len(taken))
            if wanted.limit <= 0:
                break
            seen = await self._database.read(partial(claiming.look, claim=wanted))
            if seen.forgettable:
                await self._database.write(partial(claiming.forget, worker_ids=seen.forgettable))
            if seen.unknown and await self._database.is_claimed():
                seen = claiming.without(seen, seen.unknown)
            chosen = claiming.choose(seen, wanted, self._turns)
            if not chosen:
                break
            found = await self._take(worker_id, wanted, chosen)
            taken += found
            if len(found) == len(chosen):
                break
        return taken

    async def _is_of_before(self, worker_id: str) -> bool:
        """Say whether a process of an earlier version has what this worker has."""
        is_unknown = bool(worker_id) and await self.of(worker_id) is None
        return is_unknown and await self._database.is_claimed()

    async def _take(
        self, worker_id: str, claim: Claim, chosen: list[Candidate], *, when_due: bool = True
    ) -> list[Claimed]:
        self._in_doubt.setdefault(worker_id, []).extend(chosen)
        return await self._database.write(
            partial(
                claiming.take,
                worker=worker_id,
                target=self._targets.get(worker_id, ""),
                claim=claim,
                chosen=chosen,
                when_due=when_due,
            ),
            rows=len(chosen),
        )

    async def _settled(self, worker_id: str) -> list[Claimed]:
        """Return what earlier claims took without their callers having heard of it."""
        doubts = self._in_doubt.get(worker_id)
        if not doubts:
            return []
        each = list(
            {(one.run_id, one.epoch): one for one in doubts}.values()
        )  # tried again, it is there twice
        found = await self._database.read(partial(claiming.taken, worker=worker_id, chosen=each))
        if not found:
            self._in_doubt.pop(worker_id, None)
        return found

    async def _release(self, worker_ids: Collection[str]) -> int:
        freed = await self._database.write(partial(leases.release, worker_ids=worker_ids))
        for worker_id in worker_ids:
            self._targets.pop(worker_id, None)
            self._in_doubt.pop(worker_id, None)
        if freed:
            self._database.hints.hint(hints.DUE)
        return freed


def _lease_us(lease_s: float) -> int:
    if lease_s < SHORTEST_LEASE_S:
        raise InvalidValue("lease", f"{lease_s:g} s", f"{SHORTEST_LEASE_S:g} s or more")
    return round(lease_s * 1_000_000)
