"""Whether a database is whole as databases see it: its pages, indexes, keys, tables and columns."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from sqlalchemy import Connection, inspect

from hector_store.schema import metadata
from hector_store.url import Place

from .finding import Finding

MOST = 20
"""Lines of SQLite's that are shown: where there are more, the file is lost anyway."""


def of_file(place: Place, *, quick: bool) -> list[Finding]:
    """Return what is wrong with a SQLite file; `quick` leaves indexes out, which takes most of the time."""
    if place.file is None:
        return []
    file = str(place.file).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    check = "quick_check" if quick else "integrity_check"
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as connection:
            lines = [str(row[0]) for row in connection.execute(f"PRAGMA {check}({MOST})")]
            broken = connection.execute("PRAGMA foreign_key_check").fetchmany(MOST)
    except sqlite3.DatabaseError as error:
        return [Finding("damaged", place.name, f"it cannot be read through ({error}); restore a backup")]
    found = [
        Finding("damaged", place.name, f"{line}; restore a backup, or REINDEX if it names an index only")
        for line in lines
        if line != "ok"
    ]
    return found + [
        Finding("damaged", f"table {table}", f"row {row} belongs to a {parent[:-1]} that is not there")
        for table, row, parent, _ in broken
    ]


def of_server(connection: Connection) -> list[Finding]:
    """Return what a server says is wrong with its tables."""
    found = []
    if connection.dialect.name == "postgresql":
        invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
        for (index,) in connection.exec_driver_sql(invalid):
            found.append(Finding("damaged", f"index {index}", "it is not valid: REINDEX INDEX it"))
    else:
        tables = ", ".join(table.name for table in metadata.sorted_tables)
        for table, _, kind, text in connection.exec_driver_sql(f"CHECK TABLE {tables}"):
            if kind.lower() in ("error", "warning") or (kind.lower() == "status" and text != "OK"):
                found.append(Finding("damaged", f"table {table}", f"{text}; restore a backup"))
    return found


def of_schema(connection: Connection) -> list[Finding]:
    """Return which tables, columns and indexes are not there that the code uses."""
    inspector, found = inspect(connection), list[Finding]()
    there = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in there:
            found.append(Finding("schema", f"table {table.name}", "it is not there; restore a backup"))
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        found += [
            Finding("schema", f"column {table.name}.{name}", "it is not there; restore a backup")
            for name in sorted(set(table.c.keys()) - columns)
        ]
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        missing = {str(index.name) for index in table.indexes} - {str(name) for name in indexes}
        found += _missing(table.name, missing)
    return found


def _missing(table: str, indexes: set[str]) -> Sequence[Finding]:
    problem = "it is not there: what is looked for by it is found slowly"
    return [Finding("schema", f"index {name} of {table}", problem, True) for name in sorted(indexes)]
