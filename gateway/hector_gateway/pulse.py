"""One clock for all streams: each is looked after now and then, and needs no timer or task of its own."""

import asyncio
from typing import Protocol

TICK_S = 0.25
"""How exact it is."""


class Patient(Protocol):
    """What is looked after."""

    due: int
    """When, in ticks of the clock; the clock's own."""

    def looked_after(self, now: float) -> float | None:
        """Do what is due, without waiting, and return after how many seconds to come again; None: never."""


class Pulse:
    """Looks after streams. It ticks while there are any."""

    def __init__(self) -> None:
        self._due: dict[int, set[Patient]] = {}
        self._ticking: asyncio.TimerHandle | None = None
        self._last = 0

    def begin(self, patient: Patient, after_s: float) -> None:
        """Look after a stream in so many seconds."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._ticking is None:
            self._last = int(now / TICK_S)
            self._ticking = loop.call_later(TICK_S, self._tick, loop)
        self._put(patient, now, after_s)

    def end(self, patient: Patient) -> None:
        """Look after it no more; it may have been the last time anyway."""
        waiting = self._due.get(patient.due)
        if waiting is not None:
            waiting.discard(patient)
            if not waiting:
                del self._due[patient.due]

    def _put(self, patient: Patient, now: float, after_s: float) -> None:
        patient.due = max(self._last + 1, int((now + after_s) / TICK_S) + 1)
        self._due.setdefault(patient.due, set()).add(patient)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self._ticking = loop.call_later(TICK_S, self._tick, loop)
        first, self._last = self._last + 1, int(now / TICK_S)
        for tick in range(first, self._last + 1):
            for patient in self._due.pop(tick, ()):
                again_s = patient.looked_after(now)
                if again_s is not None:
                    self._put(patient, now, again_s)
        if not self._due:
            self._ticking.cancel()
            self._ticking = None
