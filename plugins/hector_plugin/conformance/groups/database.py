"""DB: vector stores, against an oracle that looks at everything."""

import json
import math
import random
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from grpc import StatusCode

from hector.common.v1 import Filter, Value
from hector.plugin.v1 import PLUGIN_KIND_DATABASE_PROVIDER as DATABASE
from hector.vector.v1 import (
    METRIC_COSINE,
    METRIC_DOT,
    METRIC_EUCLIDEAN,
    CreateCollectionRequest,
    DatabaseProviderStub,
    DeleteCollectionRequest,
    DeleteVectorsRequest,
    Metric,
    SearchVectorsRequest,
    UpsertVectorsRequest,
    VectorRecord,
    VectorResult,
)

from ..checks import MUST, SHOULD, Broken, NotApplicable, check  # noqa: TID252
from ..connected import Plugin  # noqa: TID252
from ..stage import Stage  # noqa: TID252

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


@check(
    "DB1",
    MUST,
    "making a collection twice does nothing; another definition is a mismatch",
    kind=DATABASE,
    rule="CreateCollection of what is there with the same definition does nothing; with another dimension it "
    "is "
    "FAILED_PRECONDITION",
    mend="compare with what is there before you create",
)
async def idempotent(stage: Stage) -> None:
    async with _filled(stage) as plugin:
        await _done(plugin, "CreateCollection", CreateCollectionRequest(name=NAME, dimension=DIMENSION))
        if len(await _search(plugin, PLANETS[0].vector, limit=10)) != len(PLANETS):
            raise Broken("the records are gone", "CreateCollection once more")
        other = CreateCollectionRequest(name=NAME, dimension=DIMENSION + 1)
        found = await plugin.answer(DatabaseProviderStub, "CreateCollection", other)
        if found.code is not StatusCode.FAILED_PRECONDITION:
            raise Broken(str(found))


@check(
    "DB2",
    MUST,
    "it finds what is nearest",
    kind=DATABASE,
    rule="SearchVectors returns the nearest records, best first, as comparing with every record does",
    mend="sort by score, highest first; set wait so that a search sees what was put in",
)
async def nearest(stage: Stage) -> None:
    chance = random.Random(7)
    records = [(f"r{number}", [chance.gauss(0, 1) for _ in range(DIMENSION)]) for number in range(200)]
    async with _collection(stage) as plugin:
        await _put(plugin, [VectorRecord(id=name, vector_f32=packed(vector)) for name, vector in records])
        for _ in range(5):
            query = [chance.gauss(0, 1) for _ in range(DIMENSION)]
            best = sorted(records, key=lambda one: -SCORES[METRIC_COSINE](query, one[1]))[:10]
            found = await _search(plugin, query, limit=10)
            same = len({one.id for one in found} & {name for name, _ in best})
            if same < 9:  # an index that is not exact may miss one
                raise Broken(f"{same} of the 10 nearest are among {len(found)} results")
            scores = [one.score for one in found]
            if scores != sorted(scores, reverse=True):
                raise Broken("the best is not first")


@check(
    "DB3",
    MUST,
    "higher is better, whatever the metric",
    kind=DATABASE,
    rule="scores are cosine, dot product, or the negative Euclidean distance; a metric that it cannot do is "
    "an error",
    mend="turn distances into negative numbers; refuse a metric that you do not have",
)
async def metrics(stage: Stage) -> None:
    records = {"same": (1.0, 0.0), "long": (10.0, 0.0), "other": (0.0, 1.0)}
    for metric, score in SCORES.items():
        async with _collection(stage, metric=metric, dimension=2) as plugin:  # type: ignore[arg-type]
            await _put(plugin, [VectorRecord(id=name, vector_f32=packed(of)) for name, of in records.items()])
            found = await _search(plugin, (1.0, 0.0), limit=10)
            wanted = sorted(records, key=lambda name: -score((1.0, 0.0), records[name]))
            for one in found:
                if abs(one.score - score((1.0, 0.0), records[one.id])) > 1e-3:
                    name = Metric.Name(metric)  # type: ignore[arg-type]  # an enum's value
                    raise Broken(f"{name}: {one.id} has {one.score:.3f}; the best is {wanted[0]}")


