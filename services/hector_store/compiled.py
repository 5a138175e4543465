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
    CompoundSelect,
    Connection,
    Dialect,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    column,
    insert,
    table,
)
from sqlalchemy.exc import DBAPIError

Values = tuple[object, ...]

ANY_NUMBER = 2**62
"""A limit that limits nothing: so that a statement with a limit is the only one."""

_MOST_IDS = 512  # in one statement; SQLite takes 32,766 parameters, others fewer


def insert_of(of: Table, names: Sequence[str]) -> Insert:
    """Return what inserts rows whose values come in the order of `names`; what is not among them is NULL.

    SQLAlchemy's own takes them in the order of the table: each row would have to be put into that first.
    """
    columns = [column(name, of.c[name].type) for name in names]
    return insert(table(of.name, *columns)).values({name: bindparam(name) for name in names})


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
            compiled: Any = self._statement.compile(dialect=dialect)
            sql, places = str(compiled), [self._names.index(name) for name in compiled.positiontup]
            found = self._compiled[dialect.name] = sql, _reorder(places, len(self._names))
        return found


class Rows:
    """A SELECT, by the values of `names`. What it finds is as the driver has it: booleans may be numbers."""

    def __init__(self, statement: Select[Any] | CompoundSelect[Any], names: Sequence[str] = ()) -> None:
        self._statement, self._names = statement, tuple(names)
        self._compiled: dict[str, tuple[str, Callable[[Values], Values] | None, Values]] = {}

    def one(self, connection: Connection, *values: object) -> Sequence[Any] | None:
        """Return the first row; None when there is none."""
        rows = self.all(connection, *values)
        return rows[0] if rows else None

    def all(self, connection: Connection, *values: object) -> list[Sequence[Any]]:
        """Return the rows."""
        sql, reorder, fixed = self._for(connection.dialect)
        if fixed:
            values += fixed
        ordered = values if reorder is None else reorder(values)
        rows: list[Sequence[Any]] = _execute(connection, sql, ordered).fetchall()
        return rows

    def _for(self, dialect: Dialect) -> tuple[str, Callable[[Values], Values] | None, Values]:
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled: Any = self._statement.compile(dialect=dialect)
            names = [*self._names, *(name for name in compiled.positiontup or () if name not in self._names)]
            fixed = tuple([compiled.params[name] for name in names[len(self._names) :]])
            reorder = _reorder([names.index(name) for name in compiled.positiontup or ()], len(names))
            found = self._compiled[dialect.name] = str(compiled), reorder, fixed
        return found


class ByIds:
    """A SELECT of the rows whose id is one of many, by the values of `names` besides."""

    def __init__(self, statement: Select[Any], column: ColumnElement[str], names: Sequence[str] = ()) -> None:
        self._statement, self._column, self._names = statement, column, tuple(names)
        self._compiled: dict[int, Rows] = {}

    def rows(
        self, connection: Connection, ids: Sequence[str], values: Sequence[object] = ()
    ) -> list[Sequence[Any]]:
        """Return the rows; a statement takes 512 ids at most, and each orders its own."""
        rows: list[Sequence[Any]] = []
        for start in range(0, len(ids), _MOST_IDS):
            some = ids[start : start + _MOST_IDS]
            size = 1 << (len(some) - 1).bit_length()  # few different statements, filled up with the last id
            padding = (some[-1],) * (size - len(some))
            rows += self._for(size).all(connection, *values, *some, *padding)
        return rows

    def _for(self, size: int) -> Rows:
        found = self._compiled.get(size)
        if found is None:
            names = [f"id_{number}" for number in range(size)]
            ids: list[BindParameter[str]] = [bindparam(name) for name in names]
            found = Rows(self._statement.where(self._column.in_(ids)), (*self._names, *names))
            self._compiled[size] = found
        return found


def _reorder(places: Sequence[int], values: int) -> Callable[[Values], Values] | None:
    """Return what puts values where a statement wants them; None: they stand so already."""
    if list(places) == list(range(values)):
        return None
    if len(places) < 2:  # itemgetter would give what it gets, and no tuple
        return lambda given: tuple([given[place] for place in places])
    return itemgetter(*places)


def _execute(connection: Connection, sql: str, values: Any, *, many: bool = False) -> Any:
    """Execute on the connection's transaction; returns what rows can be fetched from.

    sqlite3 is asked directly: what SQLAlchemy does around a statement costs several times what SQLite does.
    """
    if connection.dialect.name != "sqlite":
        return connection.exec_driver_sql(sql, values)
    driver: Any = connection.connection.dbapi_connection
    try:
        return driver.executemany(sql, values) if many else driver.execute(sql, values)
    except sqlite3.Error as error:
        wrapped = DBAPIError.instance(sql, None, error, sqlite3.Error, dialect=connection.dialect)
        raise wrapped from error
