"""Who writes to a server's database, and how far each has got: so that no batch is lost or written twice."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from .clock import database_time, now
from .schema import writers

FORGOTTEN_US = 7 * 86_400_000_000
"""How long after its last batch a writer that did not say goodbye is remembered."""


@dataclass(frozen=True, slots=True)
class Writer:
    """A process that writes."""

    id: str
    host: str
    pid: int


_THIS = writers.c.id == bindparam("writer")
_MARK = update(writers).where(_THIS).values(batch=bindparam("number"), time=database_time())
_BATCH = select(writers.c.batch).where(_THIS).with_for_update()


def enter(connection: Connection, me: Writer) -> None:
    """Say that a writer is there."""
    with connection.begin():
        time_us = now(connection)
        connection.execute(delete(writers).where(writers.c.time < time_us - FORGOTTEN_US))
        connection.execute(delete(writers).where(_THIS), {"writer": me.id})
        row = {"id": me.id, "host": me.host, "pid": me.pid, "claim": 0, "batch": 0, "time": time_us}
        connection.execute(insert(writers), row)


def mark(connection: Connection, writer: str, batch: int) -> None:
    """Note, in the transaction that writes it, that a batch is written."""
    done = connection.execute(_MARK, {"writer": writer, "number": batch})
    if not done.rowcount:  # forgotten after a long time without a batch
        row = {"id": writer, "host": "", "pid": 0, "claim": 0, "batch": batch, "time": now(connection)}
        connection.execute(insert(writers), row)


def is_there(connection: Connection, writer: str, batch: int) -> bool:
    """Return whether a batch was committed; waits for a transaction that may still be about to."""
    with connection.begin():
        return connection.execute(_BATCH, {"writer": writer}).scalar() == batch


def leave(connection: Connection, writer: str) -> None:
    """Say that a writer is gone."""
    with connection.begin():
        connection.execute(delete(writers).where(_THIS), {"writer": writer})
