"""What a worker knows of itself and of those beside it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOCAL = ("embedder", "vector", "document")
"""Roles that own files of this machine: one worker has them, and the others ask it."""

FIRST = 1
"""The number of the worker that has them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one worker is, as the supervisor sees it."""

    number: int
    pid: int
    up: bool
    """It has said that it takes requests, and has not ended since."""
    starts: int
    """How often it was started."""
    is_new: bool = False
    """It has not been up yet, since the server began."""


@dataclass(slots=True)
class Member:
    """One of the workers of a server."""

    number: int
    count: int
    name: str
    """What the supervisor calls this process, and none before or after it."""
    folder: Path
    """Private to the server: where workers reach each other."""
    starts: int = 1
    """How often this worker was started, this time included."""
    orphans: Sequence[str] = ()
    """Names of processes that died lately: what they had may be taken at once."""
    standings: tuple[Standing, ...] = ()
    bereave: Callable[[str], Awaitable[None]] | None = None
    """Tells the rooms that a process has died; there once they run."""
    leaves_last: bool = False
    """All workers were told to stop, and who has what others may want waits for them."""
    alone: asyncio.Event = field(default_factory=asyncio.Event)
    """All other workers are gone, and nobody needs this one any more."""

    @property
    def listen(self) -> str:
        """Where this worker listens for the others."""
        return f"unix:{self._socket(self.number)}"

    def watched_at(self, number: int) -> Path:
        """Return where a worker says how it is."""
        return self.folder / f"{number}.watch"

    def roles(self, all_of_them: Sequence[str]) -> list[str]:
        """Return which of the server's roles this worker has."""
        return [role for role in all_of_them if self.number == FIRST or role not in LOCAL]

    def addresses(self, all_of_them: Collection[str]) -> Mapping[str, str]:
        """Return where the roles are that another worker has."""
        if self.number == FIRST:
            return {}
        return {role: f"unix:{self._socket(FIRST)}" for role in LOCAL if role in all_of_them}

    def others(self) -> list[Standing]:
        """Return those beside it."""
        return [one for one in self.standings if one.number != self.number]

    def _socket(self, number: int) -> Path:
        return self.folder / f"{number}.sock"
