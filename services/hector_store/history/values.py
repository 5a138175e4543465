"""What is found and done when history is made smaller."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hector_store.values import EventRow


class Old(NamedTuple):
    """A run that is over, and how long it has been."""

    run_id: str
    app: str
    owner: str
    agent: str
    context_id: str
    status_time: int
    next_seq: int
    idle_before: int = 0
    """It goes because nothing has happened in its session since; 0: for its own age."""


class Fold(NamedTuple):
    """An event that stands for itself and for those that are left out before it."""

    seq: int
    payload: bytes
    instead_of: tuple[int, ...]
    """Sequence numbers of the events that go."""


Folding = Callable[[Sequence[EventRow]], Sequence[Fold]]
"""Says which of a run's events, given in order and whole, can be made fewer without changing any view."""


@dataclass(slots=True)
class Pruned:
    """What a pass did, or would do: how many of what."""

    counts: Counter[str] = field(default_factory=Counter)
    looked_at: int = 0
    """Runs."""

    def add(self, what: str, number: int) -> None:
        """Count something; nothing is not mentioned."""
        if number:
            self.counts[what] += number
