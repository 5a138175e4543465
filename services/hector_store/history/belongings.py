"""Which rows are whose, as the tables' columns say it: what erasing and pruning must visit.

Every table is one of three: it hangs on runs by a foreign key and goes with them; it has an owner; or it is
nobody's. A test holds every table to that, so that a new one cannot be forgotten.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, delete

from hector_store import artifact_rows
from hector_store.schema import artifacts, metadata, runs

NOBODYS = frozenset(
    {"revisions", "documents", "writers", "workers", "receipts", "chores", "doomed_objects", "marks"}
    | {"plugin_values", "plugin_usage"}
)
"""Tables that hold nothing of a user's. What plugins keep is an app's: they choose the keys, and nobody else
knows whether one means a user."""


def of_runs() -> Sequence[Table]:
    """Return the tables whose rows go with their run."""
    return [table for table in metadata.sorted_tables if _hangs_on_runs(table)]


def of_owners() -> Sequence[Table]:
    """Return the tables, besides runs, whose rows belong to a user by themselves."""
    return [
        table
        for table in metadata.sorted_tables
        if table is not runs
        and table.name not in NOBODYS
        and not _hangs_on_runs(table)
        and "owner" in table.c
    ]


def unclaimed() -> Sequence[Table]:
    """Return the tables of which nothing says whose rows they hold: there must be none."""
    claimed = {runs, *of_runs(), *of_owners()}
    return [table for table in metadata.sorted_tables if table not in claimed and table.name not in NOBODYS]


def forget(connection: Connection, table: Table, app: str, owner: str, context_id: str | None = None) -> int:
    """Delete what a user has in a table, all of it or of one session, and return how many rows that were."""
    if table is artifacts:  # they have contents elsewhere
        return artifact_rows.forget(connection, app, owner, context_id)
    mine = [table.c.app == app, table.c.owner == owner]
    if context_id is not None:
        mine.append(table.c.context_id == context_id)
    return connection.execute(delete(table).where(*mine)).rowcount


def _hangs_on_runs(table: Table) -> bool:
    return any(key.column.table is runs for column in table.c for key in column.foreign_keys)
