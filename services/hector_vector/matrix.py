"""The vectors of one collection in memory, compared with a query all at once.

Exact: every vector is looked at. The file is the truth, this is a copy that can be made again.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hector.vector.v1 import Metric

Floats: TypeAlias = npt.NDArray[np.float32]
Records: TypeAlias = npt.NDArray[np.int64]

_FIRST = 256
_GROWTH = 1.5


class Matrix:
    """Vectors by record number. Not for two threads at once."""

    def __init__(self, dimension: int, metric: Metric.ValueType, expected: int = 0) -> None:
        self._metric = metric
        # Pages that are never written cost no memory, so room to grow is free.
        self._rows: Floats = np.empty((max(expected, _FIRST), dimension), dtype=np.float32)
        self._records: Records = np.empty(len(self._rows), dtype=np.int64)
        self._place: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._place)

    def put(self, records: Sequence[int], vectors: Floats) -> None:
        """Add vectors, or replace those of the same record."""
        self._make_room(len(self._place) + len(records))
        if self._metric == Metric.METRIC_COSINE:
            vectors = _unit(vectors)
        places = [self._place.setdefault(record, len(self._place)) for record in records]
        self._rows[places] = vectors
        self._records[places] = records

    def remove(self, records: Sequence[int]) -> None:
        """Forget records; the last one moves into each hole."""
        for record in records:
            hole = self._place.pop(record, None)
            last = len(self._place)
            if hole is None or hole == last:
                continue
            moved = int(self._records[last])
            self._rows[hole], self._records[hole] = self._rows[last], moved
            self._place[moved] = hole

    def nearest(
        self, query: Floats, limit: int, allowed: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """Return the records with the highest scores, best first; only `allowed` ones, if given."""
        rows, records = self._rows[: len(self._place)], self._records[: len(self._place)]
        if allowed is not None:
            places = [place for record in allowed if (place := self._place.get(record)) is not None]
            rows, records = rows[places], records[places]
        if not len(rows):
            return []
        scores = self._scores(query, rows)
        if limit < len(scores):
            best = np.argpartition(-scores, limit - 1)[:limit]
            scores, records, rows = scores[best], records[best], rows[best]
        if self._metric == Metric.METRIC_EUCLIDEAN:
            scores = -np.linalg.norm(rows - query, axis=1)
        order = np.lexsort((records, -scores))
        return [(int(records[at]), float(scores[at])) for at in order]

    def _scores(self, query: Floats, rows: Floats) -> Floats:
        if self._metric == Metric.METRIC_EUCLIDEAN:
            # Without the square of the query, which changes no order; too coarse to be shown.
            squares = np.einsum("ij,ij->i", rows, rows)
            found: Floats = 2 * (rows @ query) - squares
            return found
        scores: Floats = rows @ (_unit(query[None])[0] if self._metric == Metric.METRIC_COSINE else query)
        return scores

    def _make_room(self, needed: int) -> None:
        if needed > len(self._rows):
            size = max(needed, int(len(self._rows) * _GROWTH))
            for name in ("_rows", "_records"):
                old = getattr(self, name)
                new = np.empty((size, *old.shape[1:]), dtype=old.dtype)
                new[: len(self._place)] = old[: len(self._place)]
                setattr(self, name, new)


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return units
