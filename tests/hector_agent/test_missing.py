"""Ours: a run that is erased while it is at work is stopped by whoever has it, and leaves nothing behind."""

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest
from support.custom_agent import config_of
from support.run_owners import replica, settled
from support.scripted_agent import until

import hector_a2a as a2a
from hector_agent.at_work import AtWork
from hector_agent.elsewhere import Elsewhere
from hector_agent.feed import Cursor
from hector_agent.moment import Place
from hector_agent.room import agents_of
from hector_agent.run import Run
from hector_agent.tail import Reader
from hector_agent.work import Work
from hector_mesh import Call, Mesh
from hector_store import RunLog, opened
from hector_store.history.erasing import Erasure

SOURCE = """
    import asyncio
    from pathlib import Path

    FOLDER = Path(__file__).parent

    async def echo(turn):
        if turn.text == "stay":
            try:
                yield "begun"
                await asyncio.sleep(300)
            finally:
                (FOLDER / "stopped").touch()
        elif turn.text == "stay stubbornly":
            yield "begun"
            while not (FOLDER / "go").exists():
                try:
                    await asyncio.sleep(0.02)
                except asyncio.CancelledError:
                    pass
        yield "done"
"""
SOON_S = 10.0
"""What a test waits for what takes two seconds at most on a quiet machine."""


@asynccontextmanager
async def two_replicas(tmp_path, database_url):
    """Two processes' worth of runs, each with its own connection to the database; the first is asked."""
    config = config_of(tmp_path, SOURCE)
    async with asyncio.timeout(60), opened(database_url) as one, opened(database_url) as other:
        agents = agents_of(config, Mesh({}), "")
        async with replica(one, agents) as owner, replica(other, agents):
            yield owner, one, other


@pytest.mark.parametrize("hints", ["heard", "lost"])
async def test_a_run_that_is_erased_is_stopped_where_it_is_at_work(tmp_path, database_url, hints):
    async with two_replicas(tmp_path, database_url) as (owner, one, other):
        one.hints.are_dropped = other.hints.are_dropped = hints == "lost"
        run = await owner.ask("stay", "custom", "session")
        await until(partial(_has_begun, run))
        reader = Reader(RunLog(one), "default", run.place.run, run.feed, Cursor(0))
        reading = asyncio.create_task(_read_to_its_end(reader))
        receipt = await Erasure(other).erase("ada")
        async with asyncio.timeout(SOON_S):
            await run.finished.wait()
            await reading
        assert (tmp_path / "stopped").exists()
        assert owner.runs.live("default", "ada", run.place.run) is None
        assert await RunLog(one).get("default", None, run.place.run) is None
        assert receipt.counts["runs"] == 1
        assert not owner.runs._at_work.left


async def test_code_that_does_not_stop_loses_its_place_in_the_session(tmp_path, database_url):
    async with two_replicas(tmp_path, database_url) as (owner, one, other):
        run = await owner.ask("stay stubbornly", "custom", "session")
        await until(partial(_has_begun, run))
        await Erasure(other).erase("ada")
        following = await owner.ask("hi", "custom", "session")
        async with asyncio.timeout(SOON_S):
            await run.finished.wait()
            row = await settled(RunLog(one), following.place.run)
        assert row.state == "RUN_STATE_COMPLETED"
        (tmp_path / "go").touch()
        assert not await RunLog(one).events("default", run.place.run)


async def test_what_is_not_written_yet_is_not_missed():
    log, at_work = RunLog(None), AtWork(Elsewhere())
    for name, draft in (("written", None), ("unwritten", ("run", ()))):
        run = Run(log, Place(name, "default", "ada", "custom", "session", 1, 1), a2a.Task(), 1)
        run.draft = draft
        work = Work(None, Call(), asyncio.get_running_loop().create_future())
        work.run = run
        at_work.opens(name, work)
    assert at_work.written(1.0) == ["written"]


async def _has_begun(run) -> bool:
    return bool(run.task.artifacts)


async def _read_to_its_end(reader: Reader) -> None:
    try:
        while await reader.read():
            pass
    finally:
        reader.close()
