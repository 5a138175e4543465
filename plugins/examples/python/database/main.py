"""A vector store in memory that compares with every record; put your own store in its place."""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from filters import holds
from grpc import StatusCode

from hector.vector.v1 import (
    METRIC_COSINE,
    METRIC_DOT,
    METRIC_EUCLIDEAN,
    SEARCH_MODE_VECTOR,
    CreateCollectionRequest,
    CreateCollectionResponse,
    DatabaseProviderServicer,
    DeleteCollectionRequest,
    DeleteCollectionResponse,
    DeleteVectorsRequest,
    DeleteVectorsResponse,
    SearchVectorsRequest,
    SearchVectorsResponse,
    UpsertVectorsRequest,
    UpsertVectorsResponse,
    VectorRecord,
    VectorResult,
)
from hector_plugin import serve
from hector_plugin.errors import InvalidArgument, NotFound, PluginError

METRICS = (METRIC_COSINE, METRIC_DOT, METRIC_EUCLIDEAN)


class CollectionMismatch(PluginError):
    code = StatusCode.FAILED_PRECONDITION
    reason = "COLLECTION_MISMATCH"


class CollectionNotFound(NotFound):
    reason = "COLLECTION_NOT_FOUND"


@dataclass
class Collection:
    dimension: int
    metric: int
    records: dict[str, tuple[Sequence[float], VectorRecord]] = field(default_factory=dict)


class NoWords(PluginError):
    code = StatusCode.UNIMPLEMENTED  # the caller does without, and searches by vector alone
    reason = "SEARCH_MODE_UNKNOWN"


class Store(DatabaseProviderServicer):
    def __init__(self) -> None:
        self.collections: dict[str, Collection] = {}

    async def CreateCollection(
        self, request: CreateCollectionRequest, context: object
    ) -> CreateCollectionResponse:
        if not request.name or not request.dimension or (request.metric or METRIC_COSINE) not in METRICS:
            raise InvalidArgument("a collection needs a name, a dimension, and a metric that is known")
        asked = Collection(request.dimension, request.metric or METRIC_COSINE)
        there = self.collections.setdefault(request.name, asked)
        if (there.dimension, there.metric) != (asked.dimension, asked.metric):
            raise CollectionMismatch(f"{request.name} has {there.dimension} dimensions, or another metric")
        return CreateCollectionResponse(success=True)

    async def DeleteCollection(
        self, request: DeleteCollectionRequest, context: object
    ) -> DeleteCollectionResponse:
        self.collections.pop(request.name, None)
        return DeleteCollectionResponse(success=True)

    async def UpsertVectors(self, request: UpsertVectorsRequest, context: object) -> UpsertVectorsResponse:
        collection = self.named(request.collection)
        new = {record.id: (floats(record, collection), record) for record in request.vectors}
        if not all(new):
            raise InvalidArgument("every record needs an id")
        collection.records |= new
        return UpsertVectorsResponse(success=True, upserted=len(new))

    async def SearchVectors(self, request: SearchVectorsRequest, context: object) -> SearchVectorsResponse:
        if request.mode != SEARCH_MODE_VECTOR and (request.mode or request.text):
            raise NoWords("this store searches by vector, and not by words")
        collection = self.named(request.collection)
        query = floats(request, collection)
        found = [
            (score(collection.metric, query, vector), record)
            for vector, record in collection.records.values()
        ]
        if request.HasField("threshold"):
            found = [one for one in found if one[0] >= request.threshold]
        if request.HasField("filter"):
            found = [one for one in found if holds(request.filter, metadata_of(one[1]))]
        found.sort(key=lambda one: (-one[0], one[1].id))
        return SearchVectorsResponse(
            success=True,
            results=[
                VectorResult(
                    id=record.id, score=value, content=record.content, metadata_json=record.metadata_json
                )
                for value, record in found[request.offset :][: request.limit or 10]
            ],
        )

    async def DeleteVectors(self, request: DeleteVectorsRequest, context: object) -> DeleteVectorsResponse:
        if not request.ids and not request.HasField("filter"):
            raise InvalidArgument("say which records to delete: ids or a filter")
        records = self.named(request.collection).records
        doomed = {name for name in request.ids if name in records}
        if request.HasField("filter"):
            doomed |= {
                name for name, (_, record) in records.items() if holds(request.filter, metadata_of(record))
            }
        for name in doomed:
            del records[name]
        return DeleteVectorsResponse(success=True, deleted=len(doomed))

    def named(self, name: str) -> Collection:
        if name not in self.collections:
            raise CollectionNotFound(f"there is no collection {name!r}")
        return self.collections[name]


def floats(given: VectorRecord | SearchVectorsRequest, collection: Collection) -> Sequence[float]:
    packed = given.vector_f32
    if len(packed) % 4:
        raise InvalidArgument(f"vector_f32 has {len(packed)} bytes, and not four for each number")
    vector = struct.unpack(f"<{len(packed) // 4}f", packed) if packed else tuple(given.vector)
    if len(vector) != collection.dimension:
        raise InvalidArgument(f"found {len(vector)} dimensions, allowed: {collection.dimension}")
    return vector


def score(metric: int, one: Sequence[float], other: Sequence[float]) -> float:
    if metric == METRIC_EUCLIDEAN:
        return -math.dist(one, other)
    dot = math.fsum(map(float.__mul__, one, other))
    return dot if metric == METRIC_DOT else dot / (math.hypot(*one) * math.hypot(*other) or 1.0)


def metadata_of(record: VectorRecord) -> dict[str, object]:
    found = json.loads(record.metadata_json or "{}")
    return found if isinstance(found, dict) else {}


if __name__ == "__main__":
    serve(Store(), name="example-database", version="1.0.0")
