"""What operators see of the queue, and the runs that nobody tries again."""

import asyncio

import pytest

from hector_store import (
    NEVER,
    NOW,
    AgentQueue,
    Database,
    Dead,
    DeadLetters,
    NewEvent,
    NewRun,
    Queue,
    RunChanges,
    RunLog,
    Worker,
    Workers,
)

FAILED = RunChanges(state="RUN_STATE_FAILED")


def run_of(agent: str = "writer", **more) -> NewRun:
    return NewRun(app="default", owner="ada", agent=agent, context_id="c", **more)


async def fails(log: RunLog, agent: str = "writer", reason: str = "MODEL_UNREACHABLE") -> str:
    created = await log.create(run_of(agent))
    dead = Dead(agent, reason, "it was away\0 " + "x" * 5000, 3)
    await log.append(created.run_id, created.epoch, [NewEvent("status_changed")], FAILED, dead=dead)
    return created.run_id


async def test_a_dead_letter_says_whose_it_is_and_why(database: Database) -> None:
    log, letters = RunLog(database), DeadLetters(database)
    run = await fails(log)
    [found] = (await letters.list("default")).letters
    assert (found.run_id, found.agent, found.context_id, found.owner) == (run, "writer", "c", "ada")
    assert (found.reason, found.attempts, found.requeued_as) == ("MODEL_UNREACHABLE", 3, "")
    assert found.message.startswith("it was away ")
    assert await letters.get("default", run) == found
    assert await letters.get("another", run) is None
    assert await letters.counts() == {"writer": 1}


async def test_an_end_that_is_refused_leaves_no_dead_letter(database: Database) -> None:
    log = RunLog(database)
    created = await log.create(run_of())
    await log.take_over(created.run_id, "another")
    with pytest.raises(Exception, match=r"epoch|owner|worker"):
        await log.append(created.run_id, created.epoch, (), FAILED, dead=Dead("writer", "X", "y", 1))
    assert (await DeadLetters(database).list("default")).letters == ()


async def test_a_requeued_letter_leaves_the_list_and_tells_its_new_run(database: Database) -> None:
    log, letters = RunLog(database), DeadLetters(database)
    first, second = await fails(log), await fails(log)
    await letters.requeue("default", first, "again")
    assert [one.run_id for one in (await letters.list("default")).letters] == [second]
    found = await letters.get("default", first)
    assert found is not None
    assert found.requeued_as == "again"
    assert len((await letters.list("default", requeued=True)).letters) == 2
    assert await letters.counts() == {"writer": 1}


async def test_pages_of_dead_letters_have_each_once_and_the_latest_first(database: Database) -> None:
    log, letters = RunLog(database), DeadLetters(database)
    runs = [await fails(log) for _ in range(5)] + [await fails(log, "reader")]
    seen, token = [], ""
    while True:
        page = await letters.list("default", agent="writer", page_size=2, page_token=token)
        seen += page.letters
        token = page.next_page_token
        if not token:
            break
    assert sorted(one.run_id for one in seen) == sorted(runs[:5])
    assert [one.time_us for one in seen] == sorted((one.time_us for one in seen), reverse=True)


async def test_deleting_a_session_takes_its_dead_letters_along(database: Database) -> None:
    log = RunLog(database)
    await fails(log)
    await log.delete_context("default", "ada", "c")
    assert (await DeadLetters(database).list("default")).letters == ()


async def test_stats_add_up(database: Database) -> None:
    log, workers = RunLog(database), Workers(database)
    await workers.join(Worker("alive", host="here", pid=7), 60)
    await workers.join(Worker("gone"), 1)
    for worker in ("alive", "gone", "unheard-of"):
        await log.create(run_of(worker=worker))
    for due in (NOW, NOW, NEVER - 1, NEVER):
        await log.create(run_of(due_us=due))
    await log.create(run_of("reader", due_us=NEVER))
    over = await log.create(run_of("reader", worker="alive"))
    await log.append(over.run_id, over.epoch, (), RunChanges(state="RUN_STATE_COMPLETED"))
    async with asyncio.timeout(10):
        while await workers.of("gone") and (await workers.of("gone")).is_alive:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    found = await Queue(database).stats("default")
    assert found.agents["writer"] == AgentQueue(due=2, working=1, sleeping=1, waiting=1, orphaned=2)
    assert found.agents["reader"] == AgentQueue(waiting=1)
    assert found.oldest_due_us > 0
    assert {row.id: runs for row, runs in found.workers} == {"alive": 1, "gone": 1}
    assert (await Queue(database).stats("another")).agents == {}


async def test_depth_is_what_is_due_and_since_when(database: Database) -> None:
    log = RunLog(database)
    for priority in (0, 0, 5):
        await log.create(run_of(due_us=NOW, priority=priority))
    await log.create(run_of(due_us=NEVER))
    await log.create(run_of(worker="somebody"))
    found = await Queue(database).depth()
    assert found["writer"].runs == 3
    assert found["writer"].age_us >= 0
