"""How long after a worker's end its runs are at work elsewhere: a replica's, and a child's of one server."""

import json
import os
import signal
import sqlite3
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from figures import Figure
from one_process import CONFIG
from plan import Plan
from processes import serving
from runs_steps import folder_with

RUNS = 100
WORKERS = 3
SLOW = "d1000"
"""The model's pace: a minute for an answer."""
WITHIN_S = 60.0
TAKEN = "SELECT COUNT(DISTINCT run_id), MAX(time) FROM run_events WHERE kind = 'owner_changed'"

Ask = Callable[[str], list[tuple[Any, ...]]]


def takeover(plan: Plan, model: int) -> list[Figure]:
    """kill -9 of one of two replicas; from the end of its lease, by the database's clock."""
    figures = []
    for name, kind in (("SQLite", "sqlite"), ("PostgreSQL", "postgresql")):
        with database(plan.folder / f"takeover-{kind}.db", kind) as (url, ask):
            config = config_of(model, url)
            first = folder_with(plan.folder / f"takeover-{kind}-0", config)
            second = folder_with(plan.folder / f"takeover-{kind}-1", config)
            with serving(first) as victim, serving(second):
                begin_runs(victim.port, RUNS, ask)
                pid = victim.pids["hector"]
                os.kill(pid, signal.SIGKILL)
                [(ends_us,)] = ask(f"SELECT lease_until FROM workers WHERE pid = {pid}")
                took_s = (last_taken_us(ask, RUNS) - ends_us) / 1e6
        figures.append(Figure(f"takeover of {RUNS} runs after the lease, {name}", took_s, "s", 3, 1))
    return figures


def children(plan: Plan, model: int) -> list[Figure]:
    """kill -9 of one of the processes behind one port; from the kill, by the clock of the machine."""
    with database(plan.folder / "children.db", "sqlite") as (url, ask):
        folder = folder_with(plan.folder / "children", config_of(model, url, lease_s=15))
        with serving(folder, "--workers", str(WORKERS)) as server:
            begin_runs(server.port, WORKERS * RUNS, ask)
            found = ask(
                "SELECT pid, COUNT(*) FROM workers JOIN runs ON runs.worker = workers.id "
                "WHERE finished = FALSE GROUP BY pid ORDER BY 2"
            )
            pid, runs = found[-1]
            began_us = time.time_ns() // 1000
            os.kill(pid, signal.SIGKILL)
            took_s = (last_taken_us(ask, runs) - began_us) / 1e6
    return [Figure(f"takeover of {runs} runs of a child that died, --workers {WORKERS}", took_s, "s", 1, 0.3)]


def config_of(model: int, url: str, lease_s: float = 1) -> str:
    config = CONFIG.format(port=model, pace=SLOW, streaming="true")
    return f'{config}storage: {{database: "{url}", lease: {lease_s:g}s}}\n'


@contextmanager
def database(file: Path, kind: str) -> Iterator[tuple[str, Ask]]:
    """Give a database, and a way to ask it."""
    if kind == "sqlite":

        def ask(statement: str) -> list[tuple[Any, ...]]:
            with closing(sqlite3.connect(file, timeout=10)) as connection:
                return connection.execute(statement).fetchall()

        yield f"sqlite://{file}", ask
        return
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from support.databases import server_of_its_own

    with server_of_its_own(kind, durable=True) as server:
        server.run("CREATE DATABASE bench")
        yield server.url("bench"), lambda statement: server.run(statement, database="bench")


def begin_runs(port: int, runs: int, ask: Ask) -> None:
    """Begin runs that will not end soon, and wait until all have something to say."""
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    params = {"message": message, "configuration": {"returnImmediately": True}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}).encode()
    headers = {"Content-Type": "application/json", "A2A-Version": "1.0"}

    def send(_: int) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/agents/bench", body, headers)
        with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:
            assert "task" in json.load(answer)["result"]

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(send, range(runs)))
    said = "SELECT COUNT(DISTINCT run_id) FROM run_events WHERE kind = 'text_appended'"
    until(lambda: ask(said)[0][0] >= runs, f"not all of {runs} runs began")


def last_taken_us(ask: Ask, runs: int) -> int:
    """Wait until runs were taken over, and return when the last one was."""
    until(lambda: ask(TAKEN)[0][0] >= runs, f"not all of {runs} runs were taken over")
    last: int = ask(TAKEN)[0][1]
    return last


def until(condition: Callable[[], bool], otherwise: str) -> None:
    gives_up = time.monotonic() + WITHIN_S
    while not condition():
        if time.monotonic() > gives_up:
            sys.exit(f"bench: {otherwise} within {WITHIN_S:.0f} s")
        time.sleep(0.05)
