"""Whether a step costs more in a long run, or among many stored runs."""

import asyncio
import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path

import uvloop
from figures import Figure
from plan import Plan
from runs_claiming import new_run, opening

from hector_store import NEVER, Claim, NewEvent, RunChanges, RunLog, Worker, Workers, new_id, opened
from hector_store.schema import runs as table

LENGTHS = (10, 1_000, 10_000)
STORED, QUICK_STORED = (1_000, 1_000_000), (1_000, 50_000)
STEPS = 300
STEP = NewEvent("tool_finished", b"x" * 300)
MEMORY = b"m" * 500
MOST_GROWTH = 1.25


def length(plan: Plan, model: int) -> list[Figure]:
    """One step of a run with so many events: its commit on SQLite, synchronous=FULL."""
    took_ms = uvloop.run(by_length(f"sqlite://{plan.folder}/length.db"))
    figures = [
        Figure(f"one step at {events:,} events", ms, "ms")
        for events, ms in zip(LENGTHS, took_ms, strict=True)
    ]
    grown = took_ms[-1] / took_ms[0]
    return [*figures, Figure(f"step at {LENGTHS[-1]:,} over {LENGTHS[0]:,} events", grown, "x", MOST_GROWTH)]


async def by_length(url: str) -> list[float]:
    """Return the medians; the runs take turns, so that the disk's moods are the same for all."""
    async with opened(url) as database:
        log = RunLog(database)
        runs = [await log.create(new_run()._replace(due_us=NEVER), opening("hi")) for _ in LENGTHS]
        for run, events in zip(runs, LENGTHS, strict=True):
            for _ in range((events - 2) // 500 + 1):
                batch = [STEP] * min(500, events - 2)
                await log.append(run.run_id, run.epoch, batch)
        took: list[list[float]] = [[] for _ in LENGTHS]
        changes = RunChanges(strategy_name="default", strategy_version=1, strategy_state=MEMORY)
        for _ in range(STEPS):
            for run, times in zip(runs, took, strict=True):
                began = time.perf_counter()
                await log.append(run.run_id, run.epoch, [STEP], changes)
                times.append((time.perf_counter() - began) * 1000)
        return [statistics.median(times) for times in took]


def stored(plan: Plan, model: int) -> list[Figure]:
    """A run of three steps, and a claim that finds one, beside so many others."""
    amounts = STORED if plan.rounds > 1 else QUICK_STORED
    runs_ms, claims_ms = [], []
    for amount in amounts:
        file = plan.folder / f"stored-{amount}.db"
        uvloop.run(touched(f"sqlite://{file}"))
        multiply(file, amount)
        run_ms, claim_ms = uvloop.run(among(f"sqlite://{file}"))
        runs_ms.append(run_ms)
        claims_ms.append(claim_ms)
    figures = []
    for name, (few, many) in (("run of three steps", runs_ms), ("claim", claims_ms)):
        figures += [
            Figure(f"{name} beside {amounts[0]:,} runs", few, "ms"),
            Figure(f"{name} beside {amounts[1]:,} runs", many, "ms"),
            Figure(f"{name}: many over few", many / few, "x", MOST_GROWTH),
        ]
    return figures


async def touched(url: str) -> None:
    """Make the tables, and one run that is over, to be multiplied."""
    async with opened(url) as database:
        log = RunLog(database)
        run = await log.create(new_run()._replace(due_us=NEVER), opening("hi"))
        await log.append(run.run_id, run.epoch, [STEP], RunChanges(state="RUN_STATE_COMPLETED"))


def multiply(file: Path, amount: int) -> None:
    """Store so many runs that are over, each with two events, in sessions of ten."""
    changed = {
        "id": "printf('bulk-%08d', n)",
        "context_id": "printf('context-%07d', n / 10)",
        "context_position": "n % 10 + 1",
        "status_time": "status_time - n",
    }
    names = [column.name for column in table.columns]
    values = ", ".join(changed.get(name, name) for name in names)
    count = f"WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {amount})"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(
            f"INSERT INTO runs ({', '.join(names)}) {count} SELECT {values} FROM number, runs "
            "WHERE runs.id NOT LIKE 'bulk-%'"
        )
        events = "app, kind, needs, time, blob_id, payload"
        connection.execute(
            f"INSERT INTO run_events (run_id, seq, {events}) {count} SELECT printf('bulk-%08d', n), seq, "
            f"{events} FROM number, run_events WHERE run_id NOT LIKE 'bulk-%' AND seq < 3"
        )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def among(url: str) -> tuple[float, float]:
    """Return the medians of a run's commits, and of a claim that finds a run."""
    async with opened(url) as database:
        log, workers = RunLog(database), Workers(database)
        me = new_id()
        await workers.join(Worker(me), 3600)
        runs, claims = [], []
        for _ in range(STEPS):
            began = time.perf_counter()
            run = await log.create(new_run()._replace(worker=me, due_us=NEVER), opening("hi"))
            for _ in range(2):
                await log.append(run.run_id, run.epoch, [STEP, STEP], RunChanges(strategy_state=MEMORY))
            end = RunChanges(state="RUN_STATE_COMPLETED")
            await log.append(run.run_id, run.epoch, [STEP, STEP], end)
            runs.append((time.perf_counter() - began) * 1000)
            due = await log.create(new_run(), opening("hi"))
            began = time.perf_counter()
            [claimed] = await workers.claim(me, Claim(limit=10))
            claims.append((time.perf_counter() - began) * 1000)
            await log.append(due.run_id, claimed.row.epoch, [STEP], end)
            await asyncio.sleep(0)
    return statistics.median(runs), statistics.median(claims)
