"""Group commit: one culprit, one failure; nothing is lost, and nothing waits without a bound."""

import asyncio
import gc
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.util import await_only as await_
from support.databases import DatabaseServer

from hector_mesh import HectorError
from hector_store import Database, NewEvent, NewRun, RunLog, Worker, Workers, opened
from hector_store.group_commit import commit, each
from hector_store.schema import revisions
from hector_store.url import parse
from hector_store.work import REST_ROUNDS, URGENT, AnyWork, Work, WriteQueue


def a_run(**fields: object) -> NewRun:
    return NewRun(**{"app": "default", "owner": "ann", "agent": "helper", "context_id": "c1"} | fields)  # type: ignore[arg-type]


def add(number: int, connection: Connection) -> int:
    row = {
        "app": "a",
        "id": str(number),
        "number": number,
        "time": 0,
        "source": "",
        "text": "",
        "applicable": True,
    }
    connection.execute(insert(revisions), row)
    return number


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(select(revisions.c.number).order_by(revisions.c.number)).scalars())


class Gate:
    """A write that holds the writer, be it a thread or a task, until it is let go."""

    def __init__(self) -> None:
        self._reached, self._go = threading.Event(), threading.Event()

    def __call__(self, connection: Connection) -> None:
        self._reached.set()
        if isinstance(threading.current_thread(), threading._MainThread):
            await_(asyncio.to_thread(self._wait))  # type: ignore[no-untyped-call]
        else:
            self._wait()

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, 10)

    def open(self) -> None:
        self._go.set()

    def _wait(self) -> None:
        assert self._go.wait(20)


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Database]:
    """A database with room for ten rows and a thousand bytes."""
    database = Database(parse(f"sqlite://{tmp_path}/small.db"), busy_s=0.3, queue_rows=10, queue_bytes=1000)
    await database.open()
    yield database
    await database.close()


async def test_what_is_written_can_be_read_by_whoever_waited(database: Database) -> None:
    assert await database.write(partial(add, 1)) == 1
    assert await database.read(numbers) == [1]


async def test_only_the_culprit_of_a_group_fails(database: Database) -> None:
    def bad(connection: Connection) -> None:
        add(99, connection)
        raise ValueError("mine")

    writes = [database.write(partial(add, n)) for n in (1, 2, 1, 3)]  # 1 twice: not unique
    outcomes = await asyncio.gather(*writes, database.write(bad), return_exceptions=True)
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "int",
        "int",
        "IntegrityError",
        "int",
        "ValueError",
    ]
    assert await database.read(numbers) == [1, 2, 3]


async def test_a_refusal_undoes_what_its_write_had_done(database: Database) -> None:
    class Refused(HectorError):
        pass

    def refuse(connection: Connection) -> None:
        add(1, connection)
        raise Refused("no")

    with pytest.raises(Refused):
        await database.write(refuse)
    assert await database.read(numbers) == []


async def test_readers_do_not_see_a_transaction_that_is_under_way(database: Database) -> None:
    gate = Gate()

    def slow(connection: Connection) -> None:
        add(1, connection)
        gate(connection)

    async with asyncio.timeout(20):
        writing = asyncio.create_task(database.write(slow))
        await gate.reached()
        reading = asyncio.create_task(database.read(numbers))
        gate.open()
        assert await reading in ([], [1])
        await writing
        assert await database.read(numbers) == [1]


async def test_readers_of_a_file_do_not_wait_for_the_writer(small: Database) -> None:
    gate = Gate()
    async with asyncio.timeout(20):
        writing = asyncio.create_task(small.write(gate))
        await gate.reached()
        assert await small.read(numbers) == []
        gate.open()
        await writing


async def test_readers_of_a_file_cannot_write(small: Database) -> None:
    with pytest.raises(HectorError) as caught:
        await small.read(partial(add, 1))
    assert caught.value.reason == "STORAGE_READ_ONLY"


