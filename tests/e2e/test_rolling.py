"""Two replicas on one database are restarted one after the other, under load: nobody's question fails."""

import asyncio
import contextlib
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.databases import DatabaseServer, database_servers
from support.processes import Hector, Server, answer_of, free_port, message, post, wait_until_ready

__all__ = ["database_servers"]

HANDLERS = """
import asyncio
from pathlib import Path

async def quick(turn):
    yield "one, "
    await asyncio.sleep(0.02)
    yield "two"

async def slow(turn):
    with Path("tries").open("a") as tries:
        tries.write("x")
    yield "begun, "
    while not Path("let-go").exists():
        await asyncio.sleep(0.05)
    yield "ended"
"""
CONFIG = """
agents:
  quick: {type: custom, handler: "handlers:quick"}
  slow: {type: custom, handler: "handlers:slow"}
server: {shutdown_delay: 700ms, shutdown_timeout: 3s}
storage: {database: %s, lease: 5s}
"""


class Balancer:
    """Knows which replicas are ready, as a load balancer does: by asking them."""

    def __init__(self, replicas: list[Server]) -> None:
        self.replicas = replicas
        self.ready: list[Server] = []
        self._turn = 0

    async def looking(self) -> None:
        while True:
            found = await asyncio.gather(*(asyncio.to_thread(_is_ready, one) for one in self.replicas))
            self.ready = [one for one, ready in zip(self.replicas, found, strict=True) if ready]
            await asyncio.sleep(0.05)

    def next(self) -> Server:
        self._turn += 1
        return self.ready[self._turn % len(self.ready)]


def _is_ready(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{server.url}/ready", timeout=2):
            return True
    except OSError:
        return False


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, folder: Path, database_servers: Callable[[str], DatabaseServer]
) -> Iterator[str]:
    with _database(request.param, folder, database_servers) as url:
        yield url


@contextmanager
def _database(kind: str, folder: Path, servers: Callable[[str], DatabaseServer]) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite://{folder}/shared.db"
        return
    server = servers(kind)
    with server.new_database() as name:
        yield server.url(name)


def started(hector: Hector, port: int) -> Server:
    arguments = ("--port", str(port), "--grpc-port", "0")
    server = hector.start(*arguments, url=f"http://127.0.0.1:{port}")
    wait_until_ready(server)
    return server


async def test_restarting_replicas_one_by_one_fails_no_question(
    hector: Hector, folder: Path, database: str
) -> None:
    """Ours: what is at work is finished, or goes on at the other replica."""
    hector.write(HANDLERS, "handlers.py")
    hector.write(CONFIG % json.dumps(database))
    ports = free_port(), free_port()
    balancer = Balancer([await asyncio.to_thread(started, hector, port) for port in ports])
    answers: list[dict[str, Any]] = []
    failures: list[str] = []
    is_over = asyncio.Event()

    async def ask() -> None:
        while not is_over.is_set():
            url = f"{balancer.next().url}/agents/quick"
            try:
                told = await asyncio.to_thread(post, url, "SendMessage", message("hi"))
                answers.append(told["result"]["task"])
            except (OSError, KeyError) as error:
                failures.append(repr(error))

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:
        looking = group.create_task(balancer.looking())
        while len(balancer.ready) < 2:  # noqa: ASYNC110  # it is other processes that we look at
            await asyncio.sleep(0.02)
        at_once = {"configuration": {"returnImmediately": True}}
        first = balancer.replicas[0]
        begun = await asyncio.to_thread(
            post, f"{first.url}/agents/slow", "SendMessage", {**message("hi"), **at_once}
        )
        task = begun["result"]["task"]["id"]
        asking = [group.create_task(ask()) for _ in range(3)]
        for index, port in enumerate(ports):
            old = balancer.replicas[index]
            had = len(answers)
            old.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(old.process.wait, 30) == 0, old.output()
            balancer.replicas[index] = await asyncio.to_thread(started, hector, port)
            while len(answers) < had + 20:  # noqa: ASYNC110  # others fill it
                await asyncio.sleep(0.02)
        (folder / "let-go").touch()
        is_over.set()
        await asyncio.wait(asking)
        agents = f"{balancer.next().url}/agents/slow"
        told: dict[str, Any] = {}
        while told.get("status", {}).get("state") != "TASK_STATE_COMPLETED":
            told = (await asyncio.to_thread(post, agents, "GetTask", {"id": task}))["result"]
            await asyncio.sleep(0.05)
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
    assert failures == []
    assert {answer_of(one) for one in answers} == {"one, two"}
    assert answer_of(told).endswith("ended")
    assert len((folder / "tries").read_text()) == 3, "each replica gave it to the other one, once"
    for server in hector.servers:
        assert "Traceback" not in server.output()
