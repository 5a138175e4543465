"""Runs of other processes are looked at together, soon after something happened, and seldom otherwise."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest

import hector_agent.watching
from hector_agent.errors import ShuttingDown
from hector_agent.watching import Watch
from hector_mesh import HectorError
from hector_store import EVENTS, Hints, Standing
from hector_store.errors import StorageClosed


class Log:
    """Says how runs stand, and remembers what it was asked."""

    def __init__(self):
        self.stands, self.asked, self.is_away = {}, [], False

    def commits(self, run, seq):
        self.stands[run] = Standing(run, "default", "ada", "RUN_STATE_WORKING", seq, 1, "w", "", "")

    async def standings(self, runs):
        self.asked.append(sorted(runs))
        await asyncio.sleep(0)
        if self.is_away:
            raise StorageClosed("it")
        return {run: self.stands[run] for run in runs if run in self.stands}


@pytest.fixture
def log():
    return Log()


@asynccontextmanager
async def looking(log, hints=None):
    watch = Watch(log)
    tasks = [asyncio.create_task(watch.look())]
    if hints is not None:
        tasks.append(asyncio.create_task(watch.listen(hints)))
    try:
        async with asyncio.timeout(10):
            yield watch
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_all_runs_are_asked_for_with_one_statement(log):
    for run in ("a", "b", "c"):
        log.commits(run, 2)
    async with looking(log) as watch:
        with watch.watching("a") as a, watch.watching("b") as b, watch.watching("c"), watch.watching("a"):
            async with aclosing(a.changes()) as of_a, aclosing(b.changes()) as of_b:
                assert (await anext(of_a)).next_seq == (await anext(of_b)).next_seq == 2
    assert log.asked[0] == ["a", "b", "c"]


async def test_a_change_is_told_once_and_what_is_gone_is_nothing(log):
    log.commits("a", 2)
    async with looking(log) as watch:
        with watch.watching("a") as watched:
            async with aclosing(watched.changes()) as changes:
                assert (await anext(changes)).next_seq == 2
                log.commits("a", 3)
                assert (await anext(changes)).next_seq == 3
                log.stands.clear()
                assert await anext(changes) is None


async def test_where_nothing_happens_the_pause_grows(log):
    log.commits("a", 2)
    async with looking(log) as watch:
        with watch.watching("a") as watched:
            while watched.pause_s < hector_agent.watching.LONGEST_S:  # noqa: ASYNC110 - it is its own clock
                await asyncio.sleep(0.01)
            assert watched.pause_s == hector_agent.watching.LONGEST_S
            watched.is_told = True
            while watched.pause_s < hector_agent.watching.SELDOM_S:
                watched.saw(watched.standing, 0.0, hector_agent.watching.SELDOM_S)
            log.commits("a", 3)
            watched.look()
            async with aclosing(watched.changes()) as changes:
                async for standing in changes:
                    if standing.next_seq == 3:
                        break
            assert watched.pause_s == hector_agent.watching.SOONEST_S


async def test_a_hint_of_another_process_makes_it_soon(log, monkeypatch):
    for name in ("SOONEST_S", "LONGEST_S"):
        monkeypatch.setattr(hector_agent.watching, name, 60.0)
    hints = Hints()
    log.commits("a", 2)
    async with looking(log, hints) as watch:
        with watch.watching("a") as watched:
            async with aclosing(watched.changes()) as changes:
                assert (await anext(changes)).next_seq == 2
                monkeypatch.setattr(hector_agent.watching, "SOONEST_S", 0.0)
                log.commits("a", 3)
                hints.hint(EVENTS)  # of this process: it is none of ours
                hints.heard(EVENTS)
                assert (await anext(changes)).next_seq == 3


async def test_a_database_that_is_away_is_asked_again(log, monkeypatch):
    monkeypatch.setattr(hector_agent.watching, "TROUBLE_S", 0.001)
    log.is_away = True
    log.commits("a", 2)
    async with looking(log) as watch:
        with watch.watching("a") as watched:
            async with aclosing(watched.changes()) as changes:
                first = asyncio.ensure_future(anext(changes))
                while len(log.asked) < 3:  # noqa: ASYNC110 - nobody is told of that
                    await asyncio.sleep(0.001)
                log.is_away = False
                assert (await first).next_seq == 2


async def test_nobody_waits_for_a_process_that_stops(log):
    async with looking(log) as watch:
        with watch.watching("a") as watched:
            async with aclosing(watched.changes()) as changes:
                assert await anext(changes) is None
                waiting = asyncio.ensure_future(anext(changes))
                await asyncio.sleep(0)
                watch.end(ShuttingDown())
                with pytest.raises(HectorError, match="shutting down"):
                    await waiting


async def test_a_bug_in_one_look_does_not_end_all_looking(log, caplog, monkeypatch):
    monkeypatch.setattr(hector_agent.watching, "TROUBLE_S", 0.01)
    log.commits("a", 2)
    standings, bugs = log.standings, [ZeroDivisionError("a bug")]

    async def with_a_bug(runs):
        if bugs:
            raise bugs.pop()
        return await standings(runs)

    log.standings = with_a_bug
    async with looking(log) as watch:
        with watch.watching("a") as a:
            async with aclosing(a.changes()) as changes:
                assert (await anext(changes)).next_seq == 2
    assert [record.msg for record in caplog.records if record.exc_info] == [
        "looking at runs elsewhere met a bug"
    ]
