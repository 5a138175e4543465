"""One collection: its definition, and its vectors in memory once somebody has searched it."""

import sqlite3
import threading
from collections.abc import Sequence
from itertools import islice

import numpy as np

from hector.vector.v1 import Metric
from hector_vector.matrix import Floats, Matrix

_LOAD_AT_ONCE = 4096


class Collection:
    """Vectors are read from the file at the first search, and follow every committed write from then on."""

    def __init__(self, number: int, name: str, dimension: int, metric: Metric.ValueType) -> None:
        self.number = number
        self.name = name
        self.dimension = dimension
        self.metric = metric
        self._matrix: Matrix | None = None
        # Held by a search and by a writer that has committed, never while anything waits for the disk
        # (but for the load): a search does not wait for documents that are being indexed.
        self._lock = threading.Lock()

    @property
    def definition(self) -> str:
        """What the collection holds, for people."""
        kind = Metric.Name(self.metric).removeprefix("METRIC_").lower()
        return f"vectors of {self.dimension} floats by {kind}"

    def put(self, records: Sequence[int], vectors: Sequence[bytes]) -> None:
        """Take in what has just been committed."""
        with self._lock:
            if self._matrix is not None:
                self._matrix.put(records, self._floats(vectors))

    def remove(self, records: Sequence[int]) -> None:
        """Forget what has just been removed."""
        with self._lock:
            if self._matrix is not None:
                self._matrix.remove(records)

    def nearest(
        self, sql: sqlite3.Connection, query: Floats, limit: int, allowed: Sequence[int] | None
    ) -> list[tuple[int, float]]:
        """Return the nearest records with scores, best first."""
        with self._lock:
            if self._matrix is None:
                # A writer that commits while we read waits for the lock and puts its records in once
                # more, which changes nothing.
                self._matrix = self._loaded(sql)
            return self._matrix.nearest(query, limit, allowed)

    def _loaded(self, sql: sqlite3.Connection) -> Matrix:
        count = sql.execute(f"SELECT count(*) FROM records_{self.number}").fetchone()[0]
        matrix = Matrix(self.dimension, self.metric, count)
        rows = iter(sql.execute(f"SELECT record, vector FROM vectors_{self.number}"))
        while some := list(islice(rows, _LOAD_AT_ONCE)):
            matrix.put([record for record, _ in some], self._floats([vector for _, vector in some]))
        return matrix

    def _floats(self, vectors: Sequence[bytes]) -> Floats:
        joined = np.frombuffer(b"".join(vectors), dtype="<f4").astype(np.float32, copy=False)
        return joined.reshape(len(vectors), self.dimension)
