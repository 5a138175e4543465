"""What is counted of documents: what the index holds, what goes into it, and how it is asked."""

from hector_mesh.metrics import ERRORS, SHORT, Counter, Gauge, Histogram

from .progress import FAILED, INDEXED, Progress

DOCUMENTS = Gauge(
    "hector_document_index_documents", "Documents in an index, by state.", ("document_store", "state")
)
PASSAGES = Gauge("hector_document_index_passages", "Passages that can be found.", ("document_store",))
TAKEN_IN = Counter(
    "hector_documents_indexed_total", "Documents read and embedded, again included.", ("document_store",)
)
REFUSED = Counter("hector_documents_failed_total", "Documents that could not be read.", ("document_store",))
PASS_S = Histogram(
    "hector_document_index_duration_seconds",
    "Looks at a whole source, by how they ended.",
    ("document_store", "status"),
    bounds=(0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 7200),
)
SEARCHES = Counter("hector_document_searches_total", "Searches, by how they ended.", ("status",))
SEARCH_S = Histogram("hector_document_search_duration_seconds", "Searches.", bounds=SHORT)


def watch(progress: Progress) -> None:
    """Show what an index holds."""
    for state in (INDEXED, FAILED):
        DOCUMENTS.follow(
            lambda state=state: sum(row.state == state for row in tuple(progress.rows.values())),  # type: ignore[misc]
            progress.store,
            state,
        )
    PASSAGES.follow(lambda: progress.passages, progress.store)


def passed(begun: float, store: str, *, well: bool) -> None:
    """Take note of a look at the whole source."""
    PASS_S.since(begun, store, "success" if well else "error")
    if not well:
        ERRORS.add("document", "INDEX_FAILED")


def searched(begun: float, *, well: bool) -> None:
    """Take note of a search."""
    SEARCHES.add("success" if well else "error")
    SEARCH_S.since(begun)
