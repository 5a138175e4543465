"""How many events a second the run log makes durable, as store.py measures it in detail."""

import asyncio
import statistics
import time

import uvloop
from figures import Figure
from plan import Plan
from store import writer

from hector_store import RunLog, opened

WRITERS = (1, 64)


def events(plan: Plan, model: int) -> list[Figure]:
    """Events a second on SQLite with synchronous=FULL, for one writer and for many."""
    url = f"sqlite://{(plan.folder / 'events.db').absolute()}"
    figures = []
    for writers in WRITERS:
        rates = [uvloop.run(rate(url, writers, plan.seconds)) for _ in range(plan.rounds)]
        name = f"durable events, {writers} writer{'s' if writers > 1 else ''}, synchronous=FULL"
        figures.append(Figure(name, statistics.median(rates), "/s", more_is_better=True))
    return figures


async def rate(url: str, writers: int, seconds: float) -> float:
    took_s: list[float] = []
    async with opened(url) as database:
        log, began = RunLog(database), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(writers):
                group.create_task(writer(log, False, began + seconds, took_s))
        return len(took_s) / (time.perf_counter() - began)
