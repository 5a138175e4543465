"""What a package gives the process that runs it."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from .server import Server


@dataclass(frozen=True, slots=True)
class Renewal:
    """Another config for rooms that are at work."""

    config: Any
    """All of it, as `build` got it."""
    revision: str
    """Its id: calls that go by it carry it."""
    before: str
    """The id of the one in whose place it comes."""
    lasting_s: float
    """How long calls may still come that go by the one before: as long as its longest run."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that a room needs to go by another config is there, and nothing has happened yet."""

    commit: Callable[[], None]
    """Goes by it from now on. Neither waits nor fails, so that all rooms of a process change at once."""
    changes: tuple[str, ...] = ()
    """What changes besides the values of the config: files that it names, say."""


Prepare = Callable[[Renewal], Awaitable[Prepared]]


@dataclass(frozen=True, slots=True)
class Room:
    """What a package's one public `build(config, mesh) -> Room` returns."""

    register: Callable[[Server], None]
    """Adds the room's servicers to a server; called once for every server that serves them."""
    running: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    """Entered when every room of the process is registered, left in reverse order."""
    ready: Callable[[], Awaitable[None]] | None = None
    """Until this returns, the health of the room's services is NOT_SERVING. None: ready when running."""
    addresses: Callable[[], Mapping[str, str]] = dict
    """Where clients outside the mesh reach the room while it runs, by protocol, as really bound."""
    checks: Mapping[str, Callable[[], Awaitable[bool]]] = field(default_factory=dict)
    """How that is on which the room stands, as {"database": …}; asked every few seconds, told at /health."""
    prepare: Prepare | None = None
    """Makes ready for another config while the room runs; what it raises refuses that config, and nothing has
    changed. None: the room keeps to the one that it was built with."""
    drain: Callable[[float], Awaitable[None]] | None = None
    """Called when the process was told to stop, before any room is left and beside those of the others: takes
    on nothing more by itself, and returns when nothing is at work, or after so many seconds."""
    bereaved: Callable[[str], Awaitable[None]] | None = None
    """Called with the name that the supervisor had given to a process beside this one (`Whereabouts.parent`)
    that has died: what it had may be taken at once."""
