"""The keys of `document_stores:`: what is read, how it is cut, and how it is searched."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hector_config import ByteSize, Duration, Misfit, Off, OneOf, ProjectPath, RefersTo, Section
from hector_store.config import StorageSection

DEFAULT = "default"
EXCLUDED = [".*", "node_modules", "__pycache__", "vendor", ".git"]
SourceKind = Annotated[
    str, OneOf("directory", later=["sql", "api", "blob", "web", "collection", "plugin:*"], decides=True)
]
Chunker = Annotated[str, OneOf("simple", later=["overlapping", "sentence", "semantic"], decides=True)]
SearchMode = Annotated[
    str, OneOf("vector", "keyword", "hybrid", later=["hyde", "multi_query"], hint="hybrid is the usual one")
]
Parser = Annotated[str, OneOf("text", "plugin:*")]


def _extension(name: str) -> str:
    """Return how names of files end, however that is written: pdf, .PDF, *.pdf."""
    bare = name.lower().removeprefix("*").lstrip(".")
    if not re.fullmatch(r"[^\s*?/\\\[\]]+", bare):
        raise Misfit(f'"{name}" is no extension of files, as ".pdf"')
    return f".{bare}"


Extension = Annotated[str, AfterValidator(_extension)]
_OF_OTHERS = "it belongs to sources that are no folders"


class SourceConfig(Section):
    """Where documents come from."""

    type: SourceKind = "directory"
    """What kind of source it is: "directory", a folder and all below it."""
    path: ProjectPath = Path()
    """The folder; the project's own when left out."""
    relative_to: ProjectPath = Path()
    """Citations name files from this folder on, the project's own when left out; files elsewhere are named
    from `path` on."""
    include: list[str] = []
    """Globs of files to read, as `*.md` or `guides/**/*.txt`. Left out: all that can be read as text."""
    exclude: list[str] = EXCLUDED
    """Globs of files and folders to leave out; a pattern without a slash is a name at any depth."""
    max_file_size: ByteSize = 10 * 1024 * 1024
    """A larger file is reported and not read."""
    parser: Parser = "text"
    """Who reads files: "text" takes them as they are. `plugin:NAME` reads the kinds of file that it says it
    can, and the others are read as text."""
    parsers: dict[Extension, Parser] = {}
    """Who reads files of one kind, as {".pdf": "plugin:pdf", ".csv": "text"}."""

    later = {
        **dict.fromkeys(("sql", "api", "collection", "bucket", "prefix", "region", "urls"), _OF_OTHERS),
    }


class ChunkingConfig(Section):
    """How documents are cut into passages. Sizes are in characters."""

    strategy: Chunker = "simple"
    """How to cut. "simple" cuts at headings and paragraphs, then lines, sentences and words."""
    size: Annotated[int, Field(ge=50, le=100_000)] = 1000
    """Size aimed at."""
    overlap: Annotated[int, Field(ge=0)] = 0
    """What a passage repeats of the end of the one before."""
    min_size: Annotated[int, Field(ge=0)] = 100
    """A smaller passage is joined with its neighbour where that fits max_size."""
    max_size: Annotated[int, Field(ge=50, le=200_000)] = 2000
    """No passage is larger; a code block up to this size stays whole."""
    preserve_words: bool = True
    """Do not cut inside a word that fits."""

    later = {"sentences_per_chunk": "it belongs to strategy sentence"}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.min_size <= self.size <= self.max_size:
            message = "min_size {low}, size {size} and max_size {high} must be in this order"
            facts = {"low": self.min_size, "size": self.size, "high": self.max_size}
            raise PydanticCustomError("chunk_sizes", message, facts)
        if self.overlap >= self.size:
            message = "overlap {overlap} must be less than size {size}"
            raise PydanticCustomError("chunk_overlap", message, {"overlap": self.overlap, "size": self.size})
        return self