@check(
    "DB4",
    MUST,
    "a threshold leaves out what is below it",
    kind=DATABASE,
    rule="results with a score below threshold are left out; unset, none are; zero is zero",
    mend="look whether threshold is set (HasField), and compare with the score as you return it",
)
async def threshold(stage: Stage) -> None:
    async with _filled(stage) as plugin:
        opposite = VectorRecord(id="opposite", vector_f32=packed([-x for x in PLANETS[0].vector]))
        await _put(plugin, [opposite])
        for limit, wanted in ((None, True), (0.0, False), (0.9, False)):
            request = SearchVectorsRequest(collection=NAME, vector_f32=packed(PLANETS[0].vector), limit=100)
            if limit is not None:
                request.threshold = limit
            found = {one.id for one in (await _done(plugin, "SearchVectors", request)).results}
            if ("opposite" in found) is not wanted:
                raise Broken(f"threshold {limit}: {', '.join(sorted(found))}")


@check(
    "DB5",
    MUST,
    "a filter holds, or is an error",
    kind=DATABASE,
    rule="every operator of hector.common.v1.Filter gives what it says, or the call fails with "
    "UNIMPLEMENTED; "
    "a clause is never left out",
    mend="translate the whole tree; refuse an operator that you do not have",
)
async def filters(stage: Stage) -> None:
    rocks, gas = {"mercury", "earth", "mars"}, {"jupiter", "saturn"}
    async with _filled(stage) as plugin:
        for condition, wanted in (
            (_where("kind", Op.OP_EQ, "rock"), rocks),
            (_where("kind", Op.OP_NE, "rock"), gas),
            (_where("moons", Op.OP_LT, 1), {"mercury"}),
            (_where("moons", Op.OP_LE, 1), {"mercury", "earth"}),
            (_where("moons", Op.OP_GT, 95), {"saturn"}),
            (_where("moons", Op.OP_GE, 95), gas),
            (_where("moons", Op.OP_IN, 0, 146), {"mercury", "saturn"}),
            (_where("moons", Op.OP_NOT_IN, 0, 146), {"earth", "mars", "jupiter"}),
            (_where("kind", Op.OP_CONTAINS, "oc"), rocks),
            (_where("moons", Op.OP_EXISTS), rocks | gas),
            (_where("absent", Op.OP_EXISTS), set()),
            (_both(_where("kind", Op.OP_EQ, "rock"), _where("moons", Op.OP_GE, 1)), {"earth", "mars"}),
            (_either(_where("moons", Op.OP_EQ, 0), _where("moons", Op.OP_EQ, 95)), {"mercury", "jupiter"}),
            (_without(_where("kind", Op.OP_EQ, "gas")), rocks),
        ):
            request = SearchVectorsRequest(
                collection=NAME, vector_f32=packed([1.0] * DIMENSION), limit=100, filter=condition
            )
            found = await plugin.answer(DatabaseProviderStub, "SearchVectors", request)
            if found.code is StatusCode.OK and not found.response.error:
                names = {one.id for one in found.response.results}
                if names != wanted:
                    raise Broken(
                        f"{', '.join(sorted(names)) or 'nothing'}; right is {', '.join(sorted(wanted))}"
                    )
            elif found.code not in (StatusCode.UNIMPLEMENTED, StatusCode.OK):
                raise Broken(str(found))


