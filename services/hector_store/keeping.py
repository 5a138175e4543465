"""Writes what is kept beside the log in the transaction that writes the log, and looks at contexts there."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, false, literal, select

from .artifact_rows import fit_artifacts, insert_artifacts
from .compiled import Rows
from .errors import ContextBusy, ContextExists, ContextNotFound
from .kept import Kept, NewArtifact
from .schema import runs
from .states import Origin, StateRows, fit_states
from .values import TERMINAL_STATES, NewRun

WAITING_STATES = ("RUN_STATE_INPUT_REQUIRED", "RUN_STATE_AUTH_REQUIRED", "RUN_STATE_WAITING")
"""A run in one of these holds up no other of its context."""

_OF_CONTEXT = (
    runs.c.app == bindparam("app"),
    runs.c.owner == bindparam("owner"),
    runs.c.context_id == bindparam("context_id"),
)
_KEY = ("app", "owner", "context_id")
_ANY = Rows(select(literal(1)).where(*_OF_CONTEXT).limit(1), _KEY)
_AT_WORK = Rows(
    select(runs.c.id)
    .where(*_OF_CONTEXT, runs.c.finished == false())
    .where(runs.c.state.not_in([literal(state) for state in WAITING_STATES]))
    .limit(1),
    _KEY,
)


class Keeper:
    """Collects what many runs keep, and writes it at the end of their transaction."""

    __slots__ = ("_artifacts", "_states", "_time_us")

    def __init__(self) -> None:
        self._states: StateRows | None = None
        self._artifacts: list[tuple[str, NewArtifact]] = []
        self._time_us = 0

    def add(self, app: str, run_id: str, first_seq: int, kept: Kept, time_us: int) -> None:
        """Take what a run keeps with events that are numbered from `first_seq` on."""
        if kept.states:
            self._states = self._states or StateRows()
            for change in kept.states:
                self._states.add(app, change, Origin(time_us, run_id, first_seq + change.event))
        self._artifacts += [(app, artifact._replace(run_id=run_id)) for artifact in kept.artifacts]
        self._time_us = time_us

    def write(self, connection: Connection) -> None:
        """Write what was taken."""
        if self._states is not None:
            self._states.write(connection)
        if self._artifacts:
            insert_artifacts(connection, self._artifacts, self._time_us)


def fit_kept(kept: Kept) -> int:
    """Check what is to be kept, and return its size."""
    return fit_states(kept.states) + fit_artifacts(kept.artifacts)


def check_context(
    connection: Connection, run: NewRun, together: Sequence[tuple[str, NewRun]]
) -> Exception | None:
    """Return what is wrong with the context of a new run; None where it is as the run's rule says.

    Args:
        connection: In the transaction that is to write it.
        run: The new run.
        together: Those that are written before it in the same step, with their ids.
    """
    key = (run.app, run.owner, run.context_id)
    beside = [(one_id, one) for one_id, one in together if (one.app, one.owner, one.context_id) == key]
    if run.context_rule == "idle":
        begun = [(run_id,) for run_id, one in beside if one.state not in TERMINAL_STATES]
        at_work = begun[0] if begun else _AT_WORK.one(connection, *key)
        return None if at_work is None else ContextBusy(run.context_id, str(at_work[0]))
    is_there = bool(beside) or _ANY.one(connection, *key) is not None
    if run.context_rule == "new":
        return ContextExists(run.context_id) if is_there else None
    return None if is_there else ContextNotFound(run.context_id)
