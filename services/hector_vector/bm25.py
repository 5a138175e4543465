"""Scores records by the words of a query: BM25, with a weight for rare words that is never zero.

FTS5's own says that a word in more than half of the records means nothing: "hector" would count like "start"
in the documentation of Hector. Its score for one word is that weight times the rest, which is what we want.
"""

import sqlite3
from collections.abc import Sequence
from math import log

from hector_vector.where import Sql

_MOST_PER_WORD = 2_000
"""Records looked at for one word, the best first."""


def scored(
    sql: sqlite3.Connection,
    collection: int,
    queries: Sequence[str],
    limit: int,
    condition: tuple[str, Sequence[Sql]] | None = None,
) -> list[tuple[int, float]]:
    """Return record numbers and scores, best first.

    Args:
        sql: A connection inside a transaction: all figures must be of one moment.
        collection: The number of the collection.
        queries: One FTS5 query per word.
        limit: Most records.
        condition: What must hold for a record, and its values.
    """
    n = collection
    total = _rows_of(sql, n)
    clause, values = condition or ("1", [])
    join = f"JOIN records_{n} ON record = words_{n}.rowid" if condition else ""
    ranked = (
        f"SELECT words_{n}.rowid, -rank FROM words_{n} {join}"
        f" WHERE words_{n} MATCH ? AND {clause} ORDER BY rank LIMIT {_MOST_PER_WORD}"
    )
    scores: dict[int, float] = {}
    for query in queries:
        count = f"SELECT count(*) FROM words_{n} WHERE words_{n} MATCH ?"
        having = sql.execute(count, (query,)).fetchone()[0]
        if not having:
            continue
        weight = log(1 + (total - having + 0.5) / (having + 0.5)) / _weight_of_fts5(total, having)
        for record, score in sql.execute(ranked, (query, *values)):
            scores[record] = scores.get(record, 0.0) + score * weight
    return sorted(scores.items(), key=lambda found: (-found[1], found[0]))[:limit]


def _rows_of(sql: sqlite3.Connection, collection: int) -> int:
    """Return how many records the index of words has; what FTS5 goes by, and quicker than counting."""
    # Row 1 is the "averages record" of fts5_index.c: the first varint is the number of rows.
    block = sql.execute(f"SELECT block FROM words_{collection}_data WHERE id = 1").fetchone()[0]
    total = 0
    for byte in block:
        total = total << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return total


def _weight_of_fts5(total: int, having: int) -> float:
    # As in SQLite's fts5_aux.c; the test compares what comes out with scores worked out by hand.
    weight = log((total - having + 0.5) / (having + 0.5))
    return weight if weight > 0 else 1e-6
