"""How many events a second the run log makes durable.

    python bench/store.py [--seconds 3] [--folder DIR] [--database URL]...

Without --database: SQLite in its three ways. `--servers` starts PostgreSQL and MariaDB as the tests do, but
with every commit on disk; they end with it.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import uvloop
from databases import SERVERS, durable

from hector_store import NewEvent, NewRun, RunChanges, RunLog, new_id, opened
from hector_store.url import parse

Work = Callable[[float, list[float]], Coroutine[None, None, None]]

PAYLOAD = b"x" * 300
VIEW = b"v" * 1200


async def writer(log: RunLog, view: bool, until: float, took_s: list[float]) -> None:
    run = await log.create(NewRun(app="default", owner="bench", agent="a", context_id=""))
    changes = RunChanges(view=VIEW) if view else None
    while (began := time.perf_counter()) < until:
        await log.append(run.run_id, run.epoch, [NewEvent("text_appended", PAYLOAD)], changes)
        took_s.append(time.perf_counter() - began)


async def answers(log: RunLog, until: float, took_s: list[float]) -> None:
    """What one answer in a new session writes: a run with two events, and its end with three."""
    event, end = NewEvent("e", PAYLOAD), RunChanges(state="RUN_STATE_COMPLETED")
    while (began := time.perf_counter()) < until:
        new = NewRun(
            app="default", owner="bench", agent="a", context_id=new_id(), new_context=True, view=PAYLOAD
        )
        run = await log.create(new, [event, event])
        await log.append(run.run_id, run.epoch, [event, event, event], end)
        took_s.append(time.perf_counter() - began)


async def measure(url: str, name: str, seconds: float) -> None:
    async with opened(url) as database:
        log = RunLog(database)
        for view in (False, True):
            for clients in (1, 16, 64):
                work = partial(writer, log, view)
                await round_of(work, f"{name}{', with view' if view else ''}", clients, seconds, 1)
        for clients in (1, 32):
            await round_of(partial(answers, log), f"{name}, answers of 5 events", clients, seconds, 5)


async def round_of(work: Work, name: str, clients: int, seconds: float, each: int) -> None:
    took_s: list[float] = []
    cpu_s, began = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(work(began + seconds, took_s))
    cpu_s, seconds = time.process_time() - cpu_s, time.perf_counter() - began
    events = each * len(took_s)
    cuts = statistics.quantiles(took_s, n=100)
    print(
        f"{name:<36} {clients:>4} {events / seconds:>10,.0f} {cuts[49] * 1e3:>8.2f} {cuts[98] * 1e3:>8.2f}"
        f" {cpu_s / events * 1e6:>8.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument(
        "--folder", type=Path, help="where the database is made; a temporary folder if left out"
    )
    parser.add_argument("--database", action="append", default=[], metavar="URL", help="measure this one")
    parser.add_argument("--servers", action="store_true", help="measure PostgreSQL and MariaDB")
    options = parser.parse_args()
    print(f"{'':<36} {'c':>4} {'events/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8}")
    with ExitStack() as closing:
        urls = [(parse(url).name, url) for url in options.database]
        if options.servers:
            urls += [(name, closing.enter_context(durable(kind))) for kind, name in SERVERS.items()]
        if not urls:
            folder = closing.enter_context(tempfile.TemporaryDirectory(dir=options.folder))
            file = Path(folder, "bench.db").absolute()
            urls = [
                ("SQLite, FULL", f"sqlite://{file}"),
                ("SQLite, NORMAL", f"sqlite://{file}?synchronous=normal"),
                ("SQLite, in memory", "inmemory"),
            ]
        for name, url in urls:
            uvloop.run(measure(url, name, options.seconds))


if __name__ == "__main__":
    main()
