"""What a package gives the process that runs it."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from .server import Server


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
