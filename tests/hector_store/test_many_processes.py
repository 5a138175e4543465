"""Several processes on one database: each writes in its turn, and each run is one process's."""

import asyncio
import fcntl
import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from hector_store import NOW, Claim, NewRun, RunLog, Worker, Workers, opened, sqlite_turns
from hector_store.sqlite_turns import Turnstile

CLAIMER = """
import asyncio, sys
from hector_store import Claim, NewEvent, RunChanges, RunLog, Worker, Workers, opened

async def main(url, name):
    async with opened(url) as database:
        workers, log = Workers(database), RunLog(database)
        await workers.join(Worker(name), 60)
        print("ready", flush=True)
        sys.stdin.readline()
        while claimed := await workers.claim(name, Claim(limit=3)):
            for run in claimed:
                over = RunChanges(state="RUN_STATE_COMPLETED")
                await log.append(run.row.id, run.row.epoch, [NewEvent(name)], over)
                print(run.row.id, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_processes_that_claim_at_once_share_the_runs_and_double_none(lasting_url: str) -> None:
    async with asyncio.timeout(90), opened(lasting_url) as database:
        log = RunLog(database)
        new = NewRun(app="a", owner="", agent="g", due_us=NOW)
        runs = {created.run_id for created in await asyncio.gather(*(log.create(new) for _ in range(60)))}
        claimers = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", CLAIMER, lasting_url, f"w{n}"), stdin=-1, stdout=-1
            )
            for n in range(3)
        ]
        for claimer in claimers:
            assert claimer.stdout is not None
            assert await claimer.stdout.readline() == b"ready\n"
        said = await asyncio.gather(*(claimer.communicate(b"go\n") for claimer in claimers))
        done = [line for out, _ in said for line in out.decode().split()]
        assert sorted(done) == sorted(runs)
        for run_id in runs:
            assert len(await log.events("a", run_id)) == 1


SLEEPER = """
import asyncio, sys
from hector_store import NewEvent, NewRun, RunLog, Worker, Workers, opened

async def main(url):
    async with opened(url) as database:
        workers, log = Workers(database), RunLog(database)
        await workers.join(Worker("sleeper"), 1.0)
        new = NewRun(app="a", owner="", agent="g", worker="sleeper")
        created = await log.create(new, [NewEvent("first")])
        print(created.run_id, flush=True)
        sys.stdin.readline()
        try:
            await log.append(created.run_id, 1, [NewEvent("too late")])
        except Exception as error:
            print(error.reason, await workers.renew("sleeper", 1.0), flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_process_that_was_stopped_past_its_lease_writes_nothing(lasting_url: str) -> None:
    """SIGSTOP, takeover, SIGCONT."""
    async with asyncio.timeout(60), opened(lasting_url) as database:
        workers, log = Workers(database), RunLog(database)
        sleeper = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SLEEPER, lasting_url), stdin=-1, stdout=-1
        )
        assert sleeper.stdin is not None
        assert sleeper.stdout is not None
        run_id = (await sleeper.stdout.readline()).decode().strip()
        sleeper.send_signal(signal.SIGSTOP)
        await workers.join(Worker("heir"), 60)
        claimed = await workers.claim("heir", Claim(limit=1))
        while not claimed:  # its lease has not ended yet
            await asyncio.sleep(0.1)
            claimed = await workers.claim("heir", Claim(limit=1))
        assert [(one.row.id, one.reason, one.before) for one in claimed] == [(run_id, "orphaned", "sleeper")]
        sleeper.send_signal(signal.SIGCONT)
        sleeper.stdin.write(b"go on\n")
        assert await sleeper.stdout.readline() == b"RUN_FENCED False\n"
        await sleeper.wait()
        assert [event.kind for event in await log.events("a", run_id)] == ["first"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hector.db"


def connected(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)


def test_who_waits_to_write_goes_before_who_has_just_written(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_turns, "TURN_S", 0.0)
    busy, waiting = Turnstile(file, 20.0), Turnstile(file, 20.0)
    of_busy, of_waiting = connected(file), connected(file)
    order: list[str] = []

    def write(turnstile: Turnstile, connection: sqlite3.Connection, name: str) -> None:
        turnstile.begin(connection)
        order.append(name)
        connection.execute("COMMIT")

    busy.begin(of_busy)
    first = threading.Thread(target=write, args=(waiting, of_waiting, "who waited"))
    first.start()
    wait_until_held(file.with_name("hector.db-turn"))
    second = threading.Thread(target=write, args=(busy, of_busy, "who has just written"))
    of_busy.execute("COMMIT")
    second.start()
    for thread in (first, second):
        thread.join(20)
    assert order == ["who waited", "who has just written"]


def wait_until_held(path: Path) -> None:
    """Wait until somebody holds the lock."""
    held = threading.Event()
    while not held.wait(0.005):
        lock = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.set()
        finally:
            os.close(lock)


def test_who_waits_in_vain_is_told_that_the_database_is_locked(file: Path) -> None:
    holder = connected(file)
    holder.execute("BEGIN IMMEDIATE")
    for turnstile in (Turnstile(file, 0.02), Turnstile(file, 0.0)):
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            turnstile.begin(connected(file))
        turnstile.close()
    holder.execute("COMMIT")
    turnstile, connection = Turnstile(file, 0.0), connected(file)
    turnstile.begin(connection)
    assert connection.in_transaction
