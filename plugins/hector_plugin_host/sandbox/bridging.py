"""Reaches a TCP port inside of a plugin's network, by a process that has entered it."""

import asyncio
import logging
import sys
from contextlib import suppress
from pathlib import Path

from .errors import SandboxNotHeld

log = logging.getLogger(__name__)

_SCRIPT = Path(__file__).with_name("bridge.py")
_START_S = 10.0
_END_S = 2.0


class Bridges:
    """All bridges to one plugin; they end with the host at the latest."""

    def __init__(self, plugin: str, scratch: Path) -> None:
        self._plugin, self._scratch = plugin, scratch
        self._processes: list[asyncio.subprocess.Process] = []
        self._paths: dict[int, str] = {}
        """By port: who looks for a plugin that is slow to listen asks again and again."""

    async def to(self, pid: int, port: int) -> str:
        """Return the path of a socket that leads to a port of the network that a process is in.

        Raises:
            SandboxNotHeld: The network cannot be entered.
        """
        if port in self._paths:
            return self._paths[port]
        path = self._scratch / f"tcp-{port}.sock"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-B", str(_SCRIPT), str(pid), str(port), str(path)),
            env={},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._processes.append(process)
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(_START_S):
                if await process.stdout.readline():
                    self._paths[port] = str(path)
                    return str(path)
                words = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
        except TimeoutError:
            words = [f"nothing happened within {_START_S:g} s"]
        raise SandboxNotHeld(
            self._plugin, f"port {port} of its network cannot be reached: {(words or ['?'])[-1]}"
        )

    async def close(self) -> None:
        """End all of them."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.kill()
        for process in self._processes:
            try:
                async with asyncio.timeout(_END_S):
                    await process.wait()
            except TimeoutError:  # in the hands of the kernel: nobody is to wait for it
                log.warning("helper of a plugin's network survived being killed", extra={"pid": process.pid})
