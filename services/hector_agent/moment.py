"""What is written of a run in one moment, beside what happened; and where the run stands."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from hector.agent.v1 import RunEvent, RunState
from hector_store import NEVER, Dead, Effect, NewPush

from .view import INTERRUPTED, NAMES

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


def changes_of(
    state: "RunState.ValueType | None",
    view: bytes | None,
    strategy: tuple[str, int, bytes] | None,
    is_task: bool | None,
    also: Also,
) -> Mapping[str, Any]:
    """Return what changes in a run's row, by name: see `RunChanges`.

    Args:
        state: The run's state from now on; None: as before.
        view: What lists show of it from now on; None: as before.
        strategy: Name, version and data of its strategy's state; None: as before.
        is_task: Whether A2A knows it as a task from now on; None: as before.
        also: What is written in the same moment.
    """
    changes: dict[str, Any] = {}
    if state is not None:
        changes["state"] = NAMES[state]
        if state in INTERRUPTED:
            changes["worker"], changes["due_us"] = "", NEVER
    if view is not None:
        changes["view"] = view
    if is_task is not None:
        changes["is_task"] = is_task
    if strategy is not None:
        changes["strategy_name"], changes["strategy_version"], changes["strategy_state"] = strategy
    if also.until_us is not None:
        changes |= {"worker": "", "due_us": also.until_us, "wake_at_us": also.until_us % NEVER}
    return changes
