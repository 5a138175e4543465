"""How many events the run log makes durable per second: python bench/store.py [--seconds 3] [--folder DIR]."""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from hector_store import NewEvent, NewRun, RunChanges, RunLog, opened

PAYLOAD = b"x" * 300
VIEW = b"v" * 1200


async def writer(log: RunLog, until: float, view: bool, took_s: list[float]) -> None:
    run = await log.create(NewRun(app="default", owner="bench", agent="a", context_id=""))
    changes = RunChanges(view=VIEW) if view else None
    while (began := time.perf_counter()) < until:
        await log.append(run.run_id, run.epoch, [NewEvent("text_appended", PAYLOAD)], changes)
        took_s.append(time.perf_counter() - began)


async def turns(log: RunLog, until: float, took_s: list[float]) -> None:
    """What one answer costs: a run with two events, then three appends, the last one final."""
    while (began := time.perf_counter()) < until:
        event = NewEvent("e", PAYLOAD)
        run = await log.create(NewRun(app="default", owner="bench", agent="a", context_id=""), [event, event])
        await log.append(run.run_id, run.epoch, [event], RunChanges(view=VIEW))
        await log.append(run.run_id, run.epoch, [event], RunChanges(view=VIEW))
        await log.append(run.run_id, run.epoch, [event], RunChanges(view=VIEW, state="RUN_STATE_COMPLETED"))
        took_s.append(time.perf_counter() - began)


def report(name: str, clients: int, seconds: float, took_s: list[float], each: int) -> None:
    cuts = statistics.quantiles(took_s, n=100)
    print(
        f"{name:<28} {clients:>4} {each * len(took_s) / seconds:>10,.0f} {cuts[49] * 1e3:>8.2f}"
        f" {cuts[98] * 1e3:>8.2f}"
    )


async def measure(url: str, name: str, seconds: float) -> None:
    async with opened(url) as database:
        log = RunLog(database)
        for view in (False, True):
            for clients in (1, 16, 64):
                took_s: list[float] = []
                until = time.perf_counter() + seconds
                async with asyncio.TaskGroup() as group:
                    for _ in range(clients):
                        group.create_task(writer(log, until, view, took_s))
                report(f"{name}{', with view' if view else ''}", clients, seconds, took_s, 1)
        for clients in (1, 32):
            took_s = []
            until = time.perf_counter() + seconds
            async with asyncio.TaskGroup() as group:
                for _ in range(clients):
                    group.create_task(turns(log, until, took_s))
            report(f"{name}, turns of 5 events", clients, seconds, took_s, 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, help="where the database is made; a temporary folder if left out")
    options = parser.parse_args()
    print(f"{'SQLite':<28} {'c':>4} {'events/s':>10} {'p50 ms':>8} {'p99 ms':>8}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        file = Path(folder, "bench.db").absolute()
        asyncio.run(measure(f"sqlite://{file}", "FULL", options.seconds))
        asyncio.run(measure(f"sqlite://{file}?synchronous=normal", "NORMAL", options.seconds))
        asyncio.run(measure("inmemory", "in memory", options.seconds))


if __name__ == "__main__":
    main()
