"""Old history goes while the server runs, whichever replica looks after it."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import update

import hector_agent.housekeeping as housekeeping
from hector_agent.housekeeping import Housekeeping
from hector_store import Database, NewEvent, NewRun, RunChanges, RunLog, opened
from hector_store.clock import now
from hector_store.errors import StorageBusy
from hector_store.retention_config import RetentionConfig
from hector_store.schema import chores, runs


@pytest.fixture
async def database():
    async with opened("inmemory") as found:
        yield found


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(housekeeping, "FIRST_S", 0.0)


async def old_run(log):
    created = await log.create(NewRun(app="app", owner="ada", agent="writer"), [NewEvent("message_received")])
    await log.append(created.run_id, 1, [], RunChanges(state="RUN_STATE_COMPLETED"))
    aged = update(runs).values(status_time=runs.c.status_time - int(9 * 86400e6))
    await log._database.write(lambda connection: connection.execute(aged))
    return created.run_id


async def until_gone(log, *found):
    async with asyncio.timeout(10):
        while any([await log.get("app", None, run) for run in found]):  # noqa: ASYNC110 - rows tell nobody
            await asyncio.sleep(0.01)


async def test_what_it_is_time_for_goes_by_itself(database):
    log = RunLog(database)
    run = await old_run(log)
    async with Housekeeping(RetentionConfig(runs=86400)).running(database):
        await until_gone(log, run)


async def test_two_replicas_share_one_pass(database, monkeypatch):
    log = RunLog(database)
    gone = Counter()
    monkeypatch.setattr(housekeeping, "_tell", lambda pruned: gone.update(pruned.counts))
    found = [await old_run(log) for _ in range(5)]
    keepers = [Housekeeping(RetentionConfig(runs=86400)) for _ in range(2)]
    async with keepers[0].running(database), keepers[1].running(database):
        await until_gone(log, *found)
    assert gone["runs"] in (0, 5)  # 0: it was stopped between its last step and telling of it


async def test_a_database_in_trouble_stops_nothing(database, monkeypatch):
    """The next pass comes when the database is well again."""
    log, told = RunLog(database), asyncio.Event()
    run = await old_run(log)
    read = Database.read
    refusals = iter([StorageBusy("it"), ValueError("a bug")])

    async def sometimes(self, function, *, short=False):
        for refusal in () if short else refusals:
            told.set()
            raise refusal
        return await read(self, function, short=short)

    monkeypatch.setattr(Database, "read", sometimes)
    config = RetentionConfig(runs=86400).model_copy(update={"interval": 0.01})
    async with Housekeeping(config).running(database):
        async with asyncio.timeout(5):
            await told.wait()
        await until_gone(log, run)


async def test_a_chore_that_a_dead_replica_has_is_taken_when_its_lease_ends(database):
    log = RunLog(database)
    run = await old_run(log)

    async def held(until_us):
        await database.write(
            lambda db: (
                db.execute(chores.delete()).rowcount
                or db.execute(
                    chores.insert().values(
                        name=housekeeping.CHORE, holder="dead", until=now(db) + until_us, done_time=0
                    )
                )
            )
        )

    await held(60_000_000)
    config = RetentionConfig(runs=86400).model_copy(update={"interval": 0.01})
    async with Housekeeping(config).running(database):
        for _ in range(20):
            await asyncio.sleep(0)
        assert await log.get("app", None, run)
        await database.write(lambda db: db.execute(update(chores).values(until=now(db) - 1)))
        await until_gone(log, run)