async def test_a_full_queue_refuses_at_once_and_loses_nothing(small: Database) -> None:
    """architecture.md: the queue is bounded in rows; full means RESOURCE_EXHAUSTED at admission."""
    gate = Gate()
    async with asyncio.timeout(20):
        holding = asyncio.create_task(small.write(gate))
        await gate.reached()
        waiting = [asyncio.create_task(small.write(partial(add, n))) for n in range(9)]
        await asyncio.sleep(0)
        with pytest.raises(HectorError) as caught:
            await small.write(partial(add, 9))
        assert (caught.value.reason, caught.value.code.name) == ("STORAGE_QUEUE_FULL", "RESOURCE_EXHAUSTED")
        gate.open()
        await asyncio.gather(holding, *waiting)
        assert await small.read(numbers) == list(range(9))
        await small.write(partial(add, 9))  # there is room again


async def test_a_lease_is_renewed_although_the_queue_is_full(small: Database) -> None:
    """A worker that has much to write would lose its runs otherwise."""
    gate, workers = Gate(), Workers(small)
    await workers.join(Worker("busy"), 60)
    async with asyncio.timeout(20):
        holding = asyncio.create_task(small.write(gate))
        await gate.reached()
        waiting = [asyncio.create_task(small.write(partial(add, n))) for n in range(9)]
        await asyncio.sleep(0)
        renewing = asyncio.create_task(workers.renew("busy", 60))
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(holding, *waiting)
        assert await renewing


