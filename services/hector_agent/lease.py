"""This process's lease on the runs that it works on: joined, renewed, and given up before it can be over.

The database decides how long a lease lasts. Here only time that has passed counts, from the moment before a
renewal was asked for, so this process is always the first to know that it must stop. From two thirds of it on
nothing is written: a renewal that is late, and that the database grants, still saves the runs, since nobody
can have taken one before. At five sixths they are stopped, whatever comes of it.
"""

import asyncio
import logging
import os
import time
import uuid
from collections.abc import Callable

from hector_mesh import HectorError, Whereabouts, this_host
from hector_mesh.flag import Flag
from hector_store import Worker, Workers

from .errors import NoLease
from .measuring import LEASES_LOST
from .neighbours import kernel

log = logging.getLogger(__name__)

SHARE = 2 / 3
"""By when a lease must have been renewed, as a share of its length: then its runs write nothing."""
STOPPING_SHARE = 5 / 6
"""By when its runs are stopped: what they have begun must be over before somebody else goes on with them."""
RENEWALS = 3
"""How often it is renewed in its length."""
AGAIN_S = 0.5
"""How soon what failed is tried again."""
PATIENCE_S = 5.0
"""How long a new lease is waited for at least: longer, where a lease is longer."""
LEAVING_S = 3.0
"""How long it may take to say goodbye: without it, others wait until the lease is over."""


class Lease:
    """One lease. What is written under it is written while it is held, or not at all."""

    __slots__ = ("_decided", "is_lost", "until", "worker")

    def __init__(self, worker: str, until: float) -> None:
        self.worker = worker
        self.until = until
        """Until when it is written under without another renewal, in seconds of time.monotonic()."""
        self.is_lost = False
        """It is over for good: somebody else may have its runs by now."""
        self._decided = Flag()

    @property
    def is_over(self) -> bool:
        """Whether nothing may be written under it: it is lost, or its renewal is late."""
        return self.is_lost or time.monotonic() >= self.until

    async def held(self) -> bool:
        """Return when it may be written under, at once as a rule; False: it is lost.

        It is not waited for longer than to five sixths of its length: then it is lost.
        """
        while self.is_over and not self.is_lost:
            self._decided.clear()
            await self._decided.wait()
        return not self.is_lost

    def renew(self, until: float) -> None:
        """Have what waits written."""
        self.until = until
        self._decided.set()

    def lose(self) -> None:
        """Have nothing written under it any more."""
        self.is_lost = True
        self._decided.set()


class Ownership:
    """Keeps this process's lease, under a new name after each one that was lost."""

    def __init__(self, workers: Workers, whereabouts: Whereabouts, lease_s: float) -> None:
        self._workers, self._whereabouts, self._lease_s = workers, whereabouts, lease_s
        self.lost: Callable[[Lease], None] = _nobody
        """Told of a lease that is over: its runs must stop, and write nothing."""
        self._lease: Lease | None = None
        self._guard: asyncio.TimerHandle | None = None
        self._is_leaving = False
        self._was_lost, self._is_there = Flag(), Flag()
        self._failure: HectorError | None = None
        """Why there was no renewal, or no new lease, the last time."""

    @property
    def lease(self) -> Lease | None:
        """The lease that is held; None: there is none at the moment."""
        lease = self._lease
        return None if lease is None or lease.is_over else lease

    async def held(self, within_s: float | None = None) -> Lease:
        """Return the lease; where there is none at the moment, wait for it, or for the next one.

        Raises:
            NoLease: There is none yet.
            HectorError: Nor can there be: the database cannot be written to.
        """
        patience_s = max(PATIENCE_S, self._lease_s)
        gives_up = time.monotonic() + min(patience_s, patience_s if within_s is None else within_s)
        while (lease := self.lease) is None:
            left_s = gives_up - time.monotonic()
            if left_s <= 0 or self._is_leaving:
                raise self._failure or NoLease()
            self._is_there.clear()
            await self._is_there.happens_within(left_s)
        return lease

    async def join(self) -> None:
        """Take a lease.

        Raises:
            HectorError: The database cannot be written to.
        """
        begun = time.monotonic()
        worker = f"worker-{uuid.uuid4().hex[:12]}-{kernel()}".removesuffix("-")
        about = self._whereabouts
        target, host = about.target(), about.host or this_host()
        introduced = Worker(id=worker, target=target, host=host, pid=os.getpid(), parent=about.parent)
        await self._workers.join(introduced, self._lease_s)
        self._lease = Lease(worker, begun + self._lease_s * SHARE)
        self._watch(self._lease, begun)

    async def keep(self) -> None:
        """Renew the lease until cancelled, and take a new one when it was lost."""
        while not self._is_leaving:
            lease, begun = self._lease, time.monotonic()
            try:
                if lease is None:
                    await self.join()
                else:
                    await self._renew(lease)
            except HectorError as error:
                self._failure = error
                what = "lease was not renewed" if lease else "lease was not taken"
                log.warning(what, extra={"reason": error.reason})
                await asyncio.sleep(min(AGAIN_S, self._lease_s / 12))
            except Exception:
                # A border: without its lease a process is nothing, so a bug must not end this loop.
                log.exception("renewing the lease met a bug")
                await asyncio.sleep(min(AGAIN_S, self._lease_s / 12))
            else:
                self._failure = None
                # From when it began: what took long is not to make the next one late.
                next_s = begun + self._lease_s / RENEWALS - time.monotonic()
                await self._was_lost.happens_within(max(0.0, next_s))
                self._was_lost.clear()

    async def leave(self) -> None:
        """Let go of the lease, and of all runs that are still under it: others may have them at once."""
        self._is_leaving = True
        lease, self._lease = self._lease, None
        if self._guard is not None:
            self._guard.cancel()
        if lease is None:
            return
        lease.lose()
        self._is_there.set()
        releasing = asyncio.ensure_future(self._workers.release(lease.worker))
        done, _ = await asyncio.wait({releasing}, timeout=LEAVING_S)
        error = releasing.exception() if done else None
        if error is not None or not done:
            reason = error.reason if isinstance(error, HectorError) else "it took too long"
            log.warning("lease was left to end by itself", extra={"reason": reason})
            releasing.add_done_callback(_seen)

    async def _renew(self, lease: Lease) -> None:
        begun = time.monotonic()
        is_renewed = await self._workers.renew(lease.worker, self._lease_s)
        if lease is not self._lease:
            if is_renewed:  # too late: its runs were stopped, and others need not wait for its end
                await self._workers.release(lease.worker)
        elif is_renewed:
            lease.renew(begun + self._lease_s * SHARE)
            self._watch(lease, begun)
        else:
            self._lose(lease)

    def _watch(self, lease: Lease, begun: float) -> None:
        if self._guard is not None:
            self._guard.cancel()
        left_s = max(0.0, begun + self._lease_s * STOPPING_SHARE - time.monotonic())
        self._guard = asyncio.get_running_loop().call_later(left_s, self._lose, lease)
        self._is_there.set()

    def _lose(self, lease: Lease) -> None:
        if lease is not self._lease:
            return
        self._lease = None
        lease.lose()
        LEASES_LOST.add()
        log.error("lease was lost", extra={"worker": lease.worker, "lease_s": self._lease_s})
        self._was_lost.set()
        self.lost(lease)


def _nobody(_: Lease) -> None: ...


def _seen(task: "asyncio.Future[int]") -> None:
    if not task.cancelled():
        task.exception()  # nobody waits for it any more
