"""A document's text becomes records for the vector store, and a record found becomes a passage again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import PurePosixPath

from hector.document.v1 import Passage
from hector.vector.v1 import VectorRecord, VectorResult
from hector_document import chunk
from hector_document.chunk import Chunk, chunks_of
from hector_document.compounds import parts_of, vocabulary
from hector_document.config import ChunkingConfig
from hector_document.directory import File
from hector_document.formats import extension_of, is_markdown

VERSION = 1
"""Changes when the same passage would be stored otherwise."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A passage on its way into the store: its record lacks the vector of its text."""

    text: str
    record: VectorRecord


def prepared(
    store: str, file: File, text: str, config: ChunkingConfig, *, extracted: bool = False
) -> list[Prepared]:
    """Cut a document into passages, each with where it comes from.

    Args:
        store: The document store.
        file: The document.
        text: What is in it.
        config: How to cut.
        extracted: A parser has made the text of something else: nobody knows its lines, its headings are
            Markdown.
    """
    chunks = chunks_of(text, config, markdown=extracted or is_markdown(file.document))
    if extracted:
        chunks = [replace(each, start_line=0, end_line=0) for each in chunks]
    known = vocabulary(text)
    return [_prepared(store, file, each, number, len(chunks), known) for number, each in enumerate(chunks)]


def chunk_ids(document: str, start: int, end: int) -> list[str]:
    """Return the ids of a document's passages by number."""
    return [f"{document}:chunk:{number}" for number in range(start, end)]


def pipeline_of(
    embedder: str, config: ChunkingConfig, folder: str, parsers: Mapping[str, str] | None = None
) -> str:
    """Return what a document's passages depend on besides its content: `<embedder>:<everything else>`."""
    depends = [
        VERSION,
        chunk.VERSION,
        config.model_dump(mode="json"),
        folder,
        *([parsers] if parsers else []),
    ]
    rest = json.dumps(depends, sort_keys=True)
    return f"{_hash(embedder.encode())}:{_hash(rest.encode())}"


def content_hash(content: bytes) -> str:
    return _hash(content)


def passage_of(store: str, found: VectorResult, score: float) -> Passage:
    """Return a record of `prepared` as it is shown to people."""
    about = json.loads(found.metadata_json or "{}")
    return Passage(
        document=about.get("document_id", found.id),
        document_store=store,
        content=found.content[about.get("text_start", 0) :],
        score=score,
        chunk_index=about.get("chunk_index", 0),
        source=about.get("source_path", ""),
        title=about.get("title", ""),
        start_line=about.get("start_line", 0),
        end_line=about.get("end_line", 0),
        metadata_json=found.metadata_json,
    )


def _prepared(
    store: str, file: File, passage: Chunk, number: int, total: int, known: frozenset[str]
) -> Prepared:
    headings = " > ".join(passage.path)
    title = headings or PurePosixPath(file.document).name
    # Who asks for something in the words of a heading or a file name must find what stands below it.
    hidden = " ".join(parts_of(f"{PurePosixPath(file.document).stem} {headings}", known))
    above = "\n".join(line for line in (file.source, headings, hidden) if line) + "\n\n"
    about = {
        "document_store": store,
        "document_id": file.document,
        "source_path": file.source,
        "extension": extension_of(file.document),
        "title": title,
        "keywords": hidden,
        "chunk_index": number,
        "chunk_total": total,
        "start_line": passage.start_line,
        "end_line": passage.end_line,
        "text_start": len(above),
    }
    text = above + passage.text
    (name,) = chunk_ids(file.document, number, number + 1)
    record = VectorRecord(id=name, content=text, metadata_json=json.dumps(about, ensure_ascii=False))
    return Prepared(text, record)


def with_vectors(passages: Sequence[Prepared], vectors: Sequence[bytes]) -> list[VectorRecord]:
    """Return records that are complete."""
    records = [passage.record for passage in passages]
    for record, vector in zip(records, vectors, strict=True):
        record.vector_f32 = vector
    return records


def _hash(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
