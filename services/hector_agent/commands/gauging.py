"""Keeps what is measured of the queue up to date, where anybody measures."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context

from hector_mesh import HectorError, metrics
from hector_store import Database, DeadLetters, Queue

from .measuring import AGE_S, DEAD, DEPTH

log = logging.getLogger(__name__)

EVERY_S = 10.0
"""How old the numbers are at most."""


@asynccontextmanager
async def gauging(database: Database) -> AsyncIterator[None]:
    """Look at a database's queue now and then until the block ends."""
    if not metrics.enabled():
        yield
        return
    looking = asyncio.get_running_loop().create_task(_look_on(database), context=Context())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait({looking})


async def look(database: Database, known: set[str]) -> None:
    """Take note of how the queue is; agents that were seen before and have nothing any more have none.

    Raises:
        HectorError: The database cannot be asked.
    """
    depth, dead = await Queue(database).depth(), await DeadLetters(database).counts()
    known |= depth.keys() | dead.keys()
    for agent in known:
        found = depth.get(agent)
        DEPTH.set(agent, value=found.runs if found is not None else 0)
        DEAD.set(agent, value=dead.get(agent, 0))
    AGE_S.set(value=max((one.age_us for one in depth.values()), default=0) / 1_000_000)


async def _look_on(database: Database) -> None:
    known: set[str] = set()
    while True:
        try:
            await look(database, known)
        except HectorError as error:
            log.info("queue could not be measured", extra={"reason": error.reason})
        await asyncio.sleep(EVERY_S)
