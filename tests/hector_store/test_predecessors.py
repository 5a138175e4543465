"""A process of the version before leases is replaced: what it works on is left to it while it lives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hector_store import NEVER, NOW, Claim, FileLock, NewRun, RunLog, Worker, Workers, opened
from hector_store.server import server_of, writer_engine
from hector_store.server_url import ServerPlace
from hector_store.url import parse


@asynccontextmanager
async def at_work(url: str) -> AsyncIterator[None]:
    """Hold what a process of the version before held for as long as it lived."""
    place = parse(url)
    if not isinstance(place, ServerPlace):
        assert place.file is not None
        lock = FileLock(place.file.with_name(f"{place.file.name}-owner"))
        try:
            yield
        finally:
            lock.release()
        return
    server = server_of(place)
    engine = writer_engine(server)
    taking = "SELECT pg_try_advisory_lock(29384875407536642)"
    if place.kind != "postgresql":
        taking = f"SELECT GET_LOCK('{vars(server)['_claim_lock']}', 0)"
    async with engine.connect() as connection:
        assert (await connection.exec_driver_sql(taking)).scalar() in (True, 1)
        yield
    await engine.dispose()


async def test_runs_of_a_process_of_the_version_before_are_its_own_until_it_ends(lasting_url: str) -> None:
    everything = Claim(limit=9)
    async with asyncio.timeout(60), opened(lasting_url) as database:
        workers, log = Workers(database), RunLog(database)
        await workers.join(Worker("new"), 60)
        new = NewRun(app="a", owner="", agent="g")
        its = await log.create(new._replace(worker="the one before", due_us=NEVER))
        async with at_work(lasting_url):
            nobodys = await log.create(new._replace(due_us=NOW))
            assert [one.row.id for one in await workers.claim("new", everything)] == [nobodys.run_id]
            assert await workers.take("new", its.run_id) is None
        assert [one.row.id for one in await workers.claim("new", everything)] == [its.run_id]
