"""Workers, their leases, and the runs that they claim: on every database."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, update

from hector_mesh import HectorError
from hector_store import (
    NEVER,
    NOW,
    Claim,
    Claimed,
    Database,
    NewEvent,
    NewRun,
    RunChanges,
    RunLog,
    RunRow,
    Worker,
    Workers,
)
from hector_store import claiming as in_sql
from hector_store.errors import StorageClosed
from hector_store.schema import workers as workers_table

EVERYTHING = Claim(limit=100)
HOUR_US = 3_600_000_000


@pytest.fixture
async def workers(database: Database) -> AsyncIterator[Workers]:
    async with asyncio.timeout(60):
        found = Workers(database)
        for name in ("w1", "w2"):
            await found.join(Worker(name, target=f"{name}:9000", host="h", pid=1, parent="p"), 60)
        yield found


async def end_lease(database: Database, worker: str) -> None:
    """Let a lease end, as if time had passed."""
    past = update(workers_table).where(workers_table.c.id == worker).values(lease_until=1)
    await database.write(lambda connection: connection.execute(past))


async def queued(log: RunLog, due_us: int = NOW, agent: str = "helper", **fields: object) -> str:
    new = NewRun(app="default", owner="ann", agent=agent, due_us=due_us)._replace(**fields)  # type: ignore[arg-type]
    return (await log.create(new, [NewEvent("said")])).run_id


async def at_work(log: RunLog, worker: str) -> str:
    return await queued(log, NEVER, worker=worker)


async def stored(log: RunLog, run_id: str) -> RunRow:
    row = await log.get("default", None, run_id)
    assert row is not None
    return row


def ids(claimed: list[Claimed]) -> list[str]:
    return [found.row.id for found in claimed]


async def test_a_worker_is_known_as_it_introduced_itself(workers: Workers) -> None:
    found = await workers.of("w1")
    assert found is not None
    assert (found.target, found.host, found.pid, found.parent, found.is_alive) == (
        "w1:9000",
        "h",
        1,
        "p",
        True,
    )
    assert 55_000_000 < found.lease_until_us - found.started_time_us < 65_000_000
    assert [row.id for row in await workers.alive()] == ["w1", "w2"]
    assert await workers.of("w3") is None


async def test_a_lease_is_renewed_from_now_on(workers: Workers) -> None:
    assert await workers.renew("w1", 600)
    found = await workers.of("w1")
    assert found is not None
    assert found.lease_until_us - found.started_time_us > 500_000_000


async def test_a_lease_that_has_ended_is_never_renewed(workers: Workers, database: Database) -> None:
    await end_lease(database, "w1")
    assert not await workers.renew("w1", 60)
    assert not await workers.renew("never there", 60)
    assert [row.id for row in await workers.alive()] == ["w2"]
    found = await workers.of("w1")
    assert found is not None
    assert not found.is_alive


async def test_a_lease_is_a_second_long_or_more(workers: Workers) -> None:
    with pytest.raises(HectorError, match=r"lease is 0\.5 s; allowed: 1 s or more"):
        await workers.join(Worker("w3"), 0.5)


async def test_a_run_that_nobody_has_is_claimed_once_and_is_the_workers(
    workers: Workers, log: RunLog
) -> None:
    run_id = await queued(log)
    found = await asyncio.gather(*(workers.claim(name, EVERYTHING) for name in ("w1", "w2") * 3))
    (claimed,) = [one for some in found for one in some]
    assert (claimed.row.id, claimed.reason, claimed.before) == (run_id, "due", "")
    row = await stored(log, run_id)
    assert claimed.row == row
    assert (row.epoch, row.attempt) == (2, 1)
    assert row.worker in ("w1", "w2")
    assert row.worker_target == f"{row.worker}:9000"
    await log.append(run_id, 2, [NewEvent("mine")])
    with pytest.raises(HectorError) as caught:
        await log.append(run_id, 1, [NewEvent("who created it")])
    assert caught.value.reason == "RUN_FENCED"


async def test_what_is_not_due_is_left_alone(workers: Workers, log: RunLog, database: Database) -> None:
    far = (await stored(log, await queued(log, NEVER))).created_time_us + HOUR_US
    for due in (NEVER, far):
        await queued(log, due)
    await at_work(log, "w2")
    await queued(log, state="RUN_STATE_COMPLETED")
    assert await workers.claim("w1", EVERYTHING) == []
    past = await queued(log, far - 2 * HOUR_US)
    assert ids(await workers.claim("w1", EVERYTHING)) == [past]


async def test_runs_of_a_worker_whose_lease_has_ended_are_others(
    workers: Workers, log: RunLog, database: Database
) -> None:
    mine = {await at_work(log, "w1") for _ in range(3)}
    assert await workers.claim("w2", EVERYTHING) == []
    await end_lease(database, "w1")
    found = await workers.claim("w2", EVERYTHING)
    assert set(ids(found)) == mine
    assert {(one.reason, one.before, one.row.epoch) for one in found} == {("orphaned", "w1", 2)}
    assert not await workers.renew("w1", 60)
    for run_id in mine:
        with pytest.raises(HectorError):
            await log.append(run_id, 1, [NewEvent("too late")])
        assert len(await log.events("default", run_id)) == 1


async def test_runs_of_a_worker_that_nobody_knows_are_others(workers: Workers, log: RunLog) -> None:
    """As an older version left them, or one that went on after its lease."""
    run_id = await at_work(log, "forgotten")
    (found,) = await workers.claim("w1", EVERYTHING)
    assert (found.row.id, found.reason, found.before) == (run_id, "orphaned", "forgotten")


async def test_who_has_no_lease_claims_nothing(workers: Workers, log: RunLog, database: Database) -> None:
    run_id = await queued(log)
    await end_lease(database, "w1")
    for claiming in (workers.claim("w1", EVERYTHING), workers.take("w1", run_id)):
        with pytest.raises(HectorError, match="join again under a new id") as caught:
            await claiming
        assert caught.value.reason == "LEASE_OVER"
    assert ids(await workers.claim("w2", EVERYTHING)) == [run_id]


async def test_a_worker_that_leaves_lets_go_of_its_runs_at_once(workers: Workers, log: RunLog) -> None:
    mine, other = {await at_work(log, "w1") for _ in range(3)}, await at_work(log, "w2")
    assert await workers.release("w1") == 3
    assert await workers.of("w1") is None
    assert not await workers.renew("w1", 60)
    assert set(ids(await workers.claim("w2", EVERYTHING))) == mine
    assert (await stored(log, other)).epoch == 1
    assert await workers.release("w1") == 0


async def test_a_parent_releases_what_its_dead_child_had(workers: Workers, log: RunLog) -> None:
    await workers.join(Worker("child", parent="supervisor/2.1"), 60)
    await workers.join(Worker("sister", parent="supervisor/3.1"), 60)
    run_id = await at_work(log, "child")
    assert await workers.release_children("supervisor/2.1") == 1
    assert [row.id for row in await workers.alive()] == ["w1", "w2", "sister"]
    assert ids(await workers.claim("w1", EVERYTHING)) == [run_id]
    assert await workers.release_children("") == 0


async def test_a_run_that_waits_is_nobodys_until_a_signal_wakes_it(workers: Workers, log: RunLog) -> None:
    run_id = await at_work(log, "w1")
    parked = RunChanges(state="RUN_STATE_INPUT_REQUIRED", worker="", due_us=NEVER)
    await log.append(run_id, 1, [NewEvent("asked")], parked)
    row = await stored(log, run_id)
    assert (row.worker, row.due_us, row.epoch) == ("", NEVER, 1)
    assert await workers.claim("w2", EVERYTHING) == []
    await log.signal("default", run_id, "answer")
    (found,) = await workers.claim("w2", EVERYTHING)
    assert (found.row.id, found.row.epoch, found.row.worker) == (run_id, 2, "w2")


async def test_a_signal_to_an_owner_that_is_just_leaving_is_not_lost(workers: Workers, log: RunLog) -> None:
    run_id = await at_work(log, "w1")
    answered = await log.signal("default", run_id, "seen")
    unseen = await log.signal("default", run_id, "unseen")
    await log.append(run_id, 1, changes=RunChanges(worker="", due_us=NEVER), consume=[answered])
    assert ids(await workers.claim("w2", EVERYTHING)) == [run_id]
    await log.append(run_id, 2, changes=RunChanges(worker="", due_us=NEVER), consume=[unseen])
    assert await workers.claim("w2", EVERYTHING) == []


async def test_signals_and_parking_at_the_same_moment_always_wake(workers: Workers, log: RunLog) -> None:
    runs = [await at_work(log, "w1") for _ in range(40)]
    park = RunChanges(worker="", due_us=NEVER)
    await asyncio.gather(
        *(log.append(run_id, 1, changes=park) for run_id in runs[::2]),
        *(log.signal("default", run_id, "go") for run_id in runs),
        *(log.append(run_id, 1, changes=park) for run_id in runs[1::2]),
    )
    assert sorted(ids(await workers.claim("w2", EVERYTHING))) == sorted(runs)


async def test_a_timer_is_due_when_its_time_has_come(workers: Workers, log: RunLog) -> None:
    run_id = await at_work(log, "w1")
    now_us = (await log.append(run_id, 1)).time_us
    later = RunChanges(
        state="RUN_STATE_WAITING", worker="", due_us=now_us + HOUR_US, wake_at_us=now_us + HOUR_US
    )
    await log.append(run_id, 1, changes=later)
    assert await workers.claim("w2", EVERYTHING) == []
    await log.append(run_id, 1, changes=RunChanges(due_us=now_us - 1))
    assert ids(await workers.claim("w2", EVERYTHING)) == [run_id]


async def test_who_claims_is_told_how_long_it_took(workers: Workers, log: RunLog) -> None:
    made_us = (await stored(log, await queued(log, NEVER))).created_time_us
    run_id = await queued(log, made_us - HOUR_US)
    orphan = await queued(log, made_us - HOUR_US, worker="gone")
    found = {one.row.id: one.late_us for one in await workers.claim("w1", EVERYTHING)}
    assert HOUR_US <= found[run_id] < HOUR_US + 60_000_000
    assert found[orphan] == 0


async def test_one_run_is_taken_by_name_due_or_not(workers: Workers, log: RunLog, database: Database) -> None:
    run_id = await queued(log, NEVER)
    found = await workers.take("w1", run_id)
    assert found is not None
    assert (found.row.id, found.row.worker, found.reason) == (run_id, "w1", "due")
    assert await workers.take("w2", run_id) is None, "somebody has it"
    await end_lease(database, "w1")
    found = await workers.take("w2", run_id)
    assert found is not None
    assert (found.reason, found.before, found.row.epoch) == ("orphaned", "w1", 3)
    await log.append(run_id, 3, changes=RunChanges(state="RUN_STATE_COMPLETED"))
    assert await workers.take("w2", run_id) is None
    assert await workers.take("w2", "nothing") is None


async def test_a_worker_sees_the_signals_of_all_its_runs(workers: Workers, log: RunLog) -> None:
    first, second, other = await at_work(log, "w1"), await at_work(log, "w1"), await at_work(log, "w2")
    sent = [await log.signal("default", run, "cancel") for run in (second, other, first, second)]
    found = await workers.waiting_signals("w1")
    assert [(row.id, row.run_id) for row in found] == [(sent[0], second), (sent[2], first), (sent[3], second)]
    await log.consume(second, 1, [sent[0]])
    await log.append(first, 1, changes=RunChanges(state="RUN_STATE_CANCELED"))
    assert [row.id for row in await workers.waiting_signals("w1")] == [sent[3]]


async def test_workers_that_are_gone_are_forgotten_once_they_have_no_runs(
    workers: Workers, log: RunLog, database: Database
) -> None:
    async def known() -> list[str]:
        names = select(workers_table.c.id).order_by(workers_table.c.id)
        return list(await database.read(lambda connection: connection.execute(names).scalars().all()))

    run_id = await at_work(log, "w1")
    await end_lease(database, "w1")
    await workers.join(Worker("w3"), 60)
    assert await known() == ["w1", "w2", "w3"], "it has a run"
    assert ids(await workers.claim("w2", EVERYTHING)) == [run_id]
    await workers.claim("w2", EVERYTHING)
    assert await known() == ["w2", "w3"]


async def test_only_the_agents_apps_and_runs_that_are_wanted_are_claimed(
    workers: Workers, log: RunLog
) -> None:
    runs = {
        (app, agent): (await queued(log, app=app, agent=agent)) for app in "ab" for agent in ("x", "y", "z")
    }
    claim = Claim(
        limit=9, agents=frozenset({"x", "y"}), apps=frozenset({"a"}), but=frozenset({runs["a", "y"]})
    )
    assert ids(await workers.claim("w1", claim)) == [runs["a", "x"]]
    assert len(await workers.claim("w1", EVERYTHING)) == 5


async def test_a_claim_whose_caller_left_is_returned_by_the_next_one(
    workers: Workers, log: RunLog, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would work on it otherwise, and its worker lives."""
    run_id = await queued(log)
    write = database.write

    async def lost(*arguments: object, **named: object) -> object:
        await write(*arguments, **named)  # type: ignore[arg-type]
        raise asyncio.CancelledError

    monkeypatch.setattr(database, "write", lost)
    with pytest.raises(asyncio.CancelledError):
        await workers.claim("w1", EVERYTHING)
    monkeypatch.setattr(database, "write", write)
    (found,) = await workers.claim("w1", EVERYTHING)
    assert (found.row.id, found.row.epoch, found.reason) == (run_id, 2, "due")
    assert await workers.claim("w1", EVERYTHING) == []


