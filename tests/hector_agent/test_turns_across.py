"""Ours: turns of one session run one after another in the order of their commits, in whichever processes."""

import asyncio

import pytest
from support.owned_world import world
from support.run_owners import lease_ends, settled
from support.scripted_agent import until

pytestmark = pytest.mark.usefixtures("short_stops")
TURNS = 64


async def in_order(of) -> list[str]:
    page = await of.log.list("default", "ada", context_id="c", page_size=TURNS)
    rows = sorted(page.runs, key=lambda row: row.context_position)
    assert [row.context_position for row in rows] == list(range(1, len(rows) + 1))
    assert {row.state for row in rows} == {"RUN_STATE_COMPLETED"}
    tasks = [await of.task(row.id) for row in rows]
    return [task.history[0].parts[0].text for task in tasks]


async def test_many_turns_at_once_at_two_replicas_keep_the_order_of_their_commits(database_url):
    async with world(database_url) as of, of.replica() as one, of.replica() as other:
        of.model.steps = 0
        both = (one, other)
        asked = await asyncio.gather(
            *(both[turn % 2].ask(f"turn {turn}", context="c") for turn in range(TURNS))
        )
        for run in asked:
            await settled(of.log, run.place.run)
        assert of.model.told == await in_order(of)
        assert len(of.model.told) == TURNS


async def test_a_turn_waits_for_one_before_it_that_is_taken_over_and_goes_behind_it(database_url):
    async with world(database_url) as of, of.replica() as one, of.replica() as other:
        of.model.steps = 0
        of.model.may_answer.clear()
        other.runs._claiming.is_stopped = True
        first = (await one.ask("first", context="c")).place.run

        async def asked() -> bool:
            return of.model.asked == 1

        await until(asked)
        worker = one.worker
        one.kill()
        second = (await other.ask("second", context="c")).place.run
        third = (await other.ask("third", context="c")).place.run
        of.model.may_answer.set()
        await lease_ends(of.database, worker)
        other.runs._claiming.is_stopped = False
        for run in (first, second, third):
            await settled(of.log, run)
        assert of.model.told == ["first", "first", "second", "third"]
        assert await in_order(of) == ["first", "second", "third"]