async def test_what_is_urgent_goes_before_what_waits(
    database_servers: Callable[[str], DatabaseServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_store.server_writer.MOST_WORKS", 1)
    with database_servers("postgresql").new_database() as name:
        async with asyncio.timeout(20), opened(database_servers("postgresql").url(name)) as database:
            gate, done = Gate(), list[int]()
            holding = asyncio.create_task(database.write(gate))
            await gate.reached()
            waiting = [asyncio.create_task(database.write(partial(add, n))) for n in range(4)]
            await asyncio.sleep(0)
            waiting.append(asyncio.create_task(database.write(partial(add, 9), rows=URGENT)))
            for task in waiting:
                task.add_done_callback(lambda task: done.append(task.result()))
            await asyncio.sleep(0)
            gate.open()
            await asyncio.gather(holding, *waiting)
    assert done == [9, 0, 1, 2, 3]


async def test_a_lease_does_not_wait_for_what_a_file_is_about_to_take(small: Database) -> None:
    """It has a commit of its own, before that of all others."""
    gate, until_joined, workers = Gate(), Gate(), Workers(small)
    async with asyncio.timeout(20):
        holding = asyncio.create_task(small.write(gate))
        await gate.reached()
        waiting = asyncio.create_task(small.write(until_joined))
        joining = asyncio.create_task(workers.join(Worker("new"), 60))
        joining.add_done_callback(lambda _: until_joined.open())
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(holding, waiting, joining)


async def test_the_queue_is_bounded_in_bytes_too(small: Database) -> None:
    gate = Gate()
    async with asyncio.timeout(20):
        holding = asyncio.create_task(small.write(gate, size_bytes=600))
        await gate.reached()
        with pytest.raises(HectorError) as full:
            await small.write(partial(add, 1), size_bytes=500)
        with pytest.raises(HectorError) as never:
            await small.write(partial(add, 1), size_bytes=1001)
        assert (full.value.reason, never.value.reason) == ("STORAGE_QUEUE_FULL", "PAYLOAD_TOO_LARGE")
        gate.open()
        await holding
        assert await small.write(partial(add, 1), rows=50) == 1  # alone, anything fits


async def test_a_cancelled_append_waits_for_its_outcome(tmp_path: Path) -> None:
    """architecture.md: append is shielded; cancellation waits for the outcome."""
    async with asyncio.timeout(20), opened(f"sqlite://{tmp_path}/x.db") as database:
        log = RunLog(database)
        created = await log.create(a_run())
        gate = Gate()
        holding = asyncio.create_task(database.write(gate))
        await gate.reached()
        appending = asyncio.create_task(log.append(created.run_id, 1, [NewEvent("a")]))
        await asyncio.sleep(0)
        for _ in range(3):  # impatience does not help
            appending.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not appending.done()
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await appending
        assert [event.kind for event in await log.events("default", created.run_id)] == ["a"]
        await holding


async def test_a_cancelled_write_that_fails_is_only_cancelled(database: Database) -> None:
    gate, problems = Gate(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    async with asyncio.timeout(20):
        holding = asyncio.create_task(database.write(gate))
        await gate.reached()
        failing = asyncio.create_task(database.write(lambda connection: 1 // 0))
        await asyncio.sleep(0)
        failing.cancel()
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await failing
        await holding
    del failing
    gc.collect()
    assert problems == []


async def test_a_write_that_is_cancelled_just_as_it_ends_is_only_cancelled() -> None:
    work = Work(each, lambda connection: None, 1, 0)
    writing = asyncio.create_task(work.settled())
    await asyncio.sleep(0)
    writing.cancel()
    work.settle()  # before the task hears of it
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await writing


async def test_a_timeout_around_a_write_is_a_timeout(database: Database) -> None:
    gate = Gate()
    asyncio.get_running_loop().call_later(0.05, gate.open)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await database.write(gate)


async def test_closing_writes_what_was_admitted(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/x.db"
    async with opened(url) as database:
        writes = [asyncio.create_task(database.write(partial(add, n))) for n in range(5)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*writes) == list(range(5))
    for late in (database.write(partial(add, 9)), database.read(numbers)):
        with pytest.raises(HectorError) as caught:
            await late
        assert caught.value.reason == "STORAGE_CLOSED"
    async with opened(url) as database:
        assert await database.read(numbers) == list(range(5))


async def test_a_database_is_shared_until_the_last_one_leaves(database_url: str) -> None:
    async with opened(database_url) as first:
        async with opened(database_url) as second:
            assert first is second
            await second.write(partial(add, 1))
        assert await first.read(numbers) == [1]
    async with opened(database_url) as third:
        assert third is not first


async def test_many_who_open_at_once_get_the_same(database_url: str) -> None:
    ready = asyncio.Barrier(5)

    async def use() -> Database:
        async with opened(database_url) as database:
            await ready.wait()
            return database

    async with asyncio.timeout(20):
        assert len({id(database) for database in await asyncio.gather(*(use() for _ in range(5)))}) == 1


async def test_another_process_in_the_way_is_waited_for(tmp_path: Path) -> None:
    """stack.md: SQLite has one writer; BUSY is retried."""
    database = Database(parse(f"sqlite://{tmp_path}/x.db"), busy_s=10)
    await database.open()
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        async with asyncio.timeout(20):
            writing = asyncio.create_task(database.write(partial(add, 1)))
            assert await database.read(numbers) == []
            assert not writing.done()
            await asyncio.to_thread(other.execute, "COMMIT")
            assert await writing == 1
    finally:
        other.close()
        await database.close()


async def test_another_process_that_stays_in_the_way_is_named(small: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "small.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(*(small.write(partial(add, n)) for n in range(3)), return_exceptions=True)
    assert {getattr(outcome, "reason", None) for outcome in outcomes} == {"STORAGE_BUSY"}
    assert str(tmp_path / "small.db") in str(outcomes[0])
    other.execute("ROLLBACK")
    other.close()
    assert await small.write(partial(add, 1)) == 1
    assert await small.read(numbers) == [1]


@pytest.mark.parametrize("database_url", ["sqlite", "inmemory"], indirect=True)
async def test_a_full_disk_fails_the_batch_and_the_server_goes_on(database: Database) -> None:
    def limit(pages: int, connection: Connection) -> None:
        used = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {used + pages}"))

    log = RunLog(database)
    created = await log.create(a_run())
    await database.write(lambda connection: limit(3, connection))
    outcomes = await asyncio.gather(
        database.write(partial(add, 1)),
        log.append(created.run_id, 1, [NewEvent("big", b"x" * 900_000)]),
        database.write(partial(add, 2)),
        return_exceptions=True,
    )
    assert {getattr(outcome, "reason", outcome) for outcome in outcomes} == {"STORAGE_FULL"}
    assert await database.read(numbers) == []
    assert await log.events("default", created.run_id) == []
    await database.write(lambda connection: limit(10_000, connection))
    appended = await log.append(created.run_id, 1, [NewEvent("big", b"x" * 900_000)])
    assert appended.last_seq == 1


async def test_a_write_that_the_loop_leaves_behind_hurts_nobody(tmp_path: Path) -> None:
    """A loop that is closed too early must not take the writer's thread down."""
    gate = Gate()

    async def leave() -> None:
        database = Database(parse(f"sqlite://{tmp_path}/x.db"))
        await database.open()
        writing = asyncio.create_task(database.write(gate))
        await gate.reached()
        writing.get_coro().close()  # the caller is gone without waiting
        writing._log_destroy_pending = False  # type: ignore[attr-defined]

    loop = asyncio.new_event_loop()
    await asyncio.to_thread(lambda: loop.run_until_complete(leave()))
    loop.close()
    gate.open()
    async with asyncio.timeout(20), opened(f"sqlite://{tmp_path}/x.db") as database:
        assert await database.write(partial(add, 1)) == 1


async def test_a_disk_that_fails_once_fails_one_batch(
    small: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An fsync that fails: those callers are told, nobody else."""
    failures = [sqlite3.OperationalError("disk I/O error")]
    failures[0].sqlite_errorname = "SQLITE_IOERR_FSYNC"

    def failing(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        commit(*arguments)

    monkeypatch.setattr("hector_store.writer.commit", failing)
    outcomes = await asyncio.gather(
        small.write(partial(add, 1)), small.write(partial(add, 2)), return_exceptions=True
    )
    assert {getattr(outcome, "reason", outcome) for outcome in outcomes} == {"STORAGE_FAILED"}
    assert "small.db" in str(outcomes[0])
    assert await small.write(partial(add, 3)) == 3
    assert await small.read(numbers) == [3]


async def test_what_is_in_memory_is_written_in_order_while_somebody_reads():
    """The loop writes runs in memory itself; while somebody else has the connection, the thread does."""
    reading, go_on = threading.Event(), threading.Event()

    def long_read(connection: Connection) -> object:
        reading.set()
        assert go_on.wait(20)
        return connection.exec_driver_sql("SELECT 1").scalar()

    async with asyncio.timeout(30), opened("inmemory") as database:
        log = RunLog(database)
        made = await log.create(a_run())
        read = asyncio.ensure_future(database.read(long_read))
        await asyncio.to_thread(reading.wait, 20)
        appends = [
            asyncio.ensure_future(log.append(made.run_id, made.epoch, [NewEvent(f"kind-{number}", b"")]))
            for number in range(3)
        ]
        done, _ = await asyncio.wait(appends, timeout=0.05)
        assert not done
        go_on.set()
        appends.append(asyncio.ensure_future(log.append(made.run_id, made.epoch, [NewEvent("kind-3", b"")])))
        await asyncio.gather(read, *appends)
        kinds = [event.kind for event in await log.events("default", made.run_id)]
    assert kinds == ["kind-0", "kind-1", "kind-2", "kind-3"]


async def test_writes_of_a_few_turns_of_the_loop_are_one_commit() -> None:
    handed_over: list[list[AnyWork]] = []
    queue = WriteQueue(handed_over.append, "a database")

    async def submitting(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await queue.submit(each, lambda _: turns, 1, 0)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        writing = [group.create_task(submitting(turns)) for turns in range(REST_ROUNDS)]
        for _ in range(2 * REST_ROUNDS + 2):
            await asyncio.sleep(0)
        [together] = handed_over
        for number, work in enumerate(together):
            work.outcome = number
        queue.settle(together)
    assert [one.result() for one in writing] == list(range(REST_ROUNDS))
