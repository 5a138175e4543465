"""Writes push notification configs in the transaction that writes what they are to tell of."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from .clock import now
from .errors import RunNotFound, TooManyPushConfigs
from .fitting import fit
from .push_values import NewPush
from .schema import NAME, URI, WORD, push_configs, runs

MOST_PER_RUN = 20
"""How many receivers a run may have."""

_RUN = select(runs.c.app, runs.c.owner, runs.c.agent, runs.c.next_seq, runs.c.worker).where(
    runs.c.id == bindparam("run_id")
)
_THIS = (push_configs.c.run_id == bindparam("of_run"), push_configs.c.id == bindparam("of_id"))
_EPOCH = select(push_configs.c.epoch).where(*_THIS)
_DELETE = delete(push_configs).where(*_THIS)
_COUNT = select(func.count()).where(push_configs.c.run_id == bindparam("of_run"))
_INSERT = insert(push_configs)


def fit_pushes(pushes: Sequence[NewPush]) -> int:
    """Check new configs and return the size of what they keep secret."""
    for push in pushes:
        fit("push config id", push.id, NAME, empty=False)
        fit("url", push.url, URI, empty=False)
        fit("dialect", push.dialect, WORD)
        fit("traceparent", push.traceparent, NAME)
    return sum(len(push.secret) for push in pushes)


def place(connection: Connection, run_id: str, pushes: Sequence[NewPush], worker: str | None = None) -> None:
    """Write configs of a run that begin with its last event; those of the same id are replaced.

    `worker` is to deliver for them; None: whoever works on the run.

    Raises:
        RunNotFound: There is no such run.
        TooManyPushConfigs: The run has as many as it may.
    """
    run = connection.execute(_RUN, {"run_id": run_id}).one_or_none()
    if run is None:
        raise RunNotFound(run_id)
    time_us = now(connection)
    for push in pushes:
        this = {"of_run": run_id, "of_id": push.id}
        epoch = connection.execute(_EPOCH, this).scalar()
        if epoch is not None:
            connection.execute(_DELETE, this)
        elif (connection.execute(_COUNT, {"of_run": run_id}).scalar() or 0) >= MOST_PER_RUN:
            raise TooManyPushConfigs(run_id, MOST_PER_RUN)
        start = run.next_seq - 1
        row = {
            "run_id": run_id,
            "id": push.id,
            "app": run.app,
            "owner": run.owner,
            "agent": run.agent,
            "url": push.url,
            "secret": push.secret,
            "dialect": push.dialect,
            "traceparent": push.traceparent,
            "state": "active",
            "start": start,
            "delivered": start - 1,
            "pledged": 0,
            "attempts": 0,
            "next_time": 0,
            "error": "",
            "created_time": time_us,
            "updated_time": time_us,
            "worker": run.worker if worker is None else worker,
            "lease_until": 0,
            # Never one that another config of this name had, though it was deleted.
            "epoch": (epoch or time_us) + 1,
        }
        connection.execute(_INSERT, row)
