"""A clock that stands still until a test moves it."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any


class FakeTimer:
    def __init__(self, function: Callable[[], object]) -> None:
        self.function: Callable[[], object] | None = function

    def cancel(self) -> None:
        self.function = None


class FakeTimeout(asyncio.Timeout):  # final for type checkers only
    def __init__(self, clock: "FakeClock", limit_s: float) -> None:
        super().__init__(None)
        self._clock, self._limit_s = clock, limit_s

    async def __aenter__(self) -> asyncio.Timeout:
        self._timer = self._clock.call_later(self._limit_s, self._over)
        return await super().__aenter__()

    async def __aexit__(self, *failure: Any) -> bool | None:
        self._timer.cancel()
        return await super().__aexit__(*failure)

    def _over(self) -> None:
        self.reschedule(asyncio.get_running_loop().time())


class FakeClock:
    """As `hector_plugin_host.clock.Clock`."""

    def __init__(self, patience_s: float = 0.0) -> None:
        """Begin.

        Args:
            patience_s: How long real sockets get, whenever something was due, to come along.
        """
        self._now, self._patience_s = 1_000.0, patience_s
        self._due: list[tuple[float, int, FakeTimer]] = []
        self._numbers = count()

    def now(self) -> float:
        return self._now

    async def sleep(self, delay_s: float) -> None:
        over = asyncio.get_running_loop().create_future()
        timer = self.call_later(delay_s, lambda: over.done() or over.set_result(None))
        try:
            await over
        finally:
            timer.cancel()

    def call_later(self, delay_s: float, function: Callable[[], object]) -> FakeTimer:
        timer = FakeTimer(function)
        heapq.heappush(self._due, (self._now + max(0.0, delay_s), next(self._numbers), timer))
        return timer

    def timeout(self, limit_s: float) -> asyncio.Timeout:
        return FakeTimeout(self, limit_s)

    async def advance(self, by_s: float) -> None:
        """Move on; what is due on the way happens in its order, and has a moment to lead to something."""
        until = self._now + by_s
        await settle(self._patience_s)
        while self._due and self._due[0][0] <= until:
            at, _, timer = heapq.heappop(self._due)
            self._now = max(self._now, at)
            if timer.function is not None:
                timer.function()
                await settle(self._patience_s)
        self._now = until
        await settle(self._patience_s)

    @property
    def next_s(self) -> float | None:
        """How long until something is due."""
        live = [at for at, _, timer in self._due if timer.function is not None]
        return min(live) - self._now if live else None


async def settle(patience_s: float = 0.0) -> None:
    """Let tasks go on that need no more than that."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience_s
    for _ in range(30):
        await asyncio.sleep(0)
    while loop.time() < until:  # noqa: ASYNC110  what sockets do has no event
        await asyncio.sleep(0.001)
