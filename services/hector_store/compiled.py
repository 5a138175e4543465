"""Statements compiled once: without what SQLAlchemy does for each row that we do not need.

SQLAlchemy writes the SQL, in the dialect of the connection; the driver gets and returns the values as they
are. So this is only for values that no driver needs converted: text, integers, booleans, bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Delete,
    Dialect,
    Insert,
    Select,
    Update,
    bindparam,
)

_MOST_IDS = 512  # in one statement; SQLite takes 32,766 parameters, others fewer


class ManyRows:
    """A statement that is executed for many rows."""

    def __init__(self, statement: Insert | Update | Delete) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...]]] = {}

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Execute for each row, in order."""
        sql, names = self._for(connection.dialect)
        connection.exec_driver_sql(sql, [tuple([row[name] for name in names]) for row in rows])

    def _for(self, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compile(self._statement, dialect)
        return found


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
            rows += connection.exec_driver_sql(self._for(connection.dialect, size), (*some, *padding)).all()
        return rows

    def _for(self, dialect: Dialect, size: int) -> str:
        found = self._compiled.get((dialect.name, size))
        if found is None:
            ids: list[BindParameter[str]] = [bindparam(f"id_{number}") for number in range(size)]
            found, _ = _compile(self._statement.where(self._column.in_(ids)), dialect)
            self._compiled[dialect.name, size] = found
        return found


def _compile(
    statement: Insert | Update | Delete | Select[Any], dialect: Dialect
) -> tuple[str, tuple[str, ...]]:
    compiled: Any = statement.compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup)
