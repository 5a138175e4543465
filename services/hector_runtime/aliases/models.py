"""Older spellings of `llms`, `embedders`, `vector_stores` and `databases`."""

from hector_config import Alias, Map, Spelling

_VECTOR_STORES = (
    "embedded",
    "chromem",
    "qdrant",
    "pinecone",
    "weaviate",
    "milvus",
    "chroma",
    "pgvector",
    "plugin:*",
)

MODELS: tuple[Spelling, ...] = (
    Alias("llms.*.type", "llms.*.provider"),
    Alias("llms.*.host", "llms.*.base_url"),
    Alias("embedders.*.type", "embedders.*.provider"),
    Alias("embedders.*.host", "embedders.*.base_url"),
    # Before chromem is renamed: what moves here may be one.
    Alias(
        "databases.*",
        "vector_stores.*",
        "databases that hold vectors are vector stores",
        shape=Map,
        when={"type": _VECTOR_STORES},
    ),
    Alias(
        "vector_stores.*.type",
        "vector_stores.*.type",
        note="a store of that name begins empty: documents are indexed again",
        values={"chromem": "embedded"},
    ),
    Alias("databases.*.user", "databases.*.username"),
    Alias("databases.*.max_open_conns", "databases.*.max_conns"),
    Alias("databases.*.max_idle_conns", "databases.*.max_idle"),
)
