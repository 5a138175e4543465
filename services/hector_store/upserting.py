"""Inserting rows, or replacing those that have the key: what the three databases do not say alike."""

from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Table, bindparam

from .compiled import ManyRows, Values


class Upsert:
    """Writes rows of a table, each a tuple of the values of `names`; a row of the same key is replaced."""

    def __init__(self, table: Table, *, leaves: Collection[str] = ()) -> None:
        """Prepare; of a row that is there, what is in `leaves` stays as it is."""
        self.names = tuple(column.name for column in table.columns)
        self._keys = [column.name for column in table.primary_key]
        self._replaced = [name for name in self.names if name not in {*self._keys, *leaves}] or self._keys
        self._table = table
        self._many: dict[str, ManyRows] = {}

    def execute(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Write rows, in the order of their keys, so that two writers never wait for each other."""
        found = self._many.get(connection.dialect.name)
        if found is None:
            statement = self._statement(connection.dialect)
            found = self._many[connection.dialect.name] = ManyRows(statement, self.names)
        key: Callable[[Values], Any] = itemgetter(*map(self.names.index, self._keys))
        found.execute(connection, sorted(rows, key=key))

    def _statement(self, dialect: Dialect) -> Insert:
        values: dict[str, Any] = {name: bindparam(name) for name in self.names}
        others = self._replaced
        # Imported here: what is not used is not loaded.
        if dialect.name in ("mysql", "mariadb"):
            from sqlalchemy.dialects import mysql

            on_mysql = mysql.insert(self._table).values(values)
            return on_mysql.on_duplicate_key_update({name: on_mysql.inserted[name] for name in others})
        if dialect.name == "postgresql":
            from sqlalchemy.dialects import postgresql

            there = postgresql.insert(self._table).values(values)
            return there.on_conflict_do_update(
                index_elements=self._keys, set_={name: there.excluded[name] for name in others}
            )
        from sqlalchemy.dialects import sqlite

        here = sqlite.insert(self._table).values(values)
        return here.on_conflict_do_update(
            index_elements=self._keys, set_={name: here.excluded[name] for name in others}
        )
