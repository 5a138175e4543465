"""An embedded store's file: collections of records, written by one thread and read by any.

What `upsert`, `delete`, `create` and `drop` return from has been committed and synced to the disk.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hector.common.v1 import Filter
from hector.vector.v1 import Metric
from hector_vector import schema
from hector_vector.bm25 import scored
from hector_vector.collection import Collection
from hector_vector.errors import CollectionMismatch, CollectionNotFound
from hector_vector.keywords import queries_of, words_of
from hector_vector.matrix import Floats
from hector_vector.where import Sql, where

_VARIABLES = 30_000
"""Question marks in one statement."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record as it is stored."""

    id: str
    vector: bytes
    content: str
    metadata: str
    title: str = ""
    """Words that count more in keyword search; part of the metadata, too."""


@dataclass(frozen=True, slots=True)
class Found:
    """One record as it was found; the vector is empty unless asked for."""

    id: str
    score: float
    content: str
    metadata: str
    vector: bytes = b""


class VectorFile:
    """The collections of one file.

    `create`, `drop`, `upsert` and `delete` are for one thread, always the same; everything else is for any.
    """

    def __init__(self, path: Path, title_of: Callable[[str], str]) -> None:
        """Open or make the file.

        Args:
            path: The file.
            title_of: Returns the words of a record's metadata that count more in keyword search.
        """
        self._path = path
        self._title_of = title_of
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._opening = threading.Lock()
        self._collections = {
            name: Collection(number, name, dimension, metric)
            for number, name, dimension, metric in self._connection().execute(
                "SELECT id, name, dimension, metric FROM collections"
            )
        }

    def close(self) -> None:
        """Close all connections; nobody may be using them."""
        for connection in self._opened:
            connection.close()

    def collection(self, name: str) -> Collection:
        """Return a collection.

        Raises:
            CollectionNotFound: There is none of that name.
        """
        try:
            return self._collections[name]
        except KeyError:
            raise CollectionNotFound(name) from None

    def create(self, name: str, dimension: int, metric: Metric.ValueType) -> None:
        """Make a collection, unless it is there already.

        Raises:
            CollectionMismatch: It is there with another definition.
        """
        there = self._collections.get(name)
        if there is not None:
            wanted = Collection(0, name, dimension, metric)
            if there.definition != wanted.definition:
                raise CollectionMismatch(name, there.definition, wanted.definition)
            return
        with self._writing() as sql:
            columns = "INSERT INTO collections (name, dimension, metric) VALUES (?, ?, ?)"
            number = sql.execute(columns, (name, dimension, metric)).lastrowid or 0
            schema.make_tables(sql, number)
        self._collections = {**self._collections, name: Collection(number, name, dimension, metric)}

    def drop(self, name: str) -> None:
        """Remove a collection and all in it; nothing happens when it is not there."""
        before = self._collections
        there = before.get(name)
        if there is None:
            return
        # Gone before its tables are: a search that comes late says "not found", and not "broken".
        self._collections = {key: kept for key, kept in before.items() if key != name}
        try:
            with self._writing() as sql:
                sql.execute("DELETE FROM collections WHERE id = ?", (there.number,))
                schema.drop_tables(sql, there.number)
        except BaseException:
            self._collections = before
            raise

    def upsert(self, name: str, rows: Sequence[Row]) -> int:
        """Insert or replace records, all or none; of two with the same id the later one counts."""
        collection = self.collection(name)
        n = collection.number
        latest = {row.id: row for row in rows}
        with self._writing() as sql:
            there = {key: record for record, key in self._forget_words(sql, n, list(latest))}
            numbers: list[int] = []
            for row in latest.values():
                record = there.get(row.id)
                if record is None:
                    insert = f"INSERT INTO records_{n} (id, metadata, content) VALUES (?, ?, ?)"
                    record = sql.execute(insert, (row.id, row.metadata, row.content)).lastrowid or 0
                else:
                    update = f"UPDATE records_{n} SET metadata = ?, content = ? WHERE record = ?"
                    sql.execute(update, (row.metadata, row.content, record))
                numbers.append(record)
            numbered = list(zip(numbers, latest.values(), strict=True))
            sql.executemany(
                f"INSERT OR REPLACE INTO vectors_{n} (record, vector) VALUES (?, ?)",
                [(record, row.vector) for record, row in numbered],
            )
            sql.executemany(
                f"INSERT INTO words_{n} (rowid, title, body) VALUES (?, ?, ?)",
                [(record, words_of(row.title), words_of(row.content)) for record, row in numbered],
            )
        collection.put(numbers, [row.vector for row in latest.values()])
        return len(latest)

    def delete(self, name: str, ids: Sequence[str], condition: Filter | None) -> int:
        """Remove the records with these ids and those that match; return how many went."""
        collection = self.collection(name)
        n = collection.number
        with self._writing() as sql:
            doomed = set(ids)
            if condition is not None:
                clause, values = where(condition)
                matching = sql.execute(f"SELECT id FROM records_{n} WHERE {clause}", values)
                doomed |= {key for (key,) in matching}
            gone = [(record,) for record, _ in self._forget_words(sql, n, list(doomed))]
            sql.executemany(f"DELETE FROM vectors_{n} WHERE record = ?", gone)
            sql.executemany(f"DELETE FROM records_{n} WHERE record = ?", gone)
        collection.remove([record for (record,) in gone])
        return len(gone)

    def near(
        self, name: str, vector: Floats, limit: int, condition: Filter | None
    ) -> list[tuple[int, float]]:
        """Return records and scores, nearest first."""
        with self._reading(name) as (sql, collection):
            allowed = None
            if condition is not None:
                clause, values = where(condition)
                matching = f"SELECT record FROM records_{collection.number} WHERE {clause}"
                allowed = [record for (record,) in sql.execute(matching, values)]
            return collection.nearest(sql, vector, limit, allowed)

    def worded(self, name: str, text: str, limit: int, condition: Filter | None) -> list[tuple[int, float]]:
        """Return records and BM25 scores, those that say most of the words first."""
        queries = queries_of(text)
        with self._reading(name) as (sql, collection):
            sql.execute("BEGIN")
            try:
                matching = where(condition) if condition is not None else None
                return scored(sql, collection.number, queries, limit, matching)
            finally:
                sql.execute("ROLLBACK")

    def read(self, name: str, scored: Sequence[tuple[int, float]], with_vectors: bool) -> list[Found]:
        """Return records by number, in the order given; those that are gone by now are left out."""
        found = []
        with self._reading(name) as (sql, collection):
            n = collection.number
            vector = "vector" if with_vectors else "x''"
            select = (
                f"SELECT id, content, metadata, {vector} FROM records_{n}"
                f" JOIN vectors_{n} USING (record) WHERE record = ?"
            )
            for record, score in scored:
                row = sql.execute(select, (record,)).fetchone()
                if row is not None:
                    found.append(Found(row[0], score, *row[1:]))
        return found

    def get(self, name: str, ids: Sequence[str]) -> list[Row]:
        """Return records by id, in the order given; absent ones are left out."""
        with self._reading(name) as (sql, collection):
            select = f"{_ROWS.format(n=collection.number)} WHERE id = ?"
            rows = [sql.execute(select, (key,)).fetchone() for key in ids]
        return [Row(*row) for row in rows if row is not None]

    def after(self, name: str, last: str, limit: int, condition: Filter | None) -> list[Row]:
        """Return the next records that match, by id."""
        clause, values = where(condition) if condition is not None else ("1", [])
        bound: list[Sql] = [last, *values, limit]
        with self._reading(name) as (sql, collection):
            rows = _ROWS.format(n=collection.number)
            select = f"{rows} WHERE id > ? AND {clause} ORDER BY id LIMIT ?"
            return [Row(*row) for row in sql.execute(select, bound)]

    def listed(self, after: str, limit: int) -> list[tuple[Collection, int]]:
        """Return collections by name, with how many records each has."""
        names = sorted(name for name in self._collections if name > after)[:limit]
        found = []
        for name in names:
            with self._reading(name) as (sql, collection):
                count = sql.execute(f"SELECT count(*) FROM records_{collection.number}").fetchone()[0]
                found.append((collection, int(count)))
        return found

    def _forget_words(self, sql: sqlite3.Connection, n: int, ids: Sequence[str]) -> list[tuple[int, str]]:
        """Take records out of the word index; return the numbers and ids of those that are there."""
        there: list[tuple[int, str]] = []
        for at in range(0, len(ids), _VARIABLES):
            some = ids[at : at + _VARIABLES]
            marks = ",".join("?" * len(some))
            select = f"SELECT record, id, metadata, content FROM records_{n} WHERE id IN ({marks})"
            rows = sql.execute(select, some).fetchall()
            # The index keeps no texts of its own: it has to be told again what it was given.
            sql.executemany(
                f"INSERT INTO words_{n} (words_{n}, rowid, title, body) VALUES ('delete', ?, ?, ?)",
                [(row[0], words_of(self._title_of(row[2])), words_of(row[3])) for row in rows],
            )
            there += [(row[0], row[1]) for row in rows]
        return there

    @contextmanager
    def _reading(self, name: str) -> Iterator[tuple[sqlite3.Connection, Collection]]:
        collection = self.collection(name)
        try:
            yield self._connection(), collection
        except sqlite3.OperationalError:
            self.collection(name)  # dropped under our hands: that it is not found is the better answer
            raise

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = schema.opened(self._path)
            with self._opening:
                self._opened.append(connection)
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


_ROWS = "SELECT id, vector, content, metadata FROM records_{n} JOIN vectors_{n} USING (record)"
