"""Statements for many rows, without what SQLAlchemy does for each row that we do not need."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql.base import Executable


class ManyRows:
    """An INSERT or UPDATE whose parameters need no conversion: text, integers, booleans, bytes.

    SQLAlchemy writes the SQL, in the dialect of the connection; the driver gets the rows as they are. That
    halves the cost of a row.
    """

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, tuple[str, ...]]] = {}

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
        """Execute for each row, in order."""
        sql, names = self._for(connection.dialect)
        connection.exec_driver_sql(sql, [tuple([row[name] for name in names]) for row in rows])

    def _for(self, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled: Any = self._statement.compile(dialect=dialect)  # type: ignore[attr-defined]
            found = self._compiled[dialect.name] = (str(compiled), tuple(compiled.positiontup))
        return found
