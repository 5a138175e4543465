"""A transaction of SQLite's writer, begun on the driver: SQLAlchemy takes part in it."""

import sqlite3
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from hector_store.sqlite import Transaction, writer_engine
from hector_store.url import Place, parse


@pytest.fixture
def connection() -> Iterator[Connection]:
    place = parse("inmemory")
    assert isinstance(place, Place)
    with writer_engine(place, 1).connect() as connection:
        with Transaction(connection):
            connection.exec_driver_sql("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
            connection.exec_driver_sql(
                "CREATE TABLE children (of INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)"
            )
        yield connection


def insert(connection: Connection) -> None:
    driver = connection.connection.dbapi_connection
    assert driver is not None
    driver.execute("INSERT INTO parents VALUES (1)")  # type: ignore[attr-defined]
    connection.exec_driver_sql("INSERT INTO parents VALUES (2)")


def parents(connection: Connection) -> list[int]:
    with Transaction(connection):
        return list(connection.exec_driver_sql("SELECT id FROM parents ORDER BY id").scalars())


def test_what_goes_through_sqlalchemy_and_past_it_is_committed_together(connection: Connection) -> None:
    with Transaction(connection):
        insert(connection)
    assert not connection.in_transaction()
    assert parents(connection) == [1, 2]


def test_what_goes_through_sqlalchemy_and_past_it_is_undone_together(connection: Connection) -> None:
    transaction = Transaction(connection)
    transaction.__enter__()
    insert(connection)
    transaction.__exit__(ZeroDivisionError)
    assert not connection.in_transaction()
    assert parents(connection) == []


def test_a_commit_that_fails_leaves_nothing_behind(connection: Connection) -> None:
    transaction = Transaction(connection)
    transaction.__enter__()
    insert(connection)
    connection.exec_driver_sql("INSERT INTO children VALUES (9)")
    with pytest.raises(sqlite3.IntegrityError):
        transaction.__exit__(None)
    assert not connection.in_transaction()
    assert parents(connection) == []
