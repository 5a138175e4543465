"""Whose runs are claimed first."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from hector_store import NOW, Claim, Database, NewRun, RunChanges, RunLog, Worker, Workers
from hector_store.fairness import Candidate, Room, Turns

NEW = NewRun(app="a", owner="", agent="helper", due_us=NOW)


@pytest.fixture
async def workers(database: Database) -> AsyncIterator[Workers]:
    async with asyncio.timeout(60):
        workers = Workers(database)
        for name in ("w1", "w2", "w3"):
            await workers.join(Worker(name), 60)
        yield workers


async def queue(log: RunLog, number: int, **fields: object) -> list[str]:
    return [(await log.create(NEW._replace(**fields))).run_id for _ in range(number)]  # type: ignore[arg-type]


async def claim_one_by_one(workers: Workers, number: int, **how: object) -> list[str]:
    """Return the apps whose runs are claimed, one run at a time."""
    apps: list[str] = []
    for _ in range(number):
        (found,) = await workers.claim("w1", Claim(limit=1, **how))  # type: ignore[arg-type]
        apps.append(found.row.app)
    return apps


async def test_an_app_with_many_runs_does_not_keep_others_waiting(workers: Workers, log: RunLog) -> None:
    await queue(log, 20, app="busy")
    await queue(log, 2, app="quiet")
    await queue(log, 2, app="calm")
    found = await claim_one_by_one(workers, 9)
    assert Counter(found[:6]) == {"busy": 2, "quiet": 2, "calm": 2}
    assert set(found[6:]) == {"busy"}


async def test_apps_share_by_their_weights(workers: Workers, log: RunLog) -> None:
    for app in ("heavy", "light"):
        await queue(log, 12, app=app)
    found = await claim_one_by_one(workers, 12, weights={"heavy": 3.0})
    assert Counter(found) == {"heavy": 9, "light": 3}
    assert Counter(found[:4]) == {"heavy": 3, "light": 1}, "in turn, not one after the other"
    several = await workers.claim("w1", Claim(limit=4, weights={"heavy": 3.0}))
    assert Counter(one.row.app for one in several) == {"heavy": 3, "light": 1}


async def test_who_is_first_in_an_app_is_claimed_first_whichever_agent_it_is(
    workers: Workers, log: RunLog
) -> None:
    runs = [run for n in range(6) for run in await queue(log, 1, agent="xy"[n % 2], due_us=100 + n)]
    assert [one.row.id for one in await workers.claim("w1", Claim(limit=4))] == runs[:4]


async def test_a_higher_priority_goes_first_in_every_app(workers: Workers, log: RunLog) -> None:
    low, high = await queue(log, 3, priority=-1), await queue(log, 2, priority=5)
    other = await queue(log, 2, app="b", priority=5)
    normal = await queue(log, 1, app="b")
    found = [one.row.id for one in await workers.claim("w1", Claim(limit=100))]
    assert set(found[:4]) == {*high, *other}
    assert found[4:] == [*normal, *low]


async def test_caps_hold_for_all_workers_together(workers: Workers, log: RunLog) -> None:
    await queue(log, 9)
    await queue(log, 9, agent="writer")
    await queue(log, 2, app="b")
    claim = Claim(limit=100, per_app={"a": 5}, per_agent={"writer": 2})
    found = await asyncio.gather(*(workers.claim(name, claim) for name in ("w1", "w2", "w3")))
    taken = Counter((one.row.app, one.row.agent) for some in found for one in some)
    assert taken["a", "helper"] + taken["a", "writer"] == 5
    assert taken["a", "writer"] <= 2
    assert taken["b", "helper"] == 2
    (first, *_) = [one for some in found for one in some if one.row.app == "a"]
    await log.append(first.row.id, 2, changes=RunChanges(state="RUN_STATE_COMPLETED"))
    assert len(await workers.claim("w2", claim)) == 1, "there is room for one more"


async def test_runs_of_dead_workers_do_not_fill_a_cap(workers: Workers, log: RunLog) -> None:
    await queue(log, 3, worker="gone")
    claimed = await workers.claim("w1", Claim(limit=100, per_app={"a": 2}))
    assert [one.reason for one in claimed] == ["orphaned"] * 2


async def test_no_more_is_claimed_than_there_is_room_for(workers: Workers, log: RunLog) -> None:
    await queue(log, 5)
    assert await workers.claim("w1", Claim(limit=0)) == []
    assert len(await workers.claim("w1", Claim(limit=3))) == 3
    assert len(await workers.claim("w1", Claim(limit=3))) == 2


async def test_who_was_beaten_to_some_looks_for_others(workers: Workers, log: RunLog) -> None:
    """Two replicas see the same runs at the front."""
    runs = await queue(log, 12)
    found = await asyncio.gather(*(workers.claim(name, Claim(limit=4)) for name in ("w1", "w2", "w3")))
    assert sorted(one.row.id for some in found for one in some) == sorted(runs)


def candidates(**numbers: int) -> list[Candidate]:
    return [
        Candidate(app, "g", 0, n, f"{app}{n}", 1, "")
        for app, number in numbers.items()
        for n in range(number)
    ]


def chosen(turns: Turns, limit: int, weights: dict[str, float], **numbers: int) -> list[str]:
    room = Room(limit, {}, {}, ())
    return [one.app for one in turns.chosen(candidates(**numbers), room, weights)]


def test_an_app_that_had_nothing_to_do_has_saved_nothing_up() -> None:
    turns = Turns()
    assert chosen(turns, 50, {}, a=50) == ["a"] * 50
    assert Counter(chosen(turns, 10, {}, a=50, b=50)) == {"a": 5, "b": 5}


def test_an_app_of_no_weight_gets_its_turn_all_the_same() -> None:
    turns = Turns()
    found = [app for _ in range(1100) for app in chosen(turns, 1, {"b": 0.0}, a=1, b=1)]
    assert found.count("b") == 1
