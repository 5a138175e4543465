"""A webhook on this machine: keeps what it is told, and answers as a test wants."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

Answer = int | Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Told:
    """One notification as it arrived."""

    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def found(self) -> Any:
        return json.loads(self.body)

    @property
    def event_id(self) -> str:
        return self.headers["x-a2a-event-id"]

    @property
    def seq(self) -> int:
        return int(self.event_id.rpartition(":")[2])


@dataclass
class Receiver:
    """What came, confirmed or not."""

    url: str = ""
    all: list[Told] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    """For the next ones, in order; afterwards `usual`."""
    usual: Answer = 204
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: web.Request) -> web.StreamResponse:
        if not request.path.startswith(urlsplit(self.url).path):
            return web.Response(status=410)  # for another webhook, that had this port before
        told = Told({name.lower(): value for name, value in request.headers.items()}, await request.read())
        self.all.append(told)
        self.changed.set()
        answer = self.answers.pop(0) if self.answers else self.usual
        if isinstance(answer, int):
            return web.Response(status=answer)
        return await answer(request)

    async def until(self, enough: Callable[[list[Told]], bool], within_s: float = 15.0) -> list[Told]:
        """Return what came, once it is enough."""
        async with asyncio.timeout(within_s):
            while not enough(self.all):
                self.changed.clear()
                await self.changed.wait()
        return self.all

    async def until_over(self, within_s: float = 15.0) -> list[Told]:
        """Return what came, once the last state was told."""
        return await self.until(lambda told: any(is_end(one.found) for one in told), within_s)


ENDS = ("TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "completed", "failed", "canceled")


def is_end(found: Any) -> bool:
    inner = found.get("statusUpdate") or found.get("task") or found
    return inner.get("status", {}).get("state") in ENDS


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncIterator[Receiver]:
    """Listen on a free port of this machine, or on a given one."""
    receiver = Receiver()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{tail:.*}", receiver.receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        host, bound = runner.addresses[0][:2]
        receiver.url = f"http://{host}:{bound}/{'hook' if port else secrets.token_hex(8)}"
        yield receiver
    finally:
        await runner.cleanup()
