"""How long it takes from when a run is due until somebody has begun with it."""

import asyncio
import statistics

import uvloop
from databases import durable
from figures import Figure
from one_process import CONFIG
from plan import Plan
from processes import serving
from runs_steps import folder_with

import hector_a2a as a2a
from hector.agent.v1 import RUN_STATE_SUBMITTED, MessageReceived, RunEvent, StatusChanged
from hector_store import DUE, NOW, Database, NewEvent, NewRun, RunLog, new_id, opened

TRIES, QUICK = 200, 40
WITHIN_S = 20.0
OPENING = 2


def claims(plan: Plan, model: int) -> list[Figure]:
    """On PostgreSQL, whose NOTIFY tells the replica; times are the database's."""
    with durable("postgresql") as url:
        config = CONFIG.format(port=model, pace="burst", streaming="true")
        folder = folder_with(plan.folder / "claims", f'{config}storage: {{database: "{url}"}}\n')
        with serving(folder):
            took_ms = uvloop.run(claimed(url, TRIES if plan.rounds > 1 else QUICK))
    cuts = statistics.quantiles(took_ms, n=100)
    return [
        Figure("due to started, PostgreSQL, p50", cuts[49], "ms", 20, 10),
        Figure("due to started, PostgreSQL, p99", cuts[98], "ms"),
    ]


async def claimed(url: str, tries: int) -> list[float]:
    """Put runs into the database, one after another, and return how long nobody had begun with each."""
    async with opened(url) as database:
        log = RunLog(database)
        runs = [await one_run(database, log) for _ in range(tries)]
        took_ms = []
        for run in runs:
            first, *_ = await log.events("default", run, after=OPENING)
            row = await log.get("default", "bench", run)
            assert row is not None
            took_ms.append((first.time_us - row.created_time_us) / 1000)
    return took_ms


async def one_run(database: Database, log: RunLog) -> str:
    created = await log.create(new_run(), opening("hi"))
    database.hints.hint(DUE)
    async with asyncio.timeout(WITHIN_S):
        while True:
            row = await log.get("default", "bench", created.run_id)
            if row is not None and row.state == "RUN_STATE_COMPLETED":
                return created.run_id
            await asyncio.sleep(0.01)


def new_run() -> NewRun:
    context = new_id()
    return NewRun(
        app="default", owner="bench", agent="bench", context_id=context, new_context=True, due_us=NOW
    )


def opening(text: str) -> list[NewEvent]:
    """Return the events that every run begins with."""
    message = a2a.Message(message_id="m", role=a2a.ROLE_USER)
    message.parts.add(text=text)
    received = RunEvent(message_received=MessageReceived())
    received.message_received.message.Pack(message)
    submitted = RunEvent(status_changed=StatusChanged(state=RUN_STATE_SUBMITTED))
    return [
        NewEvent(event.WhichOneof("event") or "", event.SerializeToString())
        for event in (received, submitted)
    ]
