"""How much is measured, and where."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """A whole bench takes some ten minutes, a quick one one or two, and says less."""

    folder: Path
    """Databases are made here."""
    rounds: int = 3
    seconds: float = 4.0
    warm_up_s: float = 0.5
    starts: int = 7
    clients: tuple[int, ...] = (1, 8, 32, 128, 256)
    answers: tuple[int, int] = (5_000, 50_000)
    """After so many answers memory is looked at."""
    only: tuple[str, ...] = ()
    """What the part a2a is to measure of what it can; empty: everything."""
    stores: tuple[str, ...] = ()
    bindings: tuple[str, ...] = ()
    peer: bool = True
    """Measure a2a-sdk's server beside it."""
    profile: bool = False

    @property
    def long(self) -> tuple[str, ...]:
        """How long a round takes, in load.py's words."""
        return ("--seconds", str(self.seconds), "--warm-up", str(self.warm_up_s))
