"""Hints: something was committed that somebody may want to look at. Losing all of them only costs time.

So nothing is decided by a hint: whoever waits for one looks at the database all the same, now and then.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol, Self

DUE, SIGNAL, EVENTS, GONE = "due", "signal", "events", "gone"
"""A run can be claimed. A signal waits for some run's owner. Events of some run were committed. Runs were
erased that may be at work."""

DROPPED = "HECTOR_DROP_HINTS"
"""Set in the environment, it makes every hint be lost: for tests of what that costs."""


class Flag:
    """Raised by hints about its topic; leave it as a context, or close it."""

    def __init__(self, leave: Callable[["Flag"], None]) -> None:
        self._event, self._leave = asyncio.Event(), leave

    def raise_(self) -> None:
        """Note that there was a hint."""
        self._event.set()

    async def raised(self, within_s: float) -> bool:
        """Wait for a hint, for so long at most; hints since the last wait count. Lowers the flag."""
        try:
            async with asyncio.timeout(within_s):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True

    def close(self) -> None:
        """Hear no more."""
        self._leave(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Carrier(Protocol):
    """Takes hints to other processes, and brings theirs."""

    def tell(self, topic: str) -> None:
        """Send a topic soon; never blocks."""

    def listen(self) -> None:
        """Hear others from now on: see `Hints.heard`."""

    async def close(self) -> None:
        """Send what is left, within a bounded time."""


class Hints:
    """The hints of one database, within this process; a `Carrier` takes them to others and brings theirs.

    Belongs to the database's event loop.
    """

    def __init__(self) -> None:
        self._flags: dict[str, set[Flag]] = defaultdict(set)
        self._foreign: dict[str, set[Flag]] = defaultdict(set)
        self.are_dropped = bool(os.environ.get(DROPPED))
        """Whether every hint is lost."""
        self._carrier: Carrier | None = None

    def hint(self, topic: str) -> None:
        """Say that there is something new, after it was committed; costs next to nothing."""
        if not self.are_dropped:
            if topic in self._flags:
                _raise(self._flags[topic])
            if self._carrier is not None:
                self._carrier.tell(topic)

    def heard(self, topic: str) -> None:
        """Pass on what another process said."""
        if not self.are_dropped:
            _raise(self._flags.get(topic))
            _raise(self._foreign.get(topic))

    def missed(self) -> None:
        """Raise all flags: other processes were not heard for a while."""
        for topic in {*self._flags, *self._foreign}:
            self.heard(topic)

    def subscribe(self, topic: str, *, foreign: bool = False) -> Flag:
        """Return a flag that hints about a topic raise; `foreign`: only those of other processes."""
        flags = (self._foreign if foreign else self._flags)[topic]
        flag = Flag(flags.discard)
        flags.add(flag)
        if self._carrier is not None:
            self._carrier.listen()
        return flag

    def carry(self, carrier: Carrier | None) -> None:
        """Reach other processes by a carrier from now on, or by none."""
        self._carrier = carrier


def _raise(flags: set[Flag] | None) -> None:
    for flag in flags or ():
        flag.raise_()
