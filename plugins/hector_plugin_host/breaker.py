"""The circuit breaker of one method of one plugin: calls that would fail anyway are refused at once."""

from collections.abc import Callable
from enum import Enum

WINDOW_S = 30.0
"""How far back calls count."""
FEWEST = 20
"""Calls within the window below which nothing can be said."""
SHARE = 0.5
"""Of them, how many have to fail."""
OPEN_S = 5.0
"""How long it stays open the first time; twice as long after each trial that failed."""
LONGEST_S = 60.0
_SLOTS = 15
_SLOT_S = WINDOW_S / _SLOTS


class Circuit(Enum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    """One call may try."""


class Breaker:
    """Opens when half of at least twenty calls within half a minute have failed.

    What counts as failed is the error table's to say. While it is open nobody waits for the plugin; then one
    call is let through, and what becomes of it decides.
    """

    __slots__ = (
        *("_epoch", "_failed", "_on_change", "_open_s", "_slot", "_total", "_trying", "_until"),
        "circuit",
    )

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.circuit, self._on_change = Circuit.CLOSED, on_change
        self._epoch = 0
        """Grows with each change of the circuit, so that calls of before it do not count."""
        self._total, self._failed = [0] * _SLOTS, [0] * _SLOTS
        self._slot = 0
        """The number of the present slot, counted from the beginning of time."""
        self._until = 0.0
        self._open_s = OPEN_S
        self._trying = False

    def admit(self, now: float) -> int | None:
        """Return a ticket for a call, which `ended` takes back; None: it may not be made."""
        if self.circuit is Circuit.CLOSED:
            return self._epoch
        if self.circuit is Circuit.OPEN and now >= self._until:
            self._become(Circuit.HALF_OPEN)
        if self.circuit is Circuit.OPEN or self._trying:
            return None
        self._trying = True
        return self._epoch

    def ended(self, ticket: int, now: float, failed: bool | None) -> None:
        """Take note of how a call ended; None: it says nothing about the plugin, as when it was cancelled."""
        if ticket != self._epoch:
            return
        if self.circuit is Circuit.HALF_OPEN:
            self._trying = False
            if failed:
                self._open_s = min(LONGEST_S, self._open_s * 2)
                self._open(now)
            elif failed is not None:
                self.reset()
        elif failed is not None:
            self._count(now, failed)

    def reset(self) -> None:
        """Close it and forget everything, as for a new process."""
        self._become(Circuit.CLOSED)
        self._open_s = OPEN_S
        self._total, self._failed = [0] * _SLOTS, [0] * _SLOTS

    def retry_after_s(self, now: float) -> float:
        """Return when it makes sense to ask again."""
        return max(0.1, self._until - now) if self.circuit is Circuit.OPEN else 1.0

    def _count(self, now: float, failed: bool) -> None:
        slot = int(now / _SLOT_S)
        if slot != self._slot:
            for gone in range(max(self._slot + 1, slot - _SLOTS + 1), slot + 1):
                self._total[gone % _SLOTS] = self._failed[gone % _SLOTS] = 0
            self._slot = slot
        self._total[slot % _SLOTS] += 1
        if failed:
            self._failed[slot % _SLOTS] += 1
            total = sum(self._total)
            if total >= FEWEST and sum(self._failed) >= SHARE * total:
                self._open(now)

    def _open(self, now: float) -> None:
        self._become(Circuit.OPEN)
        self._until = now + self._open_s

    def _become(self, circuit: Circuit) -> None:
        changed = circuit is not self.circuit
        self.circuit, self._trying = circuit, False
        self._epoch += 1
        if changed:
            self._on_change()
