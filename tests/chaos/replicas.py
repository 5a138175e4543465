"""Replicas: `hector serve` processes on one database, which can be killed, stopped and started again."""

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.databases import DatabaseServer
from support.processes import STOP_S, Server, environment, free_port, wait_until_ready

FAULTY = str(Path(__file__).with_name("faulty.py"))
ROLES = ("llm", "reasoning", "agent", "gateway")
"""The tool role is the test's own."""
BAD = re.compile(r"^.*(?:Traceback|never awaited|never retrieved|Unclosed).*$", re.MULTILINE)

CONFIG = """
agents:
  assistant: {{instruction: Answer.}}
{agents}
llms:
  default: {{provider: openai, base_url: "{model}", model: m, api_key: k, max_retries: 0}}
storage: {{database: "{database}", lease: {lease_s}s}}
mesh: {{tool: "{tools}"}}
server: {{shutdown_timeout: 5s}}
"""


@dataclass
class Store:
    """The database that replicas share, and a way to look into it."""

    url: str
    file: Path | None = None
    server: DatabaseServer | None = None
    name: str = ""

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return what a statement finds."""
        return await asyncio.to_thread(self._rows, statement)

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        if self.file is not None:
            with contextlib.closing(sqlite3.connect(self.file, timeout=10)) as connection:
                return connection.execute(statement).fetchall()
        assert self.server is not None
        return self.server.run(statement, database=self.name)


@dataclass
class Replica:
    """One `hector serve`; each start of it has a log of its own."""

    folder: Path
    name: str
    environment: Mapping[str, str]
    more: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    logs: list[Path] = field(default_factory=list)
    process: "subprocess.Popen[str] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def agent(self) -> str:
        return f"{self.url}/agents/assistant"

    @property
    def armed(self) -> Path:
        return self.folder / f"{self.name}.armed"

    async def start(self, **more: str) -> None:
        """Start it, and wait until it is ready."""
        self.launch(**more)
        await asyncio.to_thread(wait_until_ready, self._server())

    def launch(self, **more: str) -> None:
        """Start it; `more` goes into its environment."""
        self.armed.unlink(missing_ok=True)
        self.logs.append(self.folder / f"{self.name}-{len(self.logs)}.log")
        roles = [word for role in ROLES for word in ("--role", role)]
        words = ["serve", "--config", "hector.yaml", *roles, "--port", str(self.port), "--grpc-port", "0"]
        if "--workers" not in self.more:  # workers have sockets of their own
            words += ["--listen", f"unix://{self.folder}/{self.name}.sock"]
        words += self.more
        with self.logs[-1].open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, FAULTY, *words],
                cwd=self.folder,
                env={**self.environment, "CHAOS_ARM": str(self.armed), **more},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                process_group=0,
            )

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(STOP_S)

    def signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    async def stop(self) -> int:
        """Tell it to stop, and return its exit code."""
        self.signal(signal.SIGTERM)
        return await self.gone()

    async def gone(self, within_s: float = STOP_S) -> int:
        """Wait until it has ended."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, within_s)

    def arm(self, point: str, number: int) -> None:
        """Have it die at one of its next commits."""
        unfinished = self.armed.with_suffix(".new")
        unfinished.write_text(f"{point} {number}")
        unfinished.replace(self.armed)

    def children(self) -> list[int]:
        """Return the processes that it has started."""
        assert self.process is not None
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def wait_until_told(self, words: str) -> None:
        """Wait until its log says something."""
        gives_up = time.monotonic() + STOP_S
        while words not in self.output():
            assert time.monotonic() < gives_up, self.output()
            time.sleep(0.05)

    def output(self) -> str:
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in self.logs)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()

    def _server(self) -> Server:
        assert self.process is not None
        return Server(self.process, self.logs[-1], url=self.url)


@dataclass
class Replicas:
    """All replicas of one database."""

    folder: Path
    store: Store
    all: list[Replica]

    async def start(self) -> None:
        """Start those that do not run: the first one alone, for it may have to make the tables."""
        resting = [one for one in self.all if one.process is None or one.process.poll() is not None]
        for one in resting[:1]:
            await one.start()
        async with asyncio.TaskGroup() as group:
            for one in resting[1:]:
                group.create_task(one.start())

    def agents(self, first: int = 0) -> list[str]:
        """Return the addresses of their agent, one replica's first."""
        return [one.agent for one in (*self.all[first:], *self.all[:first])]

    def bad_lines(self) -> list[str]:
        """Return lines of logs that tell of something that went wrong inside."""
        return [line for one in self.all for line in BAD.findall(one.output())]


@contextmanager
def replicas_at(
    folder: Path,
    store: Store,
    *,
    model: str,
    tools: str,
    lease_s: float = 1,
    count: int = 2,
    agents: str = "",
    more: Sequence[str] = (),
    clocks_s: Sequence[float] = (),
    hints: bool = True,
    lines: str = "",
) -> Iterator[Replicas]:
    """Prepare replicas in a folder; all that was started ends with the block.

    Args:
        folder: Where they run.
        store: Their database.
        model: The URL of the model.
        tools: The address of the tool role.
        lease_s: How long a worker's lease lasts.
        count: How many.
        agents: More agents, as lines of YAML.
        more: More words of the command.
        hints: Whether processes hint each other at what is new.
        clocks_s: By how much each one's time of day is wrong.
        lines: More of the config.
    """
    config = CONFIG.format(
        model=model, tools=tools, database=store.url, lease_s=f"{lease_s:g}", agents=agents
    )
    (folder / "hector.yaml").write_text(config + lines, encoding="utf-8")
    found = []
    for number in range(count):
        given = {"CHAOS_CLOCK_S": str(clocks_s[number])} if clocks_s else {}
        if not hints:
            given["HECTOR_DROP_HINTS"] = "1"
        found.append(Replica(folder, f"r{number}", environment(**given), tuple(more)))
    try:
        yield Replicas(folder, store, found)
    finally:
        for one in found:
            one.close()
