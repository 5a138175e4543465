"""Makes old history smaller while the server runs: one replica at a time, gently, as the config says."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from contextvars import Context
from typing import TYPE_CHECKING

from hector_mesh import HectorError
from hector_mesh.metrics import OTHER, Counter
from hector_store import Database, new_id

if TYPE_CHECKING:
    from hector_store.history.chores import Chores
    from hector_store.history.values import Pruned
    from hector_store.retention_config import RetentionConfig

log = logging.getLogger(__name__)

CHORE = "retention"
LEASE_S = 120.0
"""How long a replica that is gone keeps the others from it."""
RENEW_S = LEASE_S / 4
FIRST_S = 60.0
"""A start has other things to do."""
LEAST_SHARE = 0.8
"""Replicas do not all look at the same time: each waits between so much of the interval and all of it."""

GONE = Counter("hector_history_removed_total", "What retention has deleted or folded, by kind.", ("kind",))
FAILED = Counter("hector_history_failures_total", "Passes over old history that failed.", ("error_type",))


class Housekeeping:
    """Looks after old history. Use inside `running()`."""

    def __init__(self, config: "RetentionConfig") -> None:
        self.config = config
        """How long what is kept; another one counts from the next pass on."""

    @asynccontextmanager
    async def running(self, database: Database) -> AsyncIterator[None]:
        """Look after a database's history until the block ends."""
        loop = asyncio.get_running_loop()
        keeping = loop.create_task(self._keep(database), name="hector-housekeeping", context=Context())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])

    async def _keep(self, database: Database) -> None:
        me, wait_s = new_id(), FIRST_S
        while True:
            interval_s = self.config.interval
            await asyncio.sleep(min(wait_s, interval_s) * random.uniform(LEAST_SHARE, 1))
            wait_s = interval_s
            try:
                await self._look(database, me, LEAST_SHARE * interval_s)
            except HectorError as error:
                FAILED.add(error.reason)
                log.warning("old history was not looked at", extra={"reason": error.reason})
            except Exception:  # the border: whatever is wrong with old history, new runs go on
                FAILED.add(OTHER)
                log.exception("pass over old history failed")

    async def _look(self, database: Database, me: str, every_s: float) -> None:
        # Imported here: most processes end before there is anything old.
        from hector_store.artifacts import Artifacts
        from hector_store.history.chores import Chores
        from hector_store.history.passing import Pass

        from .compacting import compacted

        chores = Chores(database, me)
        if not await chores.take(CHORE, lease_s=LEASE_S, every_s=every_s):
            return
        one_pass = Pass(database, self.config.policy(), compacted)
        try:
            await _while_ours(chores, one_pass.run())
        except BaseException:
            await chores.leave(CHORE)
            raise
        finally:
            _tell(one_pass.pruned)
        await Artifacts(database).sweep()
        await chores.done(CHORE)


async def _while_ours(chores: "Chores", passing: "Coroutine[object, object, Pruned]") -> None:
    """Wait for a pass, and keep the chore as long as it takes. One that is taken from us is given up."""
    task = asyncio.get_running_loop().create_task(passing)
    try:
        while not (await asyncio.wait([task], timeout=RENEW_S))[0]:
            if not await chores.take(CHORE, lease_s=LEASE_S):
                log.info("another replica looks after old history")
                return
        await task
    finally:
        task.cancel()
        await asyncio.wait([task])


def _tell(pruned: "Pruned") -> None:
    for kind, number in pruned.counts.items():
        GONE.add(kind, amount=number)
    if pruned.counts:
        log.info("old history was made smaller", extra={**pruned.counts, "looked_at": pruned.looked_at})
