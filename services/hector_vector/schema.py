"""The tables of an embedded store's file, and how they are opened."""

import sqlite3
from pathlib import Path

from hector_vector.keywords import VERSION as WORDS_VERSION

VERSION = 100 + WORDS_VERSION
"""Changes when an older file can no longer be read as it is."""

_PAGE_BYTES = 16_384
_BUSY_S = 30.0
_CACHE_KIB = 8_192

_TABLES = """
    CREATE TABLE collections (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        dimension INTEGER NOT NULL,
        metric INTEGER NOT NULL
    );
"""

# Every collection has tables of its own: word statistics are not mixed, and dropping one is quick.
_COLLECTION = """
    CREATE TABLE records_{id} (
        record INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice
        id TEXT NOT NULL UNIQUE,
        metadata TEXT NOT NULL,
        content TEXT NOT NULL
    );
    CREATE TABLE vectors_{id} (record INTEGER PRIMARY KEY, vector BLOB NOT NULL);
    CREATE VIRTUAL TABLE words_{id} USING fts5(
        title, body, content='', tokenize='porter unicode61 remove_diacritics 2'
    );
    INSERT INTO words_{id}(words_{id}, rank) VALUES ('rank', 'bm25(3.0, 1.0)');
"""


class UnknownVersion(Exception):
    """The file was written by a version of Hector that keeps it differently."""


def opened(path: Path) -> sqlite3.Connection:
    """Return a connection on which every commit is on the disk before it returns.

    Raises:
        UnknownVersion: The file has another layout.
        sqlite3.Error: It cannot be opened, or is no database.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise UnknownVersion(f"it has layout {version}, this version of Hector knows {VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def make_tables(connection: sqlite3.Connection, collection: int) -> None:
    """Make the tables of a collection, in the transaction that is open."""
    for statement in _COLLECTION.format(id=collection).split(";\n"):
        connection.execute(statement)


def drop_tables(connection: sqlite3.Connection, collection: int) -> None:
    """Drop them, in the transaction that is open."""
    for kind in ("words", "vectors", "records"):
        connection.execute(f"DROP TABLE {kind}_{collection}")
