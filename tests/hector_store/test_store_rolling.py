"""An upgrade under load: every older schema keeps its runs, and the version before goes on writing meanwhile.

The statements of that version stand here as it sent them: they must keep working on the newest schema.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

import hector_store.migrations
from hector_store import Claim, Database, NewEvent, RunChanges, RunLog, Worker, Workers, opened
from hector_store.care.versions import schema_of
from hector_store.group_commit import Fault
from hector_store.migrate import _ONE_AT_A_TIME
from hector_store.migrations import HEAD
from hector_store.server import server_of, writer_engine
from hector_store.server_url import ServerPlace
from hector_store.sqlite import prepare_file
from hector_store.sqlite import writer_engine as file_engine
from hector_store.url import parse

RELEASED = ("0001", "0002", "0003")
INSERT_RUN = text(
    "INSERT INTO runs (id, kind, app, owner, agent, context_id, context_position, parent, state, status_time,"
    " is_task, finished, revision, priority, worker, worker_target, epoch, lease_until, wake_at, deadline,"
    " attempt, next_seq, idempotency_key, idempotency_hash, created_time, strategy_name, strategy_version,"
    " view, strategy_state)"
    " VALUES (:id, 'turn', 'app', 'ada', 'writer', :context, 1, '', 'RUN_STATE_WORKING', :time,"
    " :yes, :no, '', 0, 'old worker', '', 1, 0, 0, 0, 0, 2, NULL, '', :time, '', 0, :bytes, :bytes)"
)
INSERT_EVENT = text(
    "INSERT INTO run_events (run_id, seq, app, kind, needs, time, blob_id, payload)"
    " VALUES (:id, :seq, 'app', 'message_received', 0, :time, NULL, :bytes)"
)
INSERT_SIGNAL = text(
    "INSERT INTO run_signals (app, run_id, kind, time, consumed_time, payload)"
    " VALUES ('app', :id, 'cancel', :time, 0, :bytes)"
)
INSERT_EFFECT = text(
    "INSERT INTO effects (run_id, effect_id, app, call_id, tool, policy, state, started_time, finished_time,"
    " result_ref) VALUES (:id, 'e', 'app', 'c', 't', '', 'started', :time, 0, '')"
)
FENCE = text("SELECT id, app, epoch, next_seq FROM runs WHERE id = :id")
APPEND = text(
    "UPDATE runs SET next_seq = :seq + 1, finished = :yes, state = 'RUN_STATE_COMPLETED',"
    " status_time = :time, view = :bytes WHERE id = :id"
)
LIST = text(
    "SELECT id, kind, app, owner, agent, context_id, coalesce(context_position, 0), parent, state,"
    " status_time, is_task, revision, priority, worker, worker_target, epoch, lease_until, wake_at,"
    " deadline, attempt, next_seq, created_time, strategy_name, strategy_version, view, strategy_state"
    " FROM runs WHERE app = 'app' AND owner = 'ada' ORDER BY status_time DESC, id DESC LIMIT 5"
)


def as_of(revision: str) -> Callable[[Connection], None]:
    """Return what makes the tables of an older version."""

    def migrate(connection: Connection) -> None:
        config = Config()
        folder = str(Path(hector_store.migrations.__file__).parent)
        config.set_main_option("script_location", folder.replace("%", "%%"))
        config.attributes["connection"] = connection
        with _ONE_AT_A_TIME:
            command.upgrade(config, revision)

    return migrate


async def do(url: str, *functions: Callable[[Connection], Any]) -> None:
    """Do something as the older version would: each function in a transaction of its own."""
    place = parse(url)
    if isinstance(place, ServerPlace):
        server = server_of(place)
        engine = writer_engine(server)
        for function in functions:
            while True:
                try:
                    async with engine.connect() as connecting, connecting.begin():
                        await connecting.run_sync(function)
                    break
                except DBAPIError as error:  # a deadlock with the migration: every version tries again then
                    if server.fault_of(error) is not Fault.RETRY:
                        raise
        await engine.dispose()
        return
    prepare_file(place)
    file = file_engine(place, 30)
    for function in functions:
        with file.connect() as connection, connection.begin():
            function(connection)
    file.dispose()


def begin(run: str) -> Callable[[Connection], None]:
    """Return what the older version did when a run began, with something in every table that hangs on it."""

    def write(connection: Connection) -> None:
        values = {
            "id": run,
            "context": f"c {run}",
            "time": 1,
            "bytes": b"x",
            "yes": True,
            "no": False,
            "seq": 1,
        }
        connection.execute(INSERT_RUN, values)
        connection.execute(INSERT_EVENT, values)
        connection.execute(INSERT_SIGNAL, values)
        connection.execute(INSERT_EFFECT, values)

    return write


def end(run: str) -> Callable[[Connection], None]:
    """Return what the older version did when a run ended."""

    def write(connection: Connection) -> None:
        assert connection.execute(FENCE, {"id": run}).one().epoch == 1
        values = {"id": run, "time": 2, "bytes": b"x", "yes": True, "seq": 2}
        connection.execute(INSERT_EVENT, values)
        connection.execute(APPEND, values)
        assert connection.execute(LIST).all()

    return write


@pytest.mark.parametrize("revision", RELEASED)
async def test_every_older_schema_keeps_every_run(new_url: str, revision: str) -> None:
    """And what was not over is taken up by whoever claims it."""
    over, left = ([f"{what}-{number}" for number in range(20)] for what in ("over", "left"))
    await do(new_url, as_of(revision), *(begin(run) for run in over + left), *(end(run) for run in over))
    assert await schema_of(parse(new_url)) == revision
    async with opened(new_url) as database, asyncio.timeout(60):
        assert await schema_of(parse(new_url)) == HEAD
        log, workers = RunLog(database), Workers(database)
        for run in over + left:
            row = await log.get("app", "ada", run)
            assert row is not None
            assert row.finished == (run in over)
            assert len(await log.events("app", run)) == row.next_seq - 1 == (2 if run in over else 1)
            assert len(await log.signals(run)) == len(await log.effects(run)) == 1
        await workers.join(Worker("new"), 60.0)
        claimed = await workers.claim("new", Claim(limit=50))
        assert {one.row.id for one in claimed} == set(left)
        for one in claimed:
            await log.append(one.row.id, one.row.epoch, [NewEvent("e")], RunChanges(state="RUN_STATE_FAILED"))
        assert await workers.claim("new", Claim(limit=50)) == []


@contextmanager
def version_before(url: str) -> Iterator[tuple[list[str], list[BaseException]]]:
    """Run the version before in a thread: run after run begins and ends.

    Gives those that were acknowledged, and what went wrong.
    """
    done: list[str] = []
    failed: list[BaseException] = []
    stop = threading.Event()

    async def work() -> None:
        number = 0
        while not stop.is_set():
            run = f"old-{number:06}"
            number += 1
            await do(url, begin(run))
            await do(url, end(run))
            done.append(run)

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done, failed
    finally:
        stop.set()
        thread.join(60)
    assert failed == []


async def test_the_version_before_goes_on_while_the_tables_change_and_afterwards(new_url: str) -> None:
    """What it acknowledged is there, and none of it is lost to those who come after."""
    await do(new_url, as_of(RELEASED[-1]))
    with version_before(new_url) as (done, failed):
        async with asyncio.timeout(60):
            await _more(done, failed, 5)
            database = Database(parse(new_url))
            await database.open()  # migrates
            await _more(done, failed, 10)
            new = RunLog(database)
            seen = await new.list("app", "ada", page_size=500)
            assert seen.total_size >= 10
    try:
        assert await schema_of(parse(new_url)) == HEAD
        for run in done:
            row = await new.get("app", "ada", run)
            assert row is not None
            assert row.finished
            assert row.next_seq == 3
    finally:
        await database.close()


async def _more(done: list[str], failed: list[BaseException], number: int) -> None:
    wanted = len(done) + number
    while len(done) < wanted:
        assert failed == []
        await asyncio.sleep(0.01)
