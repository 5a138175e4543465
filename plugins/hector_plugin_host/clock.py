"""Time, as supervision sees it: tests bring their own."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """Let it not happen."""


class Clock(Protocol):
    """Seconds that only grow."""

    def now(self) -> float:
        """Return the seconds since some moment in the past."""

    async def sleep(self, delay_s: float) -> None:
        """Let so much time pass."""

    def call_later(self, delay_s: float, function: Callable[[], object]) -> Timer:
        """Call a function when so much time has passed."""

    def timeout(self, limit_s: float) -> asyncio.Timeout:
        """Raise TimeoutError in the block if it takes longer; use it as `asyncio.timeout`."""


class RunningClock:
    """The machine's own, which also counts deadlines of calls (`time.monotonic`)."""

    now = staticmethod(time.monotonic)

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    def call_later(self, delay_s: float, function: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(delay_s, function)

    def timeout(self, limit_s: float) -> asyncio.Timeout:
        return asyncio.timeout(limit_s)
