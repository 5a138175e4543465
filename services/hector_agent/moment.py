"""What is written of a run in one moment, beside what happened; and where the run stands."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from hector.agent.v1 import RunEvent
from hector_store import Dead, Effect, NewPush

IN_DOUBT = "STORAGE_IN_DOUBT"  # the one failure after which a write may be there all the same

Late = Callable[[], tuple[Sequence[RunEvent], bool]]
"""Events that are settled only when it is their turn to be written, and whether open text ends there."""


class Also(NamedTuple):
    """What is written in the same moment as events."""

    pushes: Sequence[NewPush] = ()
    """Who is to be told of what follows, too."""
    effects: Sequence[Effect] = ()
    """What is done in the world, before it is done and after."""
    consume: Collection[int] = ()
    """Signals that the events answer, by number."""
    until_us: int | None = None
    """Nobody has the run from now on, until then."""
    dead: Dead | None = None
    """Nobody tries the run again, which is over with this."""


NOTHING_ELSE = Also()


class Place(NamedTuple):
    """Whose run it is, and where it stands."""

    run: str
    app: str
    owner: str
    agent: str
    context: str
    position: int
    epoch: int
