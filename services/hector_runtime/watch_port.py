"""A port for those who watch: probes and metrics of one process, whichever roles it has."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from hector_mesh import Health, metrics

from .metrics_config import MetricsConfig

if TYPE_CHECKING:
    from hector_gateway.cycle import Cycle

Answer = tuple[int, bytes, bytes]
"""Status, content type, body."""

DATABASE = "database"
"""What a room that stands on a database calls its check."""

PLAIN = b"text/plain; charset=utf-8"


class WatchPort:
    """Answers GET and nothing else."""

    def __init__(self, config: MetricsConfig, health: Health) -> None:
        self._health = health
        self.stopping = False
        """The process takes no more work."""
        self.others: Callable[[], Awaitable[Sequence[str]]] | None = None
        """Say why some of the processes beside this one should get no requests."""
        self._pages: dict[str, Callable[[str], Awaitable[Answer]]] = {
            "/live": self._live,
            "/ready": self._ready,
        }
        if config.enabled:
            self._pages[config.endpoint] = self._metrics

    async def __call__(self, cycle: "Cycle") -> None:
        """Answer one request."""
        page = self._pages.get(cycle.path)
        if page is None:
            status, kind, body = 404, PLAIN, f"there is: {', '.join(self._pages)}\n".encode()
        elif cycle.verb not in ("GET", "HEAD"):
            status, kind, body = 405, PLAIN, b"use GET\n"
        else:
            accept = next((value for name, value in cycle.headers if name == b"accept"), b"")
            status, kind, body = await page(accept.decode("latin-1"))
        await cycle.answer(status, ((b"content-type", kind),), body)

    def reasons(self) -> Sequence[str] | None:
        """Return why this process should get no requests; None: it is leaving."""
        if self.stopping:
            return None
        reasons = [f"{service}: not ready yet" for service in self._health.waiting_for()]
        return reasons + ([] if self._health.noted(DATABASE) else ["the database cannot be used"])

    async def _live(self, _: str) -> Answer:
        return 200, b"application/json", b'{"status":"alive"}'

    async def _ready(self, _: str) -> Answer:
        reasons = self.reasons()
        if reasons is None:
            reasons = ["the process is stopping"]
        elif self.others is not None:
            reasons = [*reasons, *await self.others()]
        found = {"status": "not ready", "reasons": reasons} if reasons else {"status": "ready"}
        return 503 if reasons else 200, b"application/json", json.dumps(found).encode()

    async def _metrics(self, accept: str) -> Answer:
        kind, body = await metrics.whole_page(accept) or (PLAIN, b"")
        return 200, kind, body


@asynccontextmanager
async def watched(config: MetricsConfig, health: Health, *, shared: bool = False) -> AsyncIterator[WatchPort]:
    """Answer those who watch while the block runs, if the configuration says where.

    A `shared` port is that of several workers, of which any may be asked.

    Raises:
        CannotServe: The address is taken, or is none of this machine's.
    """
    port = WatchPort(config, health)
    if not config.listen:
        yield port
        return
    from hector_gateway.listening import Sharing, bound, serving_http  # what serves HTTP, for who needs it

    host, _, number = config.listen.rpartition(":")
    sharing = Sharing.OTHERS if shared else Sharing.NOBODY
    where = {"key": "observability.metrics.listen", "flag": "--metrics-listen"}
    place = bound(host.strip("[]"), int(number), **where, sharing=sharing)
    try:
        async with serving_http(port, place, drain_s=1, counted=False):
            yield port
    finally:
        place.close()
