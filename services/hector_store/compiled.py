"""Statements compiled once: without what SQLAlchemy does for each row that we do not need.

SQLAlchemy writes the SQL, in the dialect of the connection; the driver gets and returns the values as they
are. So this is only for values that no driver needs converted: text, integers, booleans, bytes.
"""

import sqlite3
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    Select,
    Update,
    bindparam,
)
from sqlalchemy.exc import DBAPIError

Values = tuple[object, ...]

_MOST_IDS = 512  # in one statement; SQLite takes 32,766 parameters, others fewer


class ManyRows:
    """A statement that is executed for many rows, each a tuple of the values of `names`."""

    def __init__(self, statement: Insert | Update, names: Sequence[str]) -> None:
        self._statement, self._names = statement, tuple(names)
        self._compiled: dict[str, tuple[str, Callable[[Values], Values] | None]] = {}

    def execute(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Execute for each row, in order."""
        sql, reorder = self._for(connection.dialect)
        _execute(connection, sql, list(map(reorder, rows)) if reorder else rows, many=True)

    def _for(self, dialect: Dialect) -> tuple[str, Callable[[Values], Values] | None]:
        found = self._compiled.get(dialect.name)
        if found is None:
            sql, names = _compile(self._statement, dialect)
            places = [self._names.index(name) for name in names]
            reorder = None if places == list(range(len(self._names))) else itemgetter(*places)
            found = self._compiled[dialect.name] = sql, reorder
        return found


class OneRow:
    """A SELECT that finds one row at most, by the values of `names`."""

    def __init__(self, statement: Select[Any], names: Sequence[str] = ()) -> None:
        self._statement, self._names = statement, tuple(names)
        self._compiled: dict[str, tuple[str, list[int]]] = {}

    def row(self, connection: Connection, *values: object) -> Sequence[Any] | None:
        """Return the row; None when there is none."""
        found = self._compiled.get(connection.dialect.name)
        if found is None:
            sql, names = _compile(self._statement, connection.dialect)
            found = self._compiled[connection.dialect.name] = sql, [self._names.index(name) for name in names]
        sql, places = found
        rows: list[Sequence[Any]] = _execute(
            connection, sql, tuple([values[place] for place in places])
        ).fetchall()
        return rows[0] if rows else None


class ByIds:
    """A SELECT of the rows whose id is one of many."""

    def __init__(self, statement: Select[Any], column: ColumnElement[str]) -> None:
        self._statement, self._column = statement, column
        self._compiled: dict[tuple[str, int], str] = {}

    def rows(self, connection: Connection, ids: Sequence[str]) -> list[Sequence[Any]]:
        """Return the rows; a statement takes 512 ids at most, and each orders its own."""
        rows: list[Sequence[Any]] = []
        for start in range(0, len(ids), _MOST_IDS):
            some = ids[start : start + _MOST_IDS]
            size = 1 << (len(some) - 1).bit_length()  # few different statements, filled up with the last id
            padding = (some[-1],) * (size - len(some))
            rows += _execute(connection, self._for(connection.dialect, size), (*some, *padding)).fetchall()
        return rows

    def _for(self, dialect: Dialect, size: int) -> str:
        found = self._compiled.get((dialect.name, size))
        if found is None:
            ids: list[BindParameter[str]] = [bindparam(f"id_{number}") for number in range(size)]
            found, _ = _compile(self._statement.where(self._column.in_(ids)), dialect)
            self._compiled[dialect.name, size] = found
        return found


def _compile(statement: Insert | Update | Select[Any], dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    compiled: Any = statement.compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup or ())


def _execute(connection: Connection, sql: str, values: Any, *, many: bool = False) -> Any:
    """Execute on the connection's transaction; returns what rows can be fetched from.

    sqlite3 is asked directly: what SQLAlchemy does around a statement costs several times what SQLite does.
    """
    if connection.dialect.name != "sqlite":
        return connection.exec_driver_sql(sql, values)
    driver: Any = connection.connection.driver_connection
    try:
        return driver.executemany(sql, values) if many else driver.execute(sql, values)
    except sqlite3.Error as error:
        wrapped = DBAPIError.instance(sql, None, error, sqlite3.Error, dialect=connection.dialect)
        raise wrapped from error
