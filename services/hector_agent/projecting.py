"""What a run's row should say of its events: for whoever checks that it does."""

from collections.abc import Sequence

import hector_a2a as a2a
from hector.agent.v1 import RunState
from hector_store import EventRow, RunRow

from .ledger import events_of
from .view import fold, listed, new_task
from .view import state_of as last_state


def projected(row: RunRow, rows: Sequence[EventRow]) -> tuple[str, bytes]:
    """Return the state that a run's events leave it in, and what lists show of it.

    Empty for what they do not tell, or what may be left out. A kept view that means the same is returned as
    it is kept: earlier versions wrote it otherwise.
    """
    events = events_of(rows)
    state = last_state(events)
    view = listed(fold(new_task(row.id, row.context_id), events))
    if row.view and view and _meaning(row.view) == _meaning(view):
        view = row.view
    return "" if state is None else RunState.Name(state), view


def _meaning(view: bytes) -> "a2a.Task":
    kept = a2a.Task.FromString(view)
    return a2a.Task.FromString(listed(kept) or view)