async def test_what_a_claim_took_before_it_failed_is_returned_by_the_next_one(
    workers: Workers, log: RunLog, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others were faster with a part of it, and the database was gone at the second look."""
    mine, theirs = await queued(log), await queued(log)
    write, look = database.write, in_sql.look
    looks = 0

    async def others_first(*arguments: object, **named: object) -> object:
        monkeypatch.setattr(database, "write", write)
        assert await Workers(database).take("w2", theirs)
        return await write(*arguments, **named)  # type: ignore[arg-type]

    def once(*arguments: object, **named: object) -> in_sql.Seen:
        nonlocal looks
        looks += 1
        if looks > 1:
            raise StorageClosed(database.name)
        return look(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(database, "write", others_first)
    monkeypatch.setattr(in_sql, "look", once)
    with pytest.raises(StorageClosed):
        await workers.claim("w1", EVERYTHING)
    monkeypatch.setattr(in_sql, "look", look)
    (found,) = await workers.claim("w1", EVERYTHING)
    assert (found.row.id, found.row.worker, found.reason) == (mine, "w1", "due")
    assert await workers.claim("w1", EVERYTHING) == []


async def test_no_clock_of_a_process_decides(
    workers: Workers, log: RunLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clock skew between replicas changes nothing."""
    run_id = await at_work(log, "w1")
    for skew_s in (-3600.0, 3600.0):
        monkeypatch.setattr("time.time", lambda skew_s=skew_s: 1_700_000_000 + skew_s)
        monkeypatch.setattr("time.time_ns", lambda skew_s=skew_s: int((1_700_000_000 + skew_s) * 1e9))
        assert await workers.renew("w1", 30)
        assert await workers.claim("w2", EVERYTHING) == []
        queued_id = await queued(log)
        assert ids(await workers.claim("w2", EVERYTHING)) == [queued_id]
    assert (await stored(log, run_id)).epoch == 1
