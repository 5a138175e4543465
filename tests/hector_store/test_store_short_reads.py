"""Short reads of a file or of memory: several in one go, each with its own outcome."""

import asyncio
import threading

import pytest
from sqlalchemy import Connection, text

from hector_store import Database, NewEvent, NewRun, RunLog, opened


@pytest.fixture(params=["file", "inmemory"])
async def database(request, tmp_path):
    url = "inmemory" if request.param == "inmemory" else f"sqlite://{tmp_path}/h.db"
    async with asyncio.timeout(30), opened(url) as found:
        yield found


def one(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1")).scalar_one())


async def test_reads_of_one_turn_of_the_loop_share_a_transaction(database: Database):
    seen: list[int] = []

    def note(connection: Connection) -> int:
        seen.append(id(connection))
        return one(connection)

    assert await asyncio.gather(*(database.read(note, short=True) for _ in range(20))) == [1] * 20
    assert len(set(seen)) == 1


async def test_a_read_that_fails_fails_alone(database: Database):
    def bad(connection: Connection) -> int:
        raise ValueError("not mine")

    found = await asyncio.gather(
        database.read(one, short=True),
        database.read(bad, short=True),
        database.read(lambda connection: connection.execute(text("SELECT nonsense")).scalar(), short=True),
        database.read(one, short=True),
        return_exceptions=True,
    )
    assert (found[0], found[3]) == (1, 1)
    assert isinstance(found[1], ValueError)
    assert "nonsense" in str(found[2])


async def test_a_caller_that_leaves_disturbs_nobody_else(database: Database):
    leaving = asyncio.ensure_future(database.read(one, short=True))
    staying = asyncio.ensure_future(database.read(one, short=True))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 1
    assert leaving.cancelled() or leaving.result() == 1


async def test_a_read_sees_what_was_written_before_it(database: Database):
    log = RunLog(database)
    for number in range(50):
        made = await log.create(
            NewRun(app="default", owner="ada", agent="a", context_id=f"c{number}"), [NewEvent("x", b"")]
        )
        found = await log.get("default", "ada", made.run_id)
        assert found is not None
        assert found.next_seq == 2


async def test_reads_that_wait_when_it_is_closed_are_answered(tmp_path):
    async with asyncio.timeout(30), opened(f"sqlite://{tmp_path}/h.db") as database:
        reads = [asyncio.ensure_future(database.read(one, short=True)) for _ in range(5)]
        await asyncio.sleep(0)
    assert [await read for read in reads] == [1] * 5


async def test_what_is_read_in_memory_waits_for_no_thread_and_the_loop_for_nobody():
    """While a writer holds the one connection, reads wait in their thread and the loop goes on."""
    held, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> int:
        held.set()
        assert go_on.wait(20)
        return one(connection)

    async with asyncio.timeout(30), opened("inmemory") as database:
        assert await database.read(lambda _: threading.get_ident(), short=True) == threading.get_ident()
        writing = asyncio.ensure_future(database.write(slow))
        assert await asyncio.to_thread(held.wait, 20)
        reading = asyncio.ensure_future(database.read(lambda _: threading.get_ident(), short=True))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not reading.done()
        go_on.set()
        assert await reading != threading.get_ident()
        await writing
