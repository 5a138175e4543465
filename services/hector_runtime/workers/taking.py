"""Another config for all workers, or for none: each makes ready, and when all have, all go by it."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .line import Told
from .slot import Child

log = logging.getLogger(__name__)

TAKE_S = 90.0
"""How long workers may take to make ready: longer than each of them lets itself take."""


class Proposer(Protocol):
    """Knows configs."""

    def reread(self) -> object | None:
        """Return another config for all, as it is sent to them; None if there is none, as the log says."""

    def taken(self, proposal: object) -> None:
        """Begin workers with this config from now on."""


class Taking:
    """One proposal at a time."""

    def __init__(self, proposer: Proposer, children: Callable[[], Mapping[int, Child]]) -> None:
        self._proposer, self._children = proposer, children
        self._number = 0
        self._proposal: Any = None
        self._asked: set[int] = set()
        self._waiting: set[int] = set()
        self._again = False
        self.is_under_way = False
        """Workers make ready; nobody is started meanwhile, whose config nobody would know."""
        self.until = float("inf")
        """When it is given up, on the monotonic clock."""

    def begin(self) -> None:
        """Read the config, and ask everybody to make ready; while that is being done, do it again after."""
        if self.is_under_way:
            self._again = True
            return
        self._proposal = self._proposer.reread()
        if self._proposal is None:
            return
        self._number += 1
        self._asked = set(self._children())
        self._waiting = set(self._asked)
        self.is_under_way, self.until = True, time.monotonic() + TAKE_S
        self._tell("take", self._number, self._proposal)
        self._go_on()

    def heard(self, worker: int, told: Told) -> None:
        """Take what a worker says of a proposal."""
        word, number, *problems = told
        if not self.is_under_way or number != self._number:
            return
        if word == "prepared":
            self._waiting.discard(worker)
            self._go_on()
            return
        for problem in problems[0]:
            facts = {"problem": problem, "worker_number": worker}
            log.error("config refused by a worker, nothing was changed in any", extra=facts)
        self._drop()

    def lost(self, worker: int) -> None:
        """Go on without a worker that died; the next one begins with what is in effect then."""
        if self.is_under_way:
            self._asked.discard(worker)
            self._waiting.discard(worker)
            self._go_on()

    def be_on_time(self) -> None:
        """Give up what takes too long."""
        if self.is_under_way and time.monotonic() >= self.until:
            workers = ", ".join(map(str, sorted(self._waiting)))
            facts = {"problem": f"not ready within {TAKE_S:g} s", "workers": workers}
            log.error("config refused, nothing was changed in any worker", extra=facts)
            self._drop()

    def _go_on(self) -> None:
        if not self._waiting:
            self._tell("commit", self._number)
            self._proposer.taken(self._proposal)
            self._end()

    def _drop(self) -> None:
        self._tell("drop", self._number)
        self._end()

    def _end(self) -> None:
        self.is_under_way, self.until, self._proposal = False, float("inf"), None
        if self._again:
            self._again = False
            self.begin()

    def _tell(self, *told: object) -> None:
        for number, child in self._children().items():
            if number in self._asked:
                child.line.say(*told)
