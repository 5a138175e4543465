"""When a plugin that crashed is started again: soon, later, or after a long pause for a single try."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .plan import Restart

Draw = Callable[[float, float], float]
"""As random.uniform."""


@dataclass(frozen=True, slots=True)
class Next:
    """What follows a crash."""

    delay_s: float
    """How long to wait before the next start."""
    quarantined: bool = False
    """It crashes again and again: what comes after the delay is a single try, for which nobody waits."""


class Restarts:
    """Counts one process's crashes.

    The wait is drawn from nothing up to a bound that doubles with each crash (full jitter), so that many
    plugins of one host do not start at once. Crashes are forgotten once it has run well for a while.
    """

    def __init__(self, restart: Restart, draw: Draw = random.uniform, *, quarantine: bool = True) -> None:
        """Begin with no crash.

        Args:
            restart: How often, and how long.
            draw: Returns a number between two others.
            quarantine: Whether too many crashes end the attempts; not for a process that is not ours.
        """
        self._restart, self._draw, self._quarantine = restart, draw, quarantine
        self._crashes: deque[float] = deque()
        self._in_a_row = 0
        self._on_trial = False
        self.total = 0
        """Crashes of its whole life."""

    def crashed(self, now: float, *, well_s: float) -> Next:
        """Take note of a crash.

        Args:
            now: When.
            well_s: How long it had been ready; 0 if it never was.
        """
        restart = self._restart
        if well_s >= restart.cap_s:
            self.forget()
        self.total += 1
        self._crashes.append(now)
        while self._crashes[0] <= now - restart.window_s:
            self._crashes.popleft()
        if self._quarantine and (self._on_trial or len(self._crashes) >= restart.most):
            self._on_trial = True
            return Next(restart.probe_s, quarantined=True)
        bound_s = min(restart.cap_s, restart.backoff_s * 2.0 ** min(self._in_a_row, 64))
        self._in_a_row += 1
        return Next(self._draw(0.0, bound_s))

    def forget(self) -> None:
        """Begin anew, as after somebody has mended it."""
        self._crashes.clear()
        self._in_a_row = 0
        self._on_trial = False
