"""Which receiver is told next: one notification of a config at a time, and nobody waits for somebody else's.

Receivers take turns by origin, so that one with a thousand tasks does not go before another with one. What
failed before may take half of the places: receivers that are down must not hold up those that are not.
"""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from hector_store import PendingPush, PushKey


@dataclass(slots=True, eq=False)
class Lane:
    """One config, as far as this process delivers for it."""

    key: PushKey
    origin: str
    state: Literal["idle", "ready", "busy", "waiting"] = "idle"
    """Idle: until its run goes on. Waiting: until its next attempt."""
    again: bool = False
    """Its run went on while it was busy."""
    is_failing: bool = False
    """The last attempt failed."""
    successor: PendingPush | None = None
    """What it was replaced by while it was busy."""
    since: float = 0.0
    """When it began to have something to deliver, by time.monotonic(); 0: it has nothing."""
    timer: asyncio.TimerHandle | None = None

    @property
    def newest(self) -> int:
        """The latest epoch that is known of its config."""
        return (self.successor or self).key.epoch

    def stop_timer(self) -> None:
        """Wait no longer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Lanes:
    """Those that are ready, and how many of whom are busy."""

    def __init__(self, most: int) -> None:
        self.resize(most)
        self._ready: dict[str, deque[Lane]] = {}
        self._busy: Counter[str] = Counter()
        self._busy_failing: set[Lane] = set()

    def resize(self, most: int) -> None:
        """Let so many be busy at once."""
        self._most = most
        self._most_each = max(1, most // 8)
        self._most_failing = max(1, most // 2)

    def add(self, lane: Lane) -> None:
        """Let a lane have its turn."""
        lane.state = "ready"
        self._ready.setdefault(lane.origin, deque()).append(lane)

    def take(self) -> Lane | None:
        """Return the next lane, busy now; None when there is none, or no place."""
        if self._busy.total() >= self._most:
            return None
        for origin, lanes in self._ready.items():
            if self._busy[origin] >= self._most_each:
                continue
            lane = self._fitting(lanes)
            if lane is None:
                continue
            del self._ready[origin]
            if lanes:
                self._ready[origin] = lanes  # at the end of the line
            lane.state = "busy"
            self._busy[origin] += 1
            if lane.is_failing:
                self._busy_failing.add(lane)
            return lane
        return None

    def done(self, lane: Lane) -> None:
        """Give back the place of a lane that was busy."""
        lane.state = "idle"
        self._busy[lane.origin] -= 1
        if not self._busy[lane.origin]:
            del self._busy[lane.origin]
        self._busy_failing.discard(lane)

    def are_waited_for(self) -> bool:
        """Say whether somebody is ready."""
        return bool(self._ready)

    def _fitting(self, lanes: deque[Lane]) -> Lane | None:
        if len(self._busy_failing) < self._most_failing:
            return lanes.popleft()
        for lane in lanes:
            if not lane.is_failing:
                lanes.remove(lane)
                return lane
        return None


def origin_of(url: str) -> str:
    """Return whom a URL belongs to."""
    return urlsplit(url).netloc.lower()
