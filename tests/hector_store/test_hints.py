"""Hints: within a process, between processes where the database carries them, and lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from support.databases import DatabaseServer

from hector_store import (
    DUE,
    EVENTS,
    NEVER,
    NOW,
    SIGNAL,
    Claim,
    Database,
    Flag,
    Hints,
    NewEvent,
    NewRun,
    RunChanges,
    RunLog,
    Worker,
    Workers,
)
from hector_store.url import parse

NEW = NewRun(app="default", owner="", agent="helper")
NOTHING_S = 0.01
LONG_S = 20.0


@asynccontextmanager
async def replica(url: str) -> AsyncIterator[Database]:
    """A database as another process would have it open."""
    database = Database(parse(url))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def test_a_flag_is_raised_by_hints_about_its_topic_and_lowered_by_whoever_waited() -> None:
    hints = Hints()
    with hints.subscribe(DUE) as due, hints.subscribe(SIGNAL) as signal:
        hints.hint(DUE)
        hints.hint(DUE)
        assert await due.raised(LONG_S)
        assert not await due.raised(NOTHING_S)
        assert not await signal.raised(NOTHING_S)
        waiting = asyncio.create_task(signal.raised(LONG_S))
        await asyncio.sleep(0)
        hints.hint(SIGNAL)
        assert await waiting
    hints.hint(DUE)
    assert not await due.raised(NOTHING_S), "it was closed"


async def test_who_waits_for_others_does_not_hear_himself() -> None:
    hints = Hints()
    with hints.subscribe(EVENTS, foreign=True) as foreign, hints.subscribe(EVENTS) as every:
        hints.hint(EVENTS)
        assert await every.raised(LONG_S)
        assert not await foreign.raised(NOTHING_S)
        hints.heard(EVENTS)
        assert await foreign.raised(LONG_S)


async def test_a_switch_loses_every_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HECTOR_DROP_HINTS", "1")
    hints = Hints()
    with hints.subscribe(DUE) as due:
        hints.hint(DUE)
        hints.heard(DUE)
        hints.missed()
        assert not await due.raised(NOTHING_S)


async def test_the_log_says_what_can_be_claimed_and_who_was_told_something(database: Database) -> None:
    hints, log, workers = database.hints, RunLog(database), Workers(database)
    hints.carry(None)  # which raises all flags when it has connected
    await workers.join(Worker("w1"), 60)
    with hints.subscribe(DUE) as due, hints.subscribe(SIGNAL) as signal, hints.subscribe(EVENTS) as events:

        async def raised() -> tuple[bool, ...]:
            return tuple([await flag.raised(NOTHING_S) for flag in (due, signal, events)])

        mine = await log.create(NEW._replace(worker="w1"))
        assert await raised() == (False, False, True)
        await log.create(NEW._replace(due_us=NOW))
        assert await raised() == (True, False, True)
        await log.signal("default", mine.run_id, "more")
        assert await raised() == (False, True, False)
        await log.append(mine.run_id, 1, changes=RunChanges(worker="", due_us=NEVER))
        assert await raised() == (False, False, True)
        await log.signal("default", mine.run_id, "more")
        assert await raised() == (True, True, False)
        await workers.claim("w1", Claim(limit=9))
        await workers.release("w1")
        assert await raised() == (True, False, False)


async def test_everything_is_found_with_every_hint_lost(database: Database) -> None:
    """Only by looking: hints decide nothing."""
    database.hints.are_dropped = True
    log, workers = RunLog(database), Workers(database)
    await workers.join(Worker("w1"), 60)
    created = await log.create(NEW._replace(due_us=NOW))
    (claimed,) = await workers.claim("w1", Claim(limit=9))
    await log.append(created.run_id, claimed.row.epoch, changes=RunChanges(worker="", due_us=NEVER))
    await log.signal("default", created.run_id, "go on")
    (claimed,) = await workers.claim("w1", Claim(limit=9))
    await log.signal("default", created.run_id, "stop")
    assert [signal.kind for signal in await workers.waiting_signals("w1")] == ["go on", "stop"]


async def heard(flag: Flag, say: Callable[[], None]) -> None:
    """Say something until it is heard: the other side may just be connecting."""
    while True:
        say()
        if await flag.raised(0.1):
            return


async def test_postgresql_carries_hints_to_other_processes_and_reconnects(
    database_servers: Callable[[str], DatabaseServer],
) -> None:
    server = database_servers("postgresql")
    with server.new_database() as name:
        url = server.url(name)
        async with asyncio.timeout(60), replica(url) as here, replica(url) as there:
            with there.hints.subscribe(DUE) as due, here.hints.subscribe(DUE, foreign=True) as own:
                await heard(due, lambda: here.hints.hint(DUE))
                await heard(own, lambda: there.hints.hint(DUE))
                while await own.raised(0.2):
                    pass
                here.hints.hint(DUE)
                assert not await own.raised(0.2), "its own"
                await asyncio.to_thread(server.disconnect, name)
                assert await due.raised(LONG_S), "something may have been missed"
                await heard(due, lambda: here.hints.hint(DUE))
            assert (await RunLog(here).create(NEW, [NewEvent("e")])).last_seq == 1


async def test_what_was_hinted_last_is_told_before_a_process_leaves(
    database_servers: Callable[[str], DatabaseServer],
) -> None:
    """As a command does that writes a signal, and ends."""
    server = database_servers("postgresql")
    with server.new_database() as name:
        url = server.url(name)
        async with asyncio.timeout(60), replica(url) as there:
            with there.hints.subscribe("quotes 'and all", foreign=True) as flag:
                async with replica(url) as here:
                    await heard(flag, lambda: here.hints.hint("quotes 'and all"))
                while await flag.raised(0.2):
                    pass
                async with replica(url) as here:
                    for number in range(200):
                        here.hints.hint(f"run:{number}")
                    here.hints.hint("quotes 'and all")
                assert await flag.raised(LONG_S)


async def test_many_hints_are_told_as_few(
    database_servers: Callable[[str], DatabaseServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = database_servers("postgresql")
    with server.new_database() as name:
        url = server.url(name)
        async with asyncio.timeout(60), replica(url) as here, replica(url) as there:
            with there.hints.subscribe(DUE) as due:
                await heard(due, lambda: here.hints.hint(DUE))
                told = asyncio.Queue[str]()
                monkeypatch.setattr(there.hints, "heard", told.put_nowait)
                for _ in range(1000):
                    here.hints.hint(EVENTS)
                here.hints.hint("last")
                while await told.get() != "last":
                    pass
                assert told.qsize() <= 1, "what was said in one moment is told at once"
