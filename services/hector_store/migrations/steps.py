"""The steps that revisions are made of: each can be taken again.

PostgreSQL and SQLite undo a migration that does not end. MySQL and MariaDB commit every change of a table by
itself, so a migration that was killed goes on where it stopped.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def create_table(name: str, *parts: Any, **options: Any) -> None:
    """Create a table, unless an earlier attempt did."""
    if not _goes_on() or not _inspector().has_table(name):
        op.create_table(name, *parts, **OPTIONS, **options)


def add_column(table: str, column: "sa.Column[Any]") -> None:
    """Add a column, unless an earlier attempt did. Older versions go on writing rows without it."""
    if column.name not in {found["name"] for found in _inspector().get_columns(table)}:
        op.add_column(table, column)


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create an index, unless an earlier attempt did."""
    if not _goes_on() or name not in {index["name"] for index in _inspector().get_indexes(table)}:
        op.create_index(name, table, columns)


def drop_index(name: str, table: str) -> None:
    """Drop an index, unless an earlier attempt did."""
    if not _goes_on() or name in {index["name"] for index in _inspector().get_indexes(table)}:
        op.drop_index(name, table)


def _goes_on() -> bool:
    return op.get_bind().dialect.name in ("mysql", "mariadb")


def _inspector() -> sa.Inspector:
    return sa.inspect(op.get_bind())
