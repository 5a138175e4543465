"""What ten thousand runs cost that wait for somebody, or for a time."""

import asyncio
import time

import uvloop
from figures import Figure
from load import cpu_of
from one_process import CONFIG
from plan import Plan
from processes import memory_mb, serving
from runs_claiming import new_run, opening
from runs_steps import folder_with

from hector_store import NEVER, RunLog, opened

WAITING = 10_000
SECONDS, QUICK_S = 60.0, 5.0
SETTLED_S = 2.0
HOUR_US = 3600 * 1_000_000
AT_ONCE = 500


def waiting(plan: Plan, model: int) -> list[Figure]:
    """Half of them wait for a person, half for a timer that is an hour away."""
    seconds = SECONDS if plan.rounds > 1 else QUICK_S
    config = CONFIG.format(port=model, pace="burst", streaming="true")
    empty = folder_with(plan.folder / "none-waiting", config)
    full = folder_with(plan.folder / "waiting", config)
    with serving(empty):
        pass
    with serving(full):
        pass
    uvloop.run(filled(f"sqlite://{full}/.hector/hector.db"))
    idle_cpu, idle_mb = at_rest(empty, seconds)
    cpu, mb = at_rest(full, seconds)
    return [
        Figure(f"CPU of one core with none waiting, {seconds:.0f} s", idle_cpu, "%"),
        Figure(f"CPU of one core with {WAITING:,} waiting, {seconds:.0f} s", cpu, "%", 1, 0.5),
        Figure(f"more memory with {WAITING:,} waiting (PSS)", mb - idle_mb, "MB", 50, 5),
    ]


def at_rest(folder: object, seconds: float) -> tuple[float, float]:
    """Return the share of a core and the memory of a server that nobody asks anything."""
    with serving(folder) as server:  # type: ignore[arg-type]
        pid = server.pids["hector"]
        time.sleep(SETTLED_S)
        before = cpu_of(pid)
        time.sleep(seconds)
        return 100 * (cpu_of(pid) - before) / seconds, memory_mb(pid)


async def filled(url: str) -> None:
    async with opened(url) as database:
        log, now_us = RunLog(database), time.time_ns() // 1000

        async def one(number: int) -> None:
            state, due_us = (
                ("RUN_STATE_INPUT_REQUIRED", NEVER) if number % 2 else ("RUN_STATE_WAITING", now_us + HOUR_US)
            )
            await log.create(new_run()._replace(state=state, due_us=due_us), opening("hi"))

        for begin in range(0, WAITING, AT_ONCE):
            await asyncio.gather(*(one(number) for number in range(begin, begin + AT_ONCE)))
