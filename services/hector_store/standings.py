"""How runs stand that others work on: how far their logs are, and where their workers can be reached."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from .compiled import ByIds
from .schema import runs, workers
from .values import TERMINAL_STATES


class Standing(NamedTuple):
    """What changes of a run while somebody works on it."""

    run_id: str
    app: str
    owner: str
    state: str
    next_seq: int
    epoch: int
    worker: str
    """Who works on it; "" is nobody."""
    target: str
    """Where others reach the worker; "" where they cannot, or it is gone."""
    host: str
    """The machine that the worker is on."""

    @property
    def finished(self) -> bool:
        """Whether its state is a terminal one."""
        return self.state in TERMINAL_STATES


_STANDINGS = ByIds(
    select(
        *(runs.c.id, runs.c.app, runs.c.owner, runs.c.state, runs.c.next_seq, runs.c.epoch, runs.c.worker),
        func.coalesce(workers.c.target, ""),
        func.coalesce(workers.c.host, ""),
    ).join_from(runs, workers, workers.c.id == runs.c.worker, isouter=True),
    runs.c.id,
)


def standings(connection: Connection, run_ids: Sequence[str]) -> Mapping[str, Standing]:
    """Return how runs stand, by id; those that are not there are left out."""
    return {row[0]: Standing(*row) for row in _STANDINGS.rows(connection, run_ids)}
