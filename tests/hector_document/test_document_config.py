"""What `document_stores:` may say, and what this version cannot do yet."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hector_document import DocumentSection


def section(**store: object) -> DocumentSection:
    context = {"project_dir": Path("/srv/project")}
    return DocumentSection.model_validate({"document_stores": {"docs": store}}, context=context)


def test_an_empty_store_reads_the_project_folder() -> None:
    store = section().document_stores["docs"]
    assert store.source.path == store.source.relative_to == Path("/srv/project")
    assert (store.vector_store, store.embedder) == ("default", "default")
    assert (store.search.top_k, store.search.threshold, store.search.mode) == (10, 0.0, "hybrid")
    assert (store.chunking.size, store.chunking.min_size, store.chunking.max_size) == (1000, 100, 2000)
    assert store.source.max_file_size == 10 * 1024 * 1024
    assert store.indexing.max_concurrent == 8


@pytest.mark.parametrize(
    ("store", "message"),
    [
        ({"source": {"type": "sql"}}, '"sql" is known, but not available in this version'),
        ({"source": {"type": "drectory"}}, "available: directory"),
        ({"search": {"enable_hyde": True}}, "known, but not available"),
        ({"search": {"mode": "magic"}}, "hybrid"),
        ({"collection": "a b"}, "up to 128 letters"),
        ({"sources": {}}, "Extra inputs"),
    ],
)
def test_what_cannot_be_done_is_refused(store: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section(**store)


def test_a_collection_belongs_to_one_store() -> None:
    with pytest.raises(ValidationError, match='collection "c" belongs to document store "a"'):
        DocumentSection(document_stores={"a": {"collection": "c"}, "b": {"collection": "c"}})
    DocumentSection(document_stores={"a": {"collection": "c"}, "b": {"collection": "c", "vector_store": "x"}})
