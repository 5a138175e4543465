"""What it costs to look for runs, to claim them and to take over a dead worker's, beside few and many others.

    python bench/claims.py [--servers] [--stored 1000 1000000] [--waiting 10000] [--rounds 200]

On SQLite; `--servers` starts PostgreSQL and MariaDB as the tests do, but with every commit on disk. Stored
runs are over, waiting ones are nobody's and not due. `look` finds nothing, as every second in every process;
`claim` finds one; `wake` is from the commit that makes a run due until another database object has claimed
it, woken by a hint where those are carried; `take over` claims 100 runs of a worker that is gone.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import uvloop
from databases import SERVERS, durable
from figures import table
from sqlalchemy import Connection

from hector_store import DUE, NEVER, NOW, Claim, Database, NewRun, RunChanges, RunLog, Worker, Workers, opened
from hector_store.schema import runs
from hector_store.url import parse

ORPHANS = 100
OVER = RunChanges(state="RUN_STATE_COMPLETED")
NEW = NewRun(app="default", owner="", agent="helper", view=b"v" * 300)
NUMBERS = {
    "sqlite": "WITH RECURSIVE number(n) AS (SELECT {0} UNION ALL SELECT n + 1 FROM number WHERE n < {1}) "
    "SELECT {2} FROM number, runs",
    "postgresql": "SELECT {2} FROM generate_series({0}, {1}) AS number(n), runs",
    "mariadb": "SELECT {2} FROM (SELECT seq AS n FROM seq_{0}_to_{1}) AS number, runs",
}


async def fill(database: Database, like: str, first: int, last: int) -> None:
    """Store copies of a run."""
    names = [column.name for column in runs.columns]

    def write(connection: Connection) -> None:
        kind = connection.dialect.name.replace("mysql", "mariadb")
        number = f"'{like}-' || n" if kind != "mariadb" else f"concat('{like}-', n)"
        values = ", ".join({"id": number}.get(name, f"runs.{name}") for name in names)
        chosen = NUMBERS[kind].format(first, last, values)
        connection.exec_driver_sql(f"INSERT INTO runs ({', '.join(names)}) {chosen} WHERE runs.id = '{like}'")

    await database.write(write)


async def filled(database: Database, like: str, first: int, last: int) -> None:
    for start in range(first, last, 50_000):
        await fill(database, like, start + 1, min(start + 50_000, last))
    if database.file or database.name.startswith("postgres"):
        await database.write(lambda connection: connection.exec_driver_sql("ANALYZE runs").close())


async def timed(rounds: int, work: Callable[[], Awaitable[float]]) -> float:
    """Return the median of what each round says that it took, in milliseconds."""
    return statistics.median([await work() for _ in range(rounds)]) * 1000


class Bench:
    """Two processes' databases: one works, the other one claims."""

    def __init__(self, here: Database, there: Database) -> None:
        self._log, self._here, self._there = RunLog(here), Workers(here), Workers(there)
        self._hints = there.hints
        self._joined = 0

    async def join(self) -> None:
        for workers, name in ((self._here, "here"), (self._there, "there")):
            if not await workers.renew(name, 3600):
                await workers.join(Worker(name), 3600)

    async def look(self) -> float:
        began = time.perf_counter()
        found = await self._there.claim("there", Claim(limit=ORPHANS))
        assert found == []
        return time.perf_counter() - began

    async def claim(self) -> float:
        created = await self._log.create(NEW._replace(due_us=NOW))
        began = time.perf_counter()
        (one,) = await self._there.claim("there", Claim(limit=10))
        took_s = time.perf_counter() - began
        await self._log.append(created.run_id, one.row.epoch, changes=OVER)
        return took_s

    async def wake(self) -> float:
        created = await self._log.create(NEW)
        with self._hints.subscribe(DUE) as flag:
            while await flag.raised(0.1):
                pass
            began = time.perf_counter()
            await self._log.append(created.run_id, 1, changes=RunChanges(worker="", due_us=NOW))
            while True:
                await flag.raised(1.0)
                if found := await self._there.claim("there", Claim(limit=10)):
                    break
            took_s = time.perf_counter() - began
        await self._log.append(created.run_id, found[0].row.epoch, changes=OVER)
        return took_s

    async def take_over(self) -> float:
        self._joined += 1
        dead = f"dead {self._joined} {time.time_ns()}"
        new = NEW._replace(worker=dead)
        await asyncio.gather(*(self._log.create(new) for _ in range(ORPHANS)))
        began = time.perf_counter()
        found = await self._there.claim("there", Claim(limit=ORPHANS))
        took_s = time.perf_counter() - began
        assert len(found) == ORPHANS
        await asyncio.gather(*(self._log.append(one.row.id, one.row.epoch, changes=OVER) for one in found))
        return took_s


async def measure(url: str, name: str, options: argparse.Namespace) -> list[tuple[str, ...]]:
    rows, stored = [], 0
    async with opened(url) as here:
        there = Database(parse(url))
        await there.open()
        try:
            log, bench = RunLog(here), Bench(here, there)
            await log.create(NEW._replace(id="over", state="RUN_STATE_COMPLETED", worker="here"))
            await log.create(NEW._replace(id="waits", state="RUN_STATE_INPUT_REQUIRED", due_us=NEVER))
            await filled(here, "waits", 0, options.waiting)
            await bench.join()
            for amount in options.stored:
                await filled(here, "over", stored, amount)
                stored = amount
                figures = [
                    await timed(options.rounds, bench.look),
                    await timed(options.rounds, bench.claim),
                    await timed(options.rounds // 10, bench.wake),
                    await timed(options.rounds // 10, bench.take_over),
                ]
                rows.append((name, f"{amount:,}", *(f"{figure:.2f}" for figure in figures)))
        finally:
            await there.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--servers", action="store_true", help="PostgreSQL and MariaDB, too")
    parser.add_argument("--stored", type=int, nargs="+", default=[1_000, 1_000_000])
    parser.add_argument("--waiting", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    rows: list[tuple[str, ...]] = [
        ("", "stored", "look ms", "claim ms", "wake ms", f"take over {ORPHANS} ms"),
    ]
    with ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        urls = [("SQLite, FULL", f"sqlite://{Path(folder, 'bench.db').absolute()}")]
        if options.servers:
            urls += [(name, closing.enter_context(durable(kind))) for kind, name in SERVERS.items()]
        for name, url in urls:
            rows += uvloop.run(partial(measure, url, name, options)())
    print(f"beside {options.waiting:,} runs that wait, medians")
    print(table(rows))


if __name__ == "__main__":
    main()
