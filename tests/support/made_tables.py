"""Makes a new SQLite database's tables as the migrations of this version made them the first time."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection

Migrate = Callable[[Connection, str], None]


class Recorded(NamedTuple):
    """What migrations leave in a database that held nothing."""

    tables: tuple[str, ...]
    """Statements that make the tables, and then their indexes."""
    version: str


@pytest.fixture(scope="session", autouse=True)
def made_tables() -> Iterator[None]:
    """Run migrations on SQLite once for all of this worker's tests, and then repeat what they left.

    Running them takes eight times as long, and hundreds of tests begin with a new database. Nothing is
    shared but statements: each test has a file of its own. Databases that hold anything are really migrated,
    and so are those of processes that a test starts.
    """
    from hector_store import sqlite_backend

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sqlite_backend, "migrate", repeating(sqlite_backend.migrate))
        yield


def repeating(migrate: Migrate) -> Migrate:
    recorded: list[Recorded] = []

    def repeat(connection: Connection, database: str) -> None:
        if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar():
            migrate(connection, database)
        elif recorded:
            driver: Any = connection.connection.driver_connection
            for statement in recorded[0].tables:
                driver.execute(statement)
            driver.execute("INSERT INTO hector_schema VALUES (?)", (recorded[0].version,))
        else:
            migrate(connection, database)
            recorded.append(_record(connection))

    return repeat


def _record(connection: Connection) -> Recorded:
    # SQLite's own are called sqlite_, and it makes them by itself.
    found = "SELECT sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_*' ORDER BY type DESC, rowid"
    tables = tuple(connection.exec_driver_sql(found).scalars())
    return Recorded(tables, str(connection.exec_driver_sql("SELECT version_num FROM hector_schema").scalar()))