@check(
    "DB6",
    MUST,
    "what is deleted is gone",
    kind=DATABASE,
    rule="DeleteVectors removes by id and by filter; DeleteCollection removes all, also when nothing is "
    "there",
    mend="take unknown ids and collections for deleted",
)
async def deleted(stage: Stage) -> None:
    async with _filled(stage) as plugin:
        await _done(plugin, "DeleteVectors", DeleteVectorsRequest(collection=NAME, ids=["mars", "pluto"]))
        left = {one.id for one in await _search(plugin, PLANETS[0].vector, limit=100)}
        if left != {"mercury", "earth", "jupiter", "saturn"}:
            raise Broken(
                f"there are {', '.join(sorted(left))}", "DeleteVectors of mars and of an id that is not there"
            )
        for _ in range(2):
            await _done(plugin, "DeleteCollection", DeleteCollectionRequest(name=NAME))
        request = SearchVectorsRequest(collection=NAME, vector_f32=packed(PLANETS[0].vector))
        found = await plugin.answer(DatabaseProviderStub, "SearchVectors", request)
        if found.code is not StatusCode.NOT_FOUND:
            raise Broken(f"{found}, after DeleteCollection")


@check(
    "DB7",
    MUST,
    "a vector may come in either form",
    kind=DATABASE,
    rule="`vector` and `vector_f32` mean the same in records and searches; vector_f32 wins where both are "
    "set",
    mend="read vector_f32 if it is not empty, else vector",
)
async def either_form(stage: Stage) -> None:
    async with _filled(stage) as plugin:
        loose = (0, 0, 0, 0, 0, 0, 0, 1.0)
        await _put(plugin, [VectorRecord(id="loose", vector=loose)])
        for request in (
            SearchVectorsRequest(collection=NAME, vector=loose, limit=1),
            SearchVectorsRequest(
                collection=NAME, vector=PLANETS[0].vector, vector_f32=packed(loose), limit=1
            ),
        ):
            found = (await _done(plugin, "SearchVectors", request)).results
            if [one.id for one in found] != ["loose"]:
                raise Broken(f"{', '.join(one.id for one in found) or 'nothing'}, and not loose")


@check(
    "DB8",
    MUST,
    "the same id replaces, and content and metadata come back",
    kind=DATABASE,
    rule="UpsertVectors replaces the record with the same id; results have its content and metadata_json",
    mend="key records by id; keep content and metadata as they came",
)
async def replaces(stage: Stage) -> None:
    async with _filled(stage) as plugin:
        new = VectorRecord(
            id="mercury",
            vector_f32=packed((0, 0, 0, 0, 0, 0, 1.0, 0)),
            content="Quicksilver.",
            metadata_json='{"new": true, "n": 9007199254740993}',
        )
        await _put(plugin, [new])
        (found,) = await _search(plugin, (0, 0, 0, 0, 0, 0, 1.0, 0), limit=1)
        if found.id != "mercury" or found.content != "Quicksilver.":
            raise Broken(f"{found.id}: {found.content[:80]!r}")
        if json.loads(found.metadata_json or "{}") != {"new": True, "n": 9007199254740993}:
            raise Broken(f"metadata {found.metadata_json[:120]}")
        if len(await _search(plugin, PLANETS[0].vector, limit=100)) != len(PLANETS):
            raise Broken("there are two of it")


@check(
    "DB9",
    MUST,
    "without a limit there are ten, and an offset skips",
    kind=DATABASE,
    rule="limit 0 means 10; offset leaves out the best",
    mend="take zero for 10",
)
async def ten(stage: Stage) -> None:
    async with _collection(stage) as plugin:
        vectors = [[1.0, number / 100, *([0.0] * (DIMENSION - 2))] for number in range(20)]
        await _put(
            plugin, [VectorRecord(id=f"r{at:02}", vector_f32=packed(of)) for at, of in enumerate(vectors)]
        )
        found = [one.id for one in await _search(plugin, vectors[0])]
        if len(found) != 10:
            raise Broken(f"{len(found)} results")
        skipped = [one.id for one in await _search(plugin, vectors[0], limit=3, offset=2)]
        if skipped != found[2:5]:
            raise Broken(f"{', '.join(skipped)}, and not {', '.join(found[2:5])}")


