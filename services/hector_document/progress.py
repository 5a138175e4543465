"""What is known of a store's index, for whoever asks."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from hector.document.v1 import DocumentFailure, IndexState, IndexStatus
from hector_store import DocumentRow

INDEXED, INDEXING, FAILED = "indexed", "indexing", "failed"
"""States of a document: it can be found; the vector store may hold some of it; it could not be read."""

_MOST_FAILURES = 10


@dataclass(slots=True)
class Progress:
    """The state of one store, changed in place by whoever indexes it."""

    store: str
    rows: dict[str, DocumentRow] = field(default_factory=dict)
    """What the database says of each document."""
    is_sure: bool = False
    """Whether rows and vector store are known to agree; not before a pass, nor after one that failed."""
    total: int = 0
    embedded: int = 0
    state: IndexState.ValueType = IndexState.INDEX_STATE_BUILDING
    error: str = ""
    updated_us: int = 0
    """When the store was last brought up to date."""

    @property
    def passages(self) -> int:
        """Passages of the documents that can be found."""
        return sum(row.chunk_count for row in self._in(INDEXED))

    def status(self) -> IndexStatus:
        failed = sorted(self._in(FAILED), key=lambda row: row.document_id)
        status = IndexStatus(
            document_store=self.store,
            state=self.state,
            documents_total=self.total,
            documents_indexed=sum(1 for _ in self._in(INDEXED)),
            documents_failed=len(failed),
            passages=self.passages,
            error=self.error,
            documents_embedded=self.embedded,
            failures=[
                DocumentFailure(document=row.document_id, error=row.error) for row in failed[:_MOST_FAILURES]
            ],
        )
        if self.updated_us:
            status.index_time.FromMicroseconds(self.updated_us)
        return status

    @staticmethod
    def now_us() -> int:
        return time.time_ns() // 1000

    def _in(self, state: str) -> Iterator[DocumentRow]:
        return (row for row in self.rows.values() if row.state == state)
