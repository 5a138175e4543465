"""Records and filters to try vector stores with, and how a suite asks."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

import grpc
import pytest

from hector.common.v1 import Filter, Value
from hector.vector.v1 import (
    CreateCollectionRequest,
    DatabaseProviderStub,
    ScanVectorsRequest,
    SearchMode,
    SearchVectorsRequest,
    UpsertVectorsRequest,
    VectorRecord,
    VectorResult,
)
from hector_mesh import info_of

Answer = TypeVar("Answer")
Op = Filter.Compare

VECTOR = SearchMode.SEARCH_MODE_VECTOR
KEYWORD = SearchMode.SEARCH_MODE_KEYWORD
HYBRID = SearchMode.SEARCH_MODE_HYBRID


def packed(*floats: float) -> bytes:
    return struct.pack(f"<{len(floats)}f", *floats)


def value(plain: object) -> Value:
    match plain:
        case bool():
            return Value(bool_value=plain)
        case int():
            return Value(int_value=plain)
        case float():
            return Value(double_value=plain)
    return Value(string_value=str(plain))


def where(field: str, op: "Op.Op.ValueType", *values: object) -> Filter:
    return Filter(compare=Op(field=field, op=op, values=[value(each) for each in values]))


def both(*filters: Filter) -> Filter:
    return Filter(all=Filter.List(filters=filters))


def either(*filters: Filter) -> Filter:
    return Filter(any=Filter.List(filters=filters))


def without(inner: Filter) -> Filter:
    negated = Filter()
    getattr(negated, "not").CopyFrom(inner)
    return negated


def record(name: str, vector: Iterable[float], content: str = "", **metadata: object) -> VectorRecord:
    return VectorRecord(
        id=name, vector_f32=packed(*vector), content=content, metadata_json=json.dumps(metadata)
    )


def ids(results: Iterable[VectorResult | VectorRecord]) -> list[str]:
    return [each.id for each in results]


ROCK: dict[str, object] = {"rings": False, "about": {"kind": "rock"}}
GAS: dict[str, object] = {"rings": True, "about": {"kind": "gas"}}

PLANETS = [
    record("mercury", (1, 0, 0), "Mercury is small and close to the sun.", moons=0, **ROCK),
    record("earth", (0.9, 0.1, 0), "Earth has water and one moon.", moons=1, **ROCK),
    record("mars", (0.8, 0.3, 0), "Mars is red; its_rust_flag is iron.", moons=2, **ROCK),
    record("jupiter", (0, 1, 0.1), "Jupiter is the largest.", moons=95, by=["a", 1], **GAS),
    record("saturn", (0, 0.9, 0.3), "Saturn has famous rings.", moons=146, mean=0.5, **GAS),
]


class VectorCalls:
    """What a suite asks of a store; provide the fixture `vectors`."""

    @pytest.fixture
    def vectors(self) -> DatabaseProviderStub:
        raise NotImplementedError

    @pytest.fixture
    async def planets(self, vectors: DatabaseProviderStub) -> DatabaseProviderStub:
        await self.done(vectors.CreateCollection(CreateCollectionRequest(name="suite", dimension=3)))
        await self.put(vectors, *PLANETS)
        return vectors

    async def done(self, call: Awaitable[Answer]) -> Answer:
        async with asyncio.timeout(20):
            answer: Any = await call
        assert not getattr(answer, "error", "")
        found: Answer = answer
        return found

    async def refused(self, call: Awaitable[Any]) -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.done(call)
        assert info_of(refused.value).reason
        return refused.value

    async def put(self, vectors: DatabaseProviderStub, *records: VectorRecord) -> int:
        request = UpsertVectorsRequest(collection="suite", vectors=records, wait=True)
        answer = await self.done(vectors.UpsertVectors(request))
        assert not answer.item_errors
        return answer.upserted

    async def found(self, vectors: DatabaseProviderStub, **request: Any) -> list[VectorResult]:
        found = await self.done(vectors.SearchVectors(SearchVectorsRequest(collection="suite", **request)))
        return list(found.results)

    async def matching(self, vectors: DatabaseProviderStub, condition: Filter) -> set[str]:
        return set(ids(await self.found(vectors, vector_f32=packed(1, 1, 1), limit=100, filter=condition)))

    async def scanned(self, vectors: DatabaseProviderStub, **request: Any) -> list[str]:
        async with asyncio.timeout(20):
            batches = vectors.ScanVectors(ScanVectorsRequest(collection="suite", **request))
            return [each.id async for batch in batches for each in batch.vectors]