@check(
    "DB10",
    SHOULD,
    "ten thousand records are no trouble",
    kind=DATABASE,
    rule="10,000 records in batches of 500 are taken, and each is found by its own vector",
    mend="write a batch at once, and not record by record",
)
async def many(stage: Stage) -> None:
    chance = random.Random(11)
    vectors = [[chance.gauss(0, 1) for _ in range(DIMENSION)] for _ in range(10_000)]
    async with _collection(stage) as plugin:
        for begin in range(0, len(vectors), 500):
            batch = enumerate(vectors[begin : begin + 500], begin)
            await _put(plugin, [VectorRecord(id=f"r{at}", vector_f32=packed(of)) for at, of in batch])
        missed = []
        for at in range(0, len(vectors), 500):
            found = await _search(plugin, vectors[at], limit=1)
            if [one.id for one in found] != [f"r{at}"]:
                missed.append(at)
        if len(missed) > 1:
            raise Broken(f"{len(missed)} of 20 records are not found by their own vectors", "10,000 records")


@asynccontextmanager
async def _collection(
    stage: Stage, metric: "Metric.ValueType" = METRIC_COSINE, dimension: int = DIMENSION
) -> AsyncIterator[Plugin]:
    plugin = await stage.shared()
    await plugin.answer(DatabaseProviderStub, "DeleteCollection", DeleteCollectionRequest(name=NAME))
    request = CreateCollectionRequest(name=NAME, dimension=dimension, metric=metric)
    made = await plugin.answer(DatabaseProviderStub, "CreateCollection", request)
    if made.code is StatusCode.UNIMPLEMENTED and metric != METRIC_COSINE:
        raise NotApplicable(f"it has no {Metric.Name(metric)}")
    if made.code is not StatusCode.OK or made.response.error:
        raise Broken(str(made))
    try:
        yield plugin
    finally:
        sent = plugin.sent
        await plugin.answer(DatabaseProviderStub, "DeleteCollection", DeleteCollectionRequest(name=NAME))
        plugin.sent = sent


@asynccontextmanager
async def _filled(stage: Stage) -> AsyncIterator[Plugin]:
    async with _collection(stage) as plugin:
        records = [
            VectorRecord(
                id=planet.id,
                vector_f32=packed(planet.vector),
                content=f"{planet.id} is a planet.",
                metadata_json=json.dumps({"moons": planet.moons, "kind": planet.kind}),
            )
            for planet in PLANETS
        ]
        await _put(plugin, records)
        yield plugin


async def _put(plugin: Plugin, records: Sequence[VectorRecord]) -> None:
    request = UpsertVectorsRequest(collection=NAME, vectors=records, wait=True)
    answer = await _done(plugin, "UpsertVectors", request)
    if answer.item_errors:
        raise Broken(f"item_errors: {answer.item_errors[0].message}")


async def _search(plugin: Plugin, vector: Vector, **more: Any) -> list[VectorResult]:
    request = SearchVectorsRequest(collection=NAME, vector_f32=packed(vector), **more)
    return list((await _done(plugin, "SearchVectors", request)).results)


async def _done(plugin: Plugin, rpc: str, request: Any) -> Any:
    answer = await plugin.call(DatabaseProviderStub, rpc, request)
    if answer.error:
        raise Broken(f"error: {answer.error}")
    return answer


def _where(field: str, op: "Op.Op.ValueType", *values: str | int) -> Filter:
    wrapped = [
        Value(int_value=value) if isinstance(value, int) else Value(string_value=value) for value in values
    ]
    return Filter(compare=Op(field=field, op=op, values=wrapped))


def _both(*inner: Filter) -> Filter:
    return Filter(all=Filter.List(filters=inner))


def _either(*inner: Filter) -> Filter:
    return Filter(any=Filter.List(filters=inner))


def _without(inner: Filter) -> Filter:
    negated = Filter()
    getattr(negated, "not").CopyFrom(inner)  # a word of Python's
    return negated


def _dot(one: Vector, other: Vector) -> float:
    return sum(x * y for x, y in zip(one, other, strict=True))


def _length(vector: Vector) -> float:
    return math.sqrt(_dot(vector, vector)) or 1.0
