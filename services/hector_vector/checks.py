"""What a request to the embedded store must look like; a refusal says what was found and what is allowed."""

import json
import re
from math import isfinite
from typing import TYPE_CHECKING

from hector.common.v1 import Filter
from hector.vector.v1 import (
    CreateCollectionRequest,
    DeleteVectorsRequest,
    Metric,
    ScanVectorsRequest,
    SearchMode,
    SearchVectorsRequest,
    UpsertVectorsRequest,
    VectorRecord,
)
from hector_vector.errors import VectorRequestRefused, VectorsUnsupported, WrongDimension

if TYPE_CHECKING:
    from hector_vector.file import Row
    from hector_vector.matrix import Floats

LONGEST_DIMENSION = 8_192
MOST_RESULTS = 10_000
LONGEST_TEXT = 100_000
_MOST_BYTES = 48 * 1024 * 1024
_LONGEST_ID_BYTES = 512
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_PAGE, _LONGEST_PAGE = 100, 1_000
_BATCH, _LONGEST_BATCH = 500, 5_000


def creation(request: CreateCollectionRequest) -> Metric.ValueType:
    """Return the metric of a collection that may be made."""
    if not _NAME.fullmatch(request.name):
        raise VectorRequestRefused(
            f"collection name {request.name[:140]!r} is not allowed: up to 128 of A-Z a-z 0-9 _ - ."
        )
    if not 1 <= request.dimension <= LONGEST_DIMENSION:
        raise VectorRequestRefused(
            f"dimension {request.dimension} is not allowed: 1 to {LONGEST_DIMENSION}", found=request.dimension
        )
    if request.sparse:
        raise VectorsUnsupported("the embedded store keeps no sparse vectors; use a store that does")
    metric = request.metric or Metric.METRIC_COSINE
    if metric not in Metric.values():
        raise VectorsUnsupported(f"the embedded store does not know metric {request.metric}")
    return metric


def size(request: UpsertVectorsRequest) -> None:
    """Refuse more than fits one call."""
    if request.ByteSize() > _MOST_BYTES:
        raise VectorRequestRefused(
            f"{request.ByteSize()} bytes of records in one call, at most {_MOST_BYTES} are allowed",
            found=request.ByteSize(),
            allowed=_MOST_BYTES,
        )


def row(collection: str, record: VectorRecord, dimension: int) -> "Row":
    """Return a record as it is stored."""
    from hector_vector.file import Row

    if not record.id or len(record.id.encode()) > _LONGEST_ID_BYTES:
        length = len(record.id.encode())
        raise VectorRequestRefused(
            f"record id {record.id[:40]!r} has {length} bytes, 1 to {_LONGEST_ID_BYTES} are allowed",
            found=length,
        )
    if record.HasField("sparse"):
        raise VectorsUnsupported("the embedded store keeps no sparse vectors; use a store that does")
    vector = _floats(collection, f"record {record.id!r}", record, dimension)
    metadata = record.metadata_json or "{}"
    try:
        title = title_of(metadata)
    except ValueError:
        raise VectorRequestRefused(
            f"the metadata of record {record.id!r} is not a JSON object: {metadata[:80]!r}"
        ) from None
    return Row(record.id, vector.astype("<f4").tobytes(), record.content, metadata, title)


def title_of(metadata: str) -> str:
    """Return the words of a record's metadata that count more in keyword search: `title` and `keywords`.

    Raises:
        ValueError: It is not a JSON object.
    """
    parsed = json.loads(metadata, parse_constant=_no_json)
    if not isinstance(parsed, dict):
        raise ValueError("not an object")
    found = (parsed.get("title"), parsed.get("keywords"))
    return " ".join(words for words in found if isinstance(words, str))


def search(request: SearchVectorsRequest) -> tuple[SearchMode.ValueType, int]:
    """Return how to search, and for how many."""
    limit = request.limit or 10
    if request.offset + limit > MOST_RESULTS:
        raise VectorRequestRefused(
            f"offset {request.offset} and limit {limit} reach beyond the first {MOST_RESULTS} results"
        )
    if len(request.text) > LONGEST_TEXT:
        raise VectorRequestRefused(
            f"a text of {len(request.text)} characters, at most {LONGEST_TEXT} allowed"
        )
    if request.HasField("sparse"):
        raise VectorsUnsupported("the embedded store keeps no sparse vectors; use a store that does")
    if not 0 <= request.hybrid_alpha <= 1:
        raise VectorRequestRefused(f"hybrid_alpha {request.hybrid_alpha} is not allowed: 0 to 1")
    has_vector, has_text = bool(request.vector_f32 or request.vector), bool(request.text)
    mode = request.mode
    if mode == SearchMode.SEARCH_MODE_UNSPECIFIED:
        if has_vector and has_text:
            mode = SearchMode.SEARCH_MODE_HYBRID
        else:
            mode = SearchMode.SEARCH_MODE_VECTOR if has_vector else SearchMode.SEARCH_MODE_KEYWORD
    if mode not in SearchMode.values():
        raise VectorsUnsupported(f"the embedded store does not know search mode {mode}")
    if mode != SearchMode.SEARCH_MODE_VECTOR and not has_text:
        raise VectorRequestRefused("there is nothing to search for: give a vector, a text, or both")
    if mode != SearchMode.SEARCH_MODE_KEYWORD and not has_vector:
        raise VectorRequestRefused(f"{SearchMode.Name(mode)} needs a vector")
    return mode, limit


def query_vector(request: SearchVectorsRequest, dimension: int) -> "Floats":
    """Return the vector to be near to."""
    return _floats(request.collection, "the query", request, dimension)


def deletion(request: DeleteVectorsRequest) -> Filter | None:
    """Return the filter of a deletion that says what to delete."""
    if not request.ids and not request.HasField("filter"):
        raise VectorRequestRefused("name records by ids or by filter; DeleteCollection removes everything")
    return request.filter if request.HasField("filter") else None


def scan(request: ScanVectorsRequest) -> tuple[int, Filter | None]:
    """Return how many records go into a message, and what must hold for them."""
    batch = min(request.batch_size or _BATCH, _LONGEST_BATCH)
    return batch, request.filter if request.HasField("filter") else None


def page_size(wanted: int) -> int:
    """Return how many entries go on a page."""
    if wanted < 0:
        raise VectorRequestRefused(f"page_size {wanted} is not allowed: 0 to {_LONGEST_PAGE}", found=wanted)
    return min(wanted or _PAGE, _LONGEST_PAGE)


def _floats(
    collection: str, what: str, message: VectorRecord | SearchVectorsRequest, dimension: int
) -> "Floats":
    import numpy as np

    packed = message.vector_f32
    if len(packed) % 4:
        raise VectorRequestRefused(
            f"the packed vector of {what} has {len(packed)} bytes, no multiple of four"
        )
    found = np.frombuffer(packed, dtype="<f4") if packed else np.array(message.vector, dtype=np.float32)
    if len(found) != dimension:
        raise WrongDimension(collection, what, len(found), dimension)
    if not isfinite(float(np.dot(found, found))):
        raise VectorRequestRefused(
            f"the vector of {what} has an infinite or missing number in it, or is too long"
        )
    return found.astype(np.float32, copy=False)


def _no_json(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
