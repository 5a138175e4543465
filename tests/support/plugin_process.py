"""Starts a plugin as a host does, with no code of the host's: a line, a socket, a token."""

import asyncio
import json
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hector_mesh import wire_channel

TOKEN = "a-token-of-this-launch"
READY_S = 60.0
"""On two cores where everything else runs as well."""


@dataclass
class Plugin:
    """One started plugin."""

    process: asyncio.subprocess.Process
    folder: Path
    """Its own, where it makes its socket; empty once it has left."""
    printed: list[str] = field(default_factory=list)
    """Lines of its standard error until now."""
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    target: str = ""
    channel: grpc.aio.Channel = None  # type: ignore[assignment]  # once it is ready
    """Shows the token."""

    @property
    def logged(self) -> list[dict[str, Any]]:
        """What it logged as hclog's JSON."""
        return [json.loads(line) for line in self.printed if line.startswith("{")]

    async def health(self, service: str) -> bool:
        """Say whether it calls a service healthy."""
        stub = health_pb2_grpc.HealthStub(self.channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def said(self, pattern: str) -> str:
        """Wait until it printed something that a pattern finds, and give what was found."""
        async with self.news:
            while not (found := re.search(pattern, "".join(self.printed))):
                await self.news.wait()
            return found[0]

    async def left(self) -> int:
        """Wait until it has left, and give its code."""
        return await self.process.wait()


@asynccontextmanager
async def started(command: Sequence[str], **variables: str) -> AsyncIterator[Plugin]:
    """Start a plugin, wait until it can be called, and end it in the end whatever it does."""
    async with launched(command, **variables) as plugin:
        assert plugin.process.stdout is not None
        line = (await plugin.process.stdout.readline()).decode()
        fields = line.split("|")
        assert fields[:3] + fields[4:] == ["1", "1", "unix", "grpc", "\n"], (line, plugin.printed)
        assert Path(fields[3]).parent == plugin.folder
        plugin.target = f"unix:{fields[3]}"
        async with wire_channel(plugin.target, token=TOKEN, token_header="hector-token") as channel:
            plugin.channel = channel
            assert await plugin.health("plugin")
            yield plugin


@asynccontextmanager
async def launched(command: Sequence[str], *arguments: str, **variables: str) -> AsyncIterator[Plugin]:
    """Start a plugin's program with a host's environment, and wait for nothing."""
    folder = Path(tempfile.mkdtemp(prefix="hp-"))
    environment = {
        "HECTOR_PLUGIN": "hector_plugin_v1",
        "PLUGIN_PROTOCOL_VERSIONS": "1",
        "PLUGIN_UNIX_SOCKET_DIR": str(folder),
        "TMPDIR": str(folder),
        "HECTOR_PLUGIN_TOKEN": TOKEN,
        "HECTOR_STDIN_WATCH": "1",
        "HECTOR_LOG_LEVEL": "debug",
        "HECTOR_LOG_FORMAT": "hclog",
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        *arguments,
        env={name: value for name, value in (environment | variables).items() if value},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
        start_new_session=True,
    )
    plugin = Plugin(process, folder)
    reading = asyncio.create_task(_read(process.stderr, plugin))
    try:
        async with asyncio.timeout(READY_S):
            yield plugin
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
        shutil.rmtree(folder, ignore_errors=True)


async def _read(stream: asyncio.StreamReader | None, plugin: Plugin) -> None:
    assert stream is not None
    async for line in stream:
        async with plugin.news:
            plugin.printed.append(line.decode(errors="replace"))
            plugin.news.notify_all()
