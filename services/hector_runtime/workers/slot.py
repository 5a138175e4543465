"""One worker's place in a server: the process that is it now, and those that were it before."""

import os
import signal
import time
from collections import deque
from dataclasses import dataclass, field

from .line import Line
from .member import Standing

LATELY_S = 60.0
"""Deaths of so long ago say nothing any more."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


@dataclass(slots=True)
class Child:
    """A process that is a worker."""

    name: str
    pid: int
    line: Line
    is_up: bool = False
    is_ready: bool = False

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)  # it is ours until it is waited for, so nobody else has the pid

    def status(self) -> int | None:
        """Return how the process ended, as `os.waitstatus_to_exitcode` has it; None if it has not."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None


@dataclass(slots=True)
class Slot:
    """The place of worker `number`."""

    number: int
    child: Child | None = None
    starts: int = 0
    was_up: bool = False
    """One of its processes has taken requests."""
    due: float | None = None
    """When it is to be started, on the monotonic clock; None: it runs, or is not wanted."""
    _deaths: deque[float] = field(default_factory=lambda: deque(maxlen=16))

    @property
    def standing(self) -> Standing:
        """How it is."""
        child = self.child
        pid, up = (child.pid, child.is_up) if child else (0, False)
        return Standing(self.number, pid, up, self.starts, not self.was_up)

    def died(self) -> float:
        """Return after how many seconds to start it again: at once, unless it keeps dying."""
        now = time.monotonic()
        self._deaths.append(now)
        lately = sum(1 for at in self._deaths if now - at < LATELY_S)
        pause_s = 0.0 if lately < 2 else min(FIRST_PAUSE_S * 2.0 ** (lately - 2), LONGEST_PAUSE_S)
        self.due = now + pause_s
        return pause_s


def ending(code: int) -> str:
    """Return in words how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
