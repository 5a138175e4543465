"""A vector store in memory that looks at everything."""

import json
import math
import struct

from grpc import StatusCode

from hector.common.v1 import Filter
from hector.vector.v1 import (
    METRIC_COSINE,
    METRIC_DOT,
    METRIC_EUCLIDEAN,
    SEARCH_MODE_VECTOR,
    CreateCollectionResponse,
    DatabaseProviderServicer,
    DeleteCollectionResponse,
    DeleteVectorsResponse,
    SearchVectorsResponse,
    UpsertVectorsResponse,
    VectorResult,
)

Op = Filter.Compare


def floats(loose, packed, *, ignore=False):
    if packed and not ignore:
        return struct.unpack(f"<{len(packed) // 4}f", packed)
    return tuple(loose)


class Store(DatabaseProviderServicer):
    def __init__(self, broken, refuse):
        self.broken, self.refuse = broken, refuse
        self.made = {}
        self.kept = {}

    async def there(self, name, context):
        if name not in self.made:
            await self.refuse(context, StatusCode.NOT_FOUND, "COLLECTION_NOT_FOUND", name, self.broken)

    async def CreateCollection(self, request, context):
        asked = (request.dimension, request.metric or METRIC_COSINE)
        if self.made.setdefault(request.name, asked) != asked and "DB1" not in self.broken:
            await self.refuse(context, StatusCode.FAILED_PRECONDITION, "COLLECTION_MISMATCH", "another")
        self.kept.setdefault(request.name, {})
        return CreateCollectionResponse(success=True)

    async def DeleteCollection(self, request, context):
        self.made.pop(request.name, None)
        self.kept.pop(request.name, None)
        return DeleteCollectionResponse(success=True)

    async def UpsertVectors(self, request, context):
        await self.there(request.collection, context)
        kept = self.kept[request.collection]
        for record in request.vectors:
            if "DB10" in self.broken and len(kept) >= 5000:
                break
            name = record.id
            while "DB8" in self.broken and name in kept:
                name += "'"
            kept[name] = record
        return UpsertVectorsResponse(success=True, upserted=len(request.vectors))

    async def SearchVectors(self, request, context):
        if request.mode > SEARCH_MODE_VECTOR and "DB12" not in self.broken:
            await self.refuse(context, StatusCode.UNIMPLEMENTED, "SEARCH_MODE_UNKNOWN", "no words")
        await self.there(request.collection, context)
        metric = METRIC_COSINE if "DB3" in self.broken else self.made[request.collection][1]
        query = floats(
            request.vector, request.vector_f32, ignore="DB7" in self.broken and bool(request.vector)
        )
        found = []
        for name, record in self.kept[request.collection].items():
            vector = floats(record.vector, record.vector_f32)
            value = score(metric, query, vector)
            metadata = json.loads(record.metadata_json or "{}")
            if request.HasField("threshold") and value < request.threshold and "DB4" not in self.broken:
                continue
            if (
                "DB5" not in self.broken
                and request.HasField("filter")
                and not holds(request.filter, metadata)
            ):
                continue
            found.append(
                VectorResult(id=name, score=value, content=record.content, metadata_json=record.metadata_json)
            )
        found.sort(key=lambda one: one.score, reverse="DB2" not in self.broken)
        limit = request.limit or (100 if "DB9" in self.broken else 10)
        return SearchVectorsResponse(success=True, results=found[request.offset : request.offset + limit])

    async def DeleteVectors(self, request, context):
        if not request.ids and not request.HasField("filter"):
            await self.refuse(context, StatusCode.INVALID_ARGUMENT, "NOTHING_NAMED", "what", self.broken)
        await self.there(request.collection, context)
        kept = self.kept[request.collection]
        for name in request.ids if "DB6" not in self.broken else ():
            kept.pop(name, None)
        if request.HasField("filter"):
            if request.filter.WhichOneof("node") is None:
                if "DB11" in self.broken:
                    kept.clear()
                else:
                    await self.refuse(context, StatusCode.UNIMPLEMENTED, "OPERATOR_UNKNOWN", "no condition")
            for name, record in tuple(kept.items()):
                if holds(request.filter, json.loads(record.metadata_json or "{}")):
                    del kept[name]
        return DeleteVectorsResponse(success=True, deleted=len(request.ids))


def score(metric, one, other):
    dot = sum(x * y for x, y in zip(one, other, strict=True))
    if metric == METRIC_DOT:
        return dot
    if metric == METRIC_EUCLIDEAN:
        return -math.dist(one, other)
    return dot / ((math.hypot(*one) * math.hypot(*other)) or 1.0)


def holds(condition, metadata):
    node = condition.WhichOneof("node")
    if node == "all":
        return all(holds(one, metadata) for one in condition.all.filters)
    if node == "any":
        return any(holds(one, metadata) for one in condition.any.filters)
    if node == "not":
        return not holds(getattr(condition, "not"), metadata)
    compare = condition.compare
    values = [getattr(value, value.WhichOneof("kind")) for value in compare.values]
    found = metadata.get(compare.field)
    there = compare.field in metadata
    return {
        Op.OP_EQ: lambda: there and found == values[0],
        Op.OP_NE: lambda: found != values[0],
        Op.OP_LT: lambda: there and found < values[0],
        Op.OP_LE: lambda: there and found <= values[0],
        Op.OP_GT: lambda: there and found > values[0],
        Op.OP_GE: lambda: there and found >= values[0],
        Op.OP_IN: lambda: found in values,
        Op.OP_NOT_IN: lambda: found not in values,
        Op.OP_CONTAINS: lambda: there and values[0] in found,
        Op.OP_EXISTS: lambda: there,
    }[compare.op]()
