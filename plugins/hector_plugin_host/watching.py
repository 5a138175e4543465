"""Watches a process that is ready: whether it says that it serves, and whether it gives any sign of life."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc.aio
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector_mesh import streaming
from hector_mesh.health_contract import SERVING, HealthCheckRequest, HealthStub

from .clock import Clock

SERVICE = "plugin"
"""What go-plugin's hosts ask for."""
EVERY_S = 5.0
ANSWER_S = 5.0
"""How long a sign of life may take."""
MISSES = 3
"""How many may stay out in a row. They take 20 s at most: a stopped process is replaced within 30 s."""
AGAIN_S = 5.0

_GONE = frozenset({StatusCode.DEADLINE_EXCEEDED, StatusCode.UNAVAILABLE, StatusCode.CANCELLED})

Metadata = tuple[tuple[str, str], ...]


class Watching:
    """One process's."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        metadata: Metadata,
        clock: Clock,
        *,
        busy: Callable[[], bool],
        serving: Callable[[bool], None],
    ) -> None:
        """Prepare.

        Args:
            channel: To the process.
            metadata: What calls of it carry.
            clock: Tells the time.
            busy: Whether it has answered anything since this was asked last: then it lives.
            serving: Told whenever it says that it serves, or no more.
        """
        self._health = HealthStub(channel)
        self._metadata, self._clock = metadata, clock
        self._busy, self._serving = busy, serving

    async def until_silent(self) -> None:
        """Return when it has given no sign of life for too long."""
        missed = 0
        while missed < MISSES:
            if not missed:
                await self._clock.sleep(EVERY_S)
            if self._busy():
                missed = 0
                continue
            asked_at = self._clock.now()
            if await self._lives():
                missed = 0
                continue
            missed += 1
            # A connection that is refused is so at once, and may be there again a moment later.
            await self._clock.sleep(asked_at + ANSWER_S - self._clock.now())

    async def listen(self) -> None:
        """Hear whether it serves, as long as it says so; returns if it cannot."""
        request = HealthCheckRequest(service=SERVICE)
        while True:
            try:
                watch: Any = self._health.Watch(request, metadata=self._metadata)
                async with streaming(watch):
                    async for answer in watch:
                        self._serving(answer.status == SERVING)
            except AioRpcError as error:
                if error.code() not in _GONE:
                    return  # it has no Watch: what it serves it serves until it is gone
            await self._clock.sleep(AGAIN_S)

    async def _lives(self) -> bool:
        """Say whether it answers anything at all."""
        request = HealthCheckRequest(service=SERVICE)
        asking = self._health.Check(request, metadata=self._metadata, timeout=ANSWER_S)
        try:
            async with self._clock.timeout(ANSWER_S):
                await asking
        except TimeoutError:
            asking.cancel()
            return False
        except AioRpcError as error:
            return error.code() not in _GONE
        return True


async def serves(channel: grpc.aio.Channel, metadata: Metadata, service: str, timeout_s: float) -> bool:
    """Say whether a process serves a service; one that does not know, or has no health, does.

    Raises:
        AioRpcError: It gave no answer.
    """
    request = HealthCheckRequest(service=service)
    try:
        answer = await HealthStub(channel).Check(request, metadata=metadata, timeout=timeout_s)
    except AioRpcError as error:
        if error.code() in (StatusCode.NOT_FOUND, StatusCode.UNIMPLEMENTED):
            return True
        raise
    return answer.status == SERVING


async def sleep_or(clock: Clock, delay_s: float, *events: asyncio.Event) -> None:
    """Let time pass, until something happens."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    sleeping = asyncio.ensure_future(clock.sleep(delay_s))
    try:
        await asyncio.wait((sleeping, *waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in (sleeping, *waiting):
            one.cancel()
        await asyncio.gather(sleeping, *waiting, return_exceptions=True)
