"""A collection of planets at a plugin under test, and what a store that looks at everything says of it."""

import json
import math
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from grpc import StatusCode

from hector.common.v1 import Filter, Value
from hector.vector.v1 import (
    METRIC_COSINE,
    METRIC_DOT,
    METRIC_EUCLIDEAN,
    CreateCollectionRequest,
    DatabaseProviderStub,
    DeleteCollectionRequest,
    Metric,
    SearchVectorsRequest,
    UpsertVectorsRequest,
    VectorRecord,
    VectorResult,
)

from .checks import Broken, NotApplicable
from .connected import Plugin
from .stage import Stage

NAME = "conformance"
DIMENSION = 8
Op = Filter.Compare
Vector = Sequence[float]


class Planet(NamedTuple):
    """A record to search for."""

    id: str
    vector: Vector
    moons: int
    kind: str


PLANETS = (
    Planet("mercury", (1.0, 0, 0, 0, 0, 0, 0, 0), 0, "rock"),
    Planet("earth", (0.9, 0.1, 0, 0, 0, 0, 0, 0), 1, "rock"),
    Planet("mars", (0.8, 0.3, 0, 0, 0, 0, 0, 0), 2, "rock"),
    Planet("jupiter", (0, 1.0, 0.1, 0, 0, 0, 0, 0), 95, "gas"),
    Planet("saturn", (0, 0.9, 0.3, 0, 0, 0, 0, 0), 146, "gas"),
)


def packed(vector: Vector) -> bytes:
    """Return a vector as little-endian float32."""
    return struct.pack(f"<{len(vector)}f", *vector)


SCORES: dict[int, Callable[[Vector, Vector], float]] = {
    METRIC_COSINE: lambda a, b: _dot(a, b) / (_length(a) * _length(b)),
    METRIC_DOT: lambda a, b: _dot(a, b),
    METRIC_EUCLIDEAN: lambda a, b: -math.dist(a, b),
}


class NoMetric(NotApplicable):
    """The store cannot measure nearness so."""


@asynccontextmanager
async def collection(
    stage: Stage, metric: "Metric.ValueType" = METRIC_COSINE, dimension: int = DIMENSION
) -> AsyncIterator[Plugin]:
    """Make an empty collection, and take it away again.

    Raises:
        NoMetric: It refuses the metric, which is not cosine.
    """
    plugin = await stage.shared()
    await plugin.answer(DatabaseProviderStub, "DeleteCollection", DeleteCollectionRequest(name=NAME))
    request = CreateCollectionRequest(name=NAME, dimension=dimension, metric=metric)
    made = await plugin.answer(DatabaseProviderStub, "CreateCollection", request)
    refused = made.code in (StatusCode.UNIMPLEMENTED, StatusCode.INVALID_ARGUMENT)
    if refused and metric != METRIC_COSINE:
        raise NoMetric(f"it has no {Metric.Name(metric)}")
    if made.code is not StatusCode.OK or made.response.error:
        raise Broken(str(made))
    try:
        yield plugin
    finally:
        sent = plugin.sent
        await plugin.answer(DatabaseProviderStub, "DeleteCollection", DeleteCollectionRequest(name=NAME))
        plugin.sent = sent


@asynccontextmanager
async def filled(stage: Stage) -> AsyncIterator[Plugin]:
    """Make a collection with the planets in it."""
    async with collection(stage) as plugin:
        records = [
            VectorRecord(
                id=planet.id,
                vector_f32=packed(planet.vector),
                content=f"{planet.id} is a planet.",
                metadata_json=json.dumps({"moons": planet.moons, "kind": planet.kind}),
            )
            for planet in PLANETS
        ]
        await put(plugin, records)
        yield plugin


async def put(plugin: Plugin, records: Sequence[VectorRecord]) -> None:
    """Put records in, and wait until they can be found."""
    request = UpsertVectorsRequest(collection=NAME, vectors=records, wait=True)
    answer = await done(plugin, "UpsertVectors", request)
    if answer.item_errors:
        raise Broken(f"item_errors: {answer.item_errors[0].message}")


async def search(plugin: Plugin, vector: Vector, **more: Any) -> list[VectorResult]:
    """Return what is nearest."""
    request = SearchVectorsRequest(collection=NAME, vector_f32=packed(vector), **more)
    return list((await done(plugin, "SearchVectors", request)).results)


async def done(plugin: Plugin, rpc: str, request: Any) -> Any:
    """Make a call that has to work."""
    answer = await plugin.call(DatabaseProviderStub, rpc, request)
    if answer.error:
        raise Broken(f"error: {answer.error}")
    return answer


def where(field: str, op: "Op.Op.ValueType", *values: str | int) -> Filter:
    """Return a condition on one field."""
    wrapped = [
        Value(int_value=value) if isinstance(value, int) else Value(string_value=value) for value in values
    ]
    return Filter(compare=Op(field=field, op=op, values=wrapped))


def both(*inner: Filter) -> Filter:
    """Return what holds where all hold."""
    return Filter(all=Filter.List(filters=inner))


def either(*inner: Filter) -> Filter:
    """Return what holds where one holds."""
    return Filter(any=Filter.List(filters=inner))


def without(inner: Filter) -> Filter:
    """Return what holds where another does not."""
    negated = Filter()
    getattr(negated, "not").CopyFrom(inner)  # a word of Python's
    return negated


def _dot(one: Vector, other: Vector) -> float:
    return sum(x * y for x, y in zip(one, other, strict=True))


def _length(vector: Vector) -> float:
    return math.sqrt(_dot(vector, vector)) or 1.0
