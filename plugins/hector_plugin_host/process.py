"""One life of a plugin, as those see it who speak to it: where it is, how it is, and how it ended."""

import asyncio
import signal
from dataclasses import dataclass
from typing import Protocol

import grpc.aio

from .plan import PluginPlan

EXIT_BAD_CONFIG = 64
EXIT_DEPENDENCY_MISSING = 69
EXIT_PROTOCOL_MISMATCH = 78
_MEANINGS = {
    EXIT_BAD_CONFIG: "its configuration is wrong",
    EXIT_DEPENDENCY_MISSING: "something that it needs is missing",
    EXIT_PROTOCOL_MISMATCH: "it does not speak this version of the protocol",
}

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ExitInfo:
    """How a life of a plugin ended."""

    code: int | None = None
    signal: int | None = None
    reason: str = "exited"
    """"stopped", "exited", "signal", or why we killed it: "unresponsive", "memory_limit", …"""
    wanted: bool = False
    """Whether we ended it."""
    crash_report: str = ""
    """The last traceback or panic that it printed."""
    tail: tuple[str, ...] = ()
    """The last lines that it printed."""

    @property
    def final(self) -> bool:
        """Whether another start would come to the same: the plugin says so with its exit code."""
        return not self.wanted and self.code in (EXIT_BAD_CONFIG, EXIT_PROTOCOL_MISMATCH)

    def __str__(self) -> str:
        if self.signal is not None:
            by = f"was killed by {_signal_name(self.signal)}"
            return by if self.reason in ("signal", "stopped") else f"{by} ({self.reason})"
        if self.code is None:
            return f"is gone ({self.reason})"
        meaning = _MEANINGS.get(self.code, "")
        return f"exited with {self.code}" + (f": {meaning}" if meaning else "")


class PluginProcess(Protocol):
    """A plugin that is ready, however it came to be."""

    plan: PluginPlan
    generation: int
    target: str
    """Where it is, as gRPC takes it."""
    host_target: str
    """Where it reaches HostServices; empty if nothing was granted."""
    metadata: Metadata
    """What every call to it has to carry."""
    pid: int | None
    """None of a plugin that somebody else runs."""
    serves_health: bool
    """Whether it serves grpc.health.v1."""
    tier: str
    """What confines it: "bubblewrap", "landlock", or "none"."""
    ready_s: float
    """How long it took."""
    exited: "asyncio.Future[ExitInfo]"

    @property
    def channel(self) -> grpc.aio.Channel:
        """The connection to it; closed with the process."""

    def tail(self) -> tuple[str, ...]:
        """Return the last lines that it printed, without secrets."""

    def kill(self, reason: str) -> None:
        """Kill it at once, with all that it started, for a reason that `exited` will give."""

    async def end(self, grace_s: float = 2.0, reason: str = "stopped") -> None:
        """End it, once its calls have been drained; returns when nothing of it is left."""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
