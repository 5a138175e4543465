"""Starts a plugin as a host does, and sees all that it prints. Simpler than the host, and no part of it."""

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from .subject import Subject

COOKIE = {"HECTOR_PLUGIN": "hector_plugin_v1"}
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
PRINTED_BYTES = 4_000_000
"""How much of what a plugin prints is kept."""


class CannotStart(Exception):
    """The command is none."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """The line that a plugin prints, read."""

    line: str
    network: str
    address: str

    @property
    def target(self) -> str:
        """Where to dial."""
        return f"unix:{self.address}" if self.network == "unix" else self.address


@dataclass
class Process:
    """A plugin's process."""

    process: asyncio.subprocess.Process
    folder: Path
    """Where it may put its socket."""
    token: str
    before: list[str] = field(default_factory=list)
    """What it printed on standard output before its line."""
    handshake: Handshake | None = None
    printed: bytearray = field(default_factory=bytearray)
    """Everything of standard output."""
    logged: bytearray = field(default_factory=bytearray)
    """Everything of standard error."""
    readers: list[asyncio.Task[None]] = field(default_factory=list)
    said: asyncio.Event = field(default_factory=asyncio.Event)
    """It printed its line, or closed its standard output."""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ended(self) -> bool:
        return self.process.returncode is not None

    def log(self) -> str:
        """Return what it printed to standard error so far."""
        return self.logged.decode(errors="replace")

    def tail(self, lines: int = 3) -> str:
        """Return the last that it said."""
        return " / ".join(self.log().strip().splitlines()[-lines:]) or "nothing on standard error"

    async def wait(self, timeout_s: float) -> int | None:
        """Return its exit code; None if it goes on."""
        # Not process.wait(): that waits for the pipes too, which a child of the plugin's may hold.
        deadline = time.monotonic() + timeout_s
        while self.process.returncode is None and time.monotonic() < deadline:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)
        return self.process.returncode

    async def drained(self) -> None:
        """Wait until all that it printed was read, once it has ended."""
        await asyncio.wait(self.readers, timeout=2.0)

    def relatives(self) -> list[int]:
        """Return its own and its descendants' processes that live: those that know its token."""
        return [pid for pid in _pids() if pid != os.getpid() and _knows(pid, self.token)]

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)


@asynccontextmanager
async def launched(
    subject: Subject,
    *,
    cookie: bool = True,
    versions: str = "1",
    folder_bytes: int = 0,
    prefix: tuple[str, ...] = (),
    instead: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Process]:
    """Start a plugin; nothing of it is left afterwards.

    Args:
        subject: What to start.
        cookie: Whether it is told that a host starts it.
        versions: The versions of the protocol that the host says it speaks.
        folder_bytes: How long the path of its folder is; zero: short.
        prefix: What stands before its command; "{folder}" in it is its folder.
        instead: What is started in its place.
        env: What else it is told.

    Raises:
        CannotStart: There is no such command.
    """
    folder = Path(tempfile.mkdtemp(prefix="hpt-"))
    place = folder
    if folder_bytes > len(os.fsencode(folder)) + 1:
        place = folder / ("x" * (folder_bytes - len(os.fsencode(folder)) - 1))
        place.mkdir(mode=0o700)
    token = secrets.token_hex(32)
    told = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    told |= {
        **(COOKIE if cookie else {}),
        "PLUGIN_PROTOCOL_VERSIONS": versions,
        "PLUGIN_MIN_PORT": "10000",
        "PLUGIN_MAX_PORT": "25000",
        "PLUGIN_UNIX_SOCKET_DIR": str(place),
        "TMPDIR": str(place),
        "HECTOR_PLUGIN_TOKEN": token,
        "HECTOR_STDIN_WATCH": "1",
        "HECTOR_LOG_LEVEL": "debug",
        "HECTOR_LOG_FORMAT": "hclog",
        "HECTOR_DRAIN_S": "5",
        **subject.env,
        **(env or {}),
    }
    command = [part.replace("{folder}", str(place)) for part in instead or prefix]
    command += () if instead else subject.command
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=told,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise CannotStart(f"{command[0]} cannot be started: {error.strerror}") from None
    plugin = Process(process, place, token)
    plugin.readers = [
        asyncio.create_task(_read_output(plugin)),
        asyncio.create_task(_read_log(plugin)),
    ]
    try:
        yield plugin
    finally:
        await _gone(plugin)
        shutil.rmtree(folder, ignore_errors=True)


def parsed(line: str) -> Handshake | None:
    """Read go-plugin's line; None if it is none."""
    fields = line.strip().split("|")
    if len(fields) < 5 or fields[:2] != ["1", "1"] or fields[4] != "grpc" or not fields[3]:
        return None
    return Handshake(line.strip(), fields[2], fields[3]) if fields[2] in ("unix", "tcp") else None


async def _read_output(plugin: Process) -> None:
    assert plugin.process.stdout is not None
    rest = b""
    while chunk := await plugin.process.stdout.read(65536):
        plugin.printed += chunk[: max(0, PRINTED_BYTES - len(plugin.printed))]
        if plugin.handshake is not None:
            continue
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace")
            plugin.handshake = parsed(text)
            if plugin.handshake is not None:
                plugin.said.set()
                break
            plugin.before.append(text)
    plugin.said.set()


async def _read_log(plugin: Process) -> None:
    assert plugin.process.stderr is not None
    while chunk := await plugin.process.stderr.read(65536):
        plugin.logged += chunk[: max(0, PRINTED_BYTES - len(plugin.logged))]


async def _gone(plugin: Process) -> None:
    if not plugin.ended or not _is_taken(plugin.pid):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(plugin.pid, signal.SIGKILL)
    if plugin.process.stdin is not None:
        plugin.process.stdin.close()
    await plugin.wait(5.0)
    for pid in plugin.relatives():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    await asyncio.wait(plugin.readers, timeout=2.0)
    for reader in plugin.readers:
        reader.cancel()
    await asyncio.wait(plugin.readers)
    # Pipes that a stranger still holds would stay open otherwise.
    plugin.process._transport.close()  # type: ignore[attr-defined]  # asyncio has no other way
    await asyncio.sleep(0)


def _is_taken(pid: int) -> bool:
    """Say whether the number of a plugin that has ended is another's by now: nothing is left of its group."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _pids() -> list[int]:
    proc = Path("/proc")
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal()] if proc.is_dir() else []


def _knows(pid: int, token: str) -> bool:
    try:
        return token.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
