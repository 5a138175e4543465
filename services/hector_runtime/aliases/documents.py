"""Older spellings of `document_stores`."""

from hector_config import Alias, Map, Reform, Scalar, Seq, Spelling
from hector_config.problem import Path
from hector_config.spelling import put_at
from hector_config.tree import Node, node_at
from hector_document.config import EXCLUDED

_STORE, _SOURCE, _SEARCH = "document_stores.*", "document_stores.*.source", "document_stores.*.search"
_SQL = ("query", "id_column", "content_columns", "metadata_columns", "tables", "database")
_API = ("url", "method", "headers", "response_path", "id_field", "content_field", "content_fields")


def _added_patterns(root: Map, path: Path, node: Node) -> bool | Path:
    """Make `exclude` of the usual patterns and those that were to be added to them."""
    store = node_at(root, path[:-1])
    if not isinstance(node, Seq) or not isinstance(store, Map):
        return False
    mark, _ = store.take(str(path[-1]))
    usual: list[Node] = [Scalar(mark, pattern, pattern, plain=False) for pattern in EXCLUDED]
    node.items[:0] = usual
    return put_at(root, (*path[:-1], "source", "exclude"), mark, node) or True


DOCUMENTS: tuple[Spelling, ...] = (
    Alias(_SOURCE, f"{_SOURCE}.type", shape=Scalar),
    Alias(
        f"{_SOURCE}.type",
        f"{_SOURCE}.type",
        values={"s3": "blob", "gcs": "blob", "azure": "blob", "urls": "web"},
    ),
    Alias(f"{_STORE}.path", f"{_SOURCE}.path"),
    Alias(f"{_STORE}.include_patterns", f"{_SOURCE}.include"),
    Alias(f"{_STORE}.exclude_patterns", f"{_SOURCE}.exclude"),
    Reform(
        f"{_STORE}.additional_exclude_patterns",
        "source.exclude, which names all patterns",
        _added_patterns,
        schema={"type": "array", "items": {"type": "string"}},
    ),
    Alias(f"{_STORE}.max_file_size", f"{_SOURCE}.max_file_size"),
    Alias(f"{_STORE}.collection", f"{_SOURCE}.collection", when={"source": ("collection",)}),
    Alias(f"{_STORE}.sql", f"{_SOURCE}.sql"),
    Alias(f"{_STORE}.sql_tables", f"{_SOURCE}.sql.tables"),
    Alias(f"{_STORE}.sql_max_rows", f"{_SOURCE}.sql.max_rows"),
    Alias(f"{_STORE}.sql_database", f"{_SOURCE}.sql.database"),
    Alias(f"{_STORE}.api", f"{_SOURCE}.api"),
    *(Alias(f"{_SOURCE}.{key}", f"{_SOURCE}.sql.{key}") for key in _SQL),
    *(Alias(f"{_SOURCE}.{key}", f"{_SOURCE}.api.{key}") for key in _API),
    Alias(f"{_SOURCE}.metadata_fields", f"{_SOURCE}.api.metadata_fields"),
    Alias(f"{_STORE}.chunk_size", f"{_STORE}.chunking.size"),
    Alias(f"{_STORE}.chunk_overlap", f"{_STORE}.chunking.overlap"),
    Alias(f"{_STORE}.chunk_strategy", f"{_STORE}.chunking.strategy"),
    Alias(f"{_STORE}.max_concurrent_files", f"{_STORE}.indexing.max_concurrent"),
    Alias(f"{_STORE}.parallel", f"{_STORE}.indexing.max_concurrent", shape=Scalar),
    Alias(f"{_STORE}.enable_watch_changes", f"{_STORE}.watch"),
    Alias(f"{_STORE}.enable_incremental_indexing", f"{_STORE}.incremental_indexing"),
    Alias(f"{_STORE}.enable_checkpoints", "", "what is indexed is remembered in any case"),
    Alias(f"{_STORE}.enable_progress_display", "", "hector serve shows how far an index is"),
    Alias(f"{_STORE}.enable_verbose_progress", "", "see --log-level debug"),
    Alias(f"{_STORE}.enable_quiet_mode", "", "see --log-level warn"),
    Alias(f"{_STORE}.debug", "", "see --log-level debug"),
    Alias(f"{_STORE}.parser", f"{_SOURCE}.parser"),
    Alias(f"{_STORE}.search_config", _SEARCH),
    Alias(f"{_SEARCH}.search_mode", f"{_SEARCH}.mode"),
    Alias(f"{_SEARCH}.preserve_case", "", "words are compared without regard to case"),
    Alias(f"{_SEARCH}.rerank.enabled", f"{_SEARCH}.enable_rerank"),
    Alias(f"{_SEARCH}.rerank.llm", f"{_SEARCH}.rerank_llm"),
    Alias(f"{_SEARCH}.rerank.max_results", f"{_SEARCH}.rerank_max_results"),
    Alias(f"{_SEARCH}.rerank", f"{_SEARCH}.enable_rerank", shape=Scalar),
    Alias(f"{_SEARCH}.rerank_top_k", f"{_SEARCH}.rerank_max_results"),
    Alias(f"{_SEARCH}.hyde.enabled", f"{_SEARCH}.enable_hyde"),
    Alias(f"{_SEARCH}.hyde.llm", f"{_SEARCH}.hyde_llm"),
    Alias(f"{_SEARCH}.hyde", f"{_SEARCH}.enable_hyde", shape=Scalar),
    Alias(f"{_SEARCH}.multi_query.enabled", f"{_SEARCH}.enable_multi_query"),
    Alias(f"{_SEARCH}.multi_query.llm", f"{_SEARCH}.multi_query_llm"),
    Alias(f"{_SEARCH}.multi_query.num_variations", f"{_SEARCH}.multi_query_count"),
    Alias(f"{_SEARCH}.multi_query", f"{_SEARCH}.enable_multi_query", shape=Scalar),
)