class SearchConfig(Section):
    """How a store is searched when a search does not say."""

    top_k: Annotated[int, Field(ge=1, le=1000)] = 10
    """Most passages."""
    threshold: float = 0.0
    """Passages scored below this are left out."""
    mode: SearchMode = "hybrid"
    """By vector, by words, or by both with their rankings fused."""
    hybrid_alpha: Annotated[float, Field(ge=0, le=1)] | None = None
    """Weight of the vectors in hybrid mode. Left out: 0.5, or 0.25 for the embedder `local`, which sees words
    as the search by words does, but not how rare they are."""
    enable_hyde: Off = False
    """Search with an invented answer: in a later version."""
    enable_rerank: Off = False
    """Have a model put the passages in order: in a later version."""
    enable_multi_query: Off = False
    """Ask in several ways: in a later version."""

    later = {
        "hyde_llm": "it belongs to enable_hyde",
        "rerank_llm": "it belongs to enable_rerank",
        "rerank_max_results": "it belongs to enable_rerank",
        "multi_query_llm": "it belongs to enable_multi_query",
        "multi_query_count": "it belongs to enable_multi_query",
    }


class RetryConfig(Section):
    """How often something that may pass is tried again."""

    max_retries: Annotated[int, Field(ge=0, le=100)] = 3
    """Tries after the first, for one document; then the whole store waits and is tried again for ever."""
    base_delay: Duration = 1.0
    """Wait before the second try; doubled each time."""
    max_delay: Duration = 30.0
    """Longest wait between two tries."""
    jitter: bool = True
    """Wait a little less, by chance, so that not everybody comes back at once."""


class IndexingConfig(Section):
    """How a store is brought up to date."""

    max_concurrent: Annotated[int, Field(ge=1, le=256)] = 8
    """Documents read and embedded at once."""
    retry: RetryConfig = RetryConfig()
    """What happens when the embedder or the vector store does not answer."""


class DocumentStoreConfig(Section):
    """One entry of `document_stores:`. Its key is the name that agents and the search tool refer to."""

    source: SourceConfig = SourceConfig()
    """Where documents come from."""
    chunking: ChunkingConfig = ChunkingConfig()
    """How they are cut into passages."""
    vector_store: Annotated[str, RefersTo("vector_stores", also=[DEFAULT])] = DEFAULT
    """Where the passages are kept: an entry of `vector_stores`. Left out: the only one, or `default`."""
    embedder: Annotated[str, RefersTo("embedders", also=[DEFAULT])] = DEFAULT
    """Who makes the vectors: an entry of `embedders`. Left out: the only one, or `default`."""
    collection: str = ""
    """Collection in the vector store, for this document store alone. Left out: `documents.<name>`."""
    watch: bool = False
    """Take in changes as they happen."""
    incremental_indexing: bool = True
    """At the start read only what has changed. false reads and embeds everything again."""
    search: SearchConfig = SearchConfig()
    """How it is searched."""
    indexing: IndexingConfig = IndexingConfig()
    """How it is brought up to date."""

    later = {
        "mcp_parsers": "files are read as text",
        "enable_metadata_extraction": "",
        "metadata_languages": "",
        "paths": "a store reads one folder: source.path; declare a store for each",
        "batch_size": "a batch is as large as the embedder takes: embedders.<name>.batch_size",
        "cache_embeddings": "what has not changed is not embedded again: incremental_indexing",
    }

    @field_validator("collection")
    @classmethod
    def _named(cls, collection: str) -> str:
        if collection and not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", collection):
            message = "a collection is named with up to 128 letters, digits, '_', '-' and '.'"
            raise PydanticCustomError("collection", message)
        return collection


class DocumentSection(StorageSection):
    """What this room reads of the configuration."""

    document_stores: dict[Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,128}$")], DocumentStoreConfig] = {}
    """Document stores by name."""

    @field_validator("document_stores")
    @classmethod
    def _apart(cls, stores: dict[str, DocumentStoreConfig]) -> dict[str, DocumentStoreConfig]:
        owners: dict[tuple[str, str], str] = {}
        for name, store in stores.items():
            place = (store.vector_store, store.collection)
            if store.collection and place in owners:
                message = 'collection "{collection}" belongs to document store "{owner}"; use another'
                facts = {"collection": store.collection, "owner": owners[place]}
                raise PydanticCustomError("shared_collection", message, facts)
            owners[place] = name
        return stores
