"""DB: vector stores, against an oracle that looks at everything."""

import random
from contextlib import suppress

from grpc import StatusCode

from hector.common.v1 import Filter
from hector.plugin.v1 import PLUGIN_KIND_DATABASE_PROVIDER as DATABASE
from hector.vector.v1 import (
    METRIC_COSINE,
    CreateCollectionRequest,
    DatabaseProviderStub,
    DeleteCollectionRequest,
    DeleteVectorsRequest,
    Metric,
    SearchMode,
    SearchVectorsRequest,
    VectorRecord,
)
from hector_plugin.conformance.checks import MUST, SHOULD, Broken, check
from hector_plugin.conformance.planets import (
    DIMENSION,
    NAME,
    PLANETS,
    SCORES,
    NoMetric,
    both,
    collection,
    done,
    either,
    filled,
    packed,
    put,
    search,
    where,
    without,
)
from hector_plugin.conformance.samples import read
from hector_plugin.conformance.stage import Stage

Op = Filter.Compare


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
    async with filled(stage) as plugin:
        await done(plugin, "CreateCollection", CreateCollectionRequest(name=NAME, dimension=DIMENSION))
        if len(await search(plugin, PLANETS[0].vector, limit=10)) != len(PLANETS):
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
    async with collection(stage) as plugin:
        await put(plugin, [VectorRecord(id=name, vector_f32=packed(vector)) for name, vector in records])
        for _ in range(5):
            query = [chance.gauss(0, 1) for _ in range(DIMENSION)]
            best = sorted(records, key=lambda one: -SCORES[METRIC_COSINE](query, one[1]))[:10]
            found = await search(plugin, query, limit=10)
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
    query = records["same"]
    for metric, score in SCORES.items():
        with suppress(NoMetric):
            async with collection(stage, metric=metric, dimension=2) as plugin:  # type: ignore[arg-type]
                await put(
                    plugin, [VectorRecord(id=name, vector_f32=packed(of)) for name, of in records.items()]
                )
                found = await search(plugin, query, limit=10)
            name = Metric.Name(metric)  # type: ignore[arg-type]  # an enum's value
            if {one.id for one in found} != set(records) or len(found) != len(records):
                raise Broken(f"{name}: the three records come back as {[one.id for one in found]}")
            wanted = max(records, key=lambda record: score(query, records[record]))
            for one in found:
                if not abs(one.score - score(query, records[one.id])) <= 1e-3:  # NaN is no score
                    raise Broken(f"{name}: {one.id} has {one.score:.3f}; the best is {wanted}")


@check(
    "DB4",
    MUST,
    "a threshold leaves out what is below it",
    kind=DATABASE,
    rule="results with a score below threshold are left out; unset, none are; zero is zero",
    mend="look whether threshold is set (HasField), and compare with the score as you return it",
)
async def threshold(stage: Stage) -> None:
    async with filled(stage) as plugin:
        opposite = VectorRecord(id="opposite", vector_f32=packed([-x for x in PLANETS[0].vector]))
        await put(plugin, [opposite])
        for limit, wanted in ((None, True), (0.0, False), (0.9, False)):
            request = SearchVectorsRequest(collection=NAME, vector_f32=packed(PLANETS[0].vector), limit=100)
            if limit is not None:
                request.threshold = limit
            found = {one.id for one in (await done(plugin, "SearchVectors", request)).results}
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
    async with filled(stage) as plugin:
        for condition, wanted in (
            (where("kind", Op.OP_EQ, "rock"), rocks),
            (where("kind", Op.OP_NE, "rock"), gas),
            (where("moons", Op.OP_LT, 1), {"mercury"}),
            (where("moons", Op.OP_LE, 1), {"mercury", "earth"}),
            (where("moons", Op.OP_GT, 95), {"saturn"}),
            (where("moons", Op.OP_GE, 95), gas),
            (where("moons", Op.OP_IN, 0, 146), {"mercury", "saturn"}),
            (where("moons", Op.OP_NOT_IN, 0, 146), {"earth", "mars", "jupiter"}),
            (where("kind", Op.OP_CONTAINS, "oc"), rocks),
            (where("moons", Op.OP_EXISTS), rocks | gas),
            (where("absent", Op.OP_EXISTS), set()),
            (both(where("kind", Op.OP_EQ, "rock"), where("moons", Op.OP_GE, 1)), {"earth", "mars"}),
            (either(where("moons", Op.OP_EQ, 0), where("moons", Op.OP_EQ, 95)), {"mercury", "jupiter"}),
            (without(where("kind", Op.OP_EQ, "gas")), rocks),
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
    rule="DeleteVectors removes by id and by filter (or a filter is UNIMPLEMENTED); DeleteCollection removes "
    "all, also when nothing is there",
    mend="take unknown ids and collections for deleted",
)
async def deleted(stage: Stage) -> None:
    async with filled(stage) as plugin:
        await done(plugin, "DeleteVectors", DeleteVectorsRequest(collection=NAME, ids=["mars", "pluto"]))
        left = {one.id for one in await search(plugin, PLANETS[0].vector, limit=100)}
        if left != {"mercury", "earth", "jupiter", "saturn"}:
            raise Broken(
                f"there are {', '.join(sorted(left))}", "DeleteVectors of mars and of an id that is not there"
            )
        gas = DeleteVectorsRequest(collection=NAME, filter=where("kind", Op.OP_EQ, "gas"))
        found = await plugin.answer(DatabaseProviderStub, "DeleteVectors", gas)
        if found.code is not StatusCode.UNIMPLEMENTED:
            left = {one.id for one in await search(plugin, PLANETS[0].vector, limit=100)}
            if found.code is not StatusCode.OK or left != {"mercury", "earth"}:
                came = f"{found}; there are {', '.join(sorted(left)) or 'none'}"
                raise Broken(came, "DeleteVectors of all that are gas")
        for _ in range(2):
            await done(plugin, "DeleteCollection", DeleteCollectionRequest(name=NAME))
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
    async with filled(stage) as plugin:
        loose = (0, 0, 0, 0, 0, 0, 0, 1.0)
        await put(plugin, [VectorRecord(id="loose", vector=loose)])
        for request in (
            SearchVectorsRequest(collection=NAME, vector=loose, limit=1),
            SearchVectorsRequest(
                collection=NAME, vector=PLANETS[0].vector, vector_f32=packed(loose), limit=1
            ),
        ):
            found = (await done(plugin, "SearchVectors", request)).results
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
    async with filled(stage) as plugin:
        new = VectorRecord(
            id="mercury",
            vector_f32=packed((0, 0, 0, 0, 0, 0, 1.0, 0)),
            content="Quicksilver.",
            metadata_json='{"new": true, "n": 9007199254740993}',
        )
        await put(plugin, [new])
        first = await search(plugin, (0, 0, 0, 0, 0, 0, 1.0, 0), limit=1)
        if len(first) != 1:
            raise Broken(f"{len(first)} results, and not 1")
        found = first[0]
        if found.id != "mercury" or found.content != "Quicksilver.":
            raise Broken(f"{found.id}: {found.content[:80]!r}")
        if read(found.metadata_json) != {"new": True, "n": 9007199254740993}:
            raise Broken(f"metadata {found.metadata_json[:120]}")
        if len(await search(plugin, PLANETS[0].vector, limit=100)) != len(PLANETS):
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
    async with collection(stage) as plugin:
        vectors = [[1.0, number / 100, *([0.0] * (DIMENSION - 2))] for number in range(20)]
        await put(
            plugin, [VectorRecord(id=f"r{at:02}", vector_f32=packed(of)) for at, of in enumerate(vectors)]
        )
        found = [one.id for one in await search(plugin, vectors[0])]
        if len(found) != 10:
            raise Broken(f"{len(found)} results")
        skipped = [one.id for one in await search(plugin, vectors[0], limit=3, offset=2)]
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
    async with collection(stage) as plugin:
        for begin in range(0, len(vectors), 500):
            batch = enumerate(vectors[begin : begin + 500], begin)
            await put(plugin, [VectorRecord(id=f"r{at}", vector_f32=packed(of)) for at, of in batch])
        missed = []
        for at in range(0, len(vectors), 500):
            found = await search(plugin, vectors[at], limit=1)
            if [one.id for one in found] != [f"r{at}"]:
                missed.append(at)
        if len(missed) > 1:
            raise Broken(f"{len(missed)} of 20 records are not found by their own vectors", "10,000 records")


@check(
    "DB11",
    MUST,
    "a condition that it does not know is refused",
    kind=DATABASE,
    rule="DeleteVectors with a Filter that has no node, as one of a newer contract looks, fails with "
    "UNIMPLEMENTED or INVALID_ARGUMENT, and nothing is gone",
    mend="refuse a Filter without a node that you know, and do not take it for none",
)
async def unknown(stage: Stage) -> None:
    async with filled(stage) as plugin:
        request = DeleteVectorsRequest(collection=NAME, filter=Filter())
        found = await plugin.answer(DatabaseProviderStub, "DeleteVectors", request)
        left = await search(plugin, PLANETS[0].vector, limit=100)
        if found.code not in (StatusCode.UNIMPLEMENTED, StatusCode.INVALID_ARGUMENT) or len(left) != len(
            PLANETS
        ):
            raise Broken(
                f"{found}; {len(left)} of {len(PLANETS)} are there", "DeleteVectors with an empty Filter"
            )


@check(
    "DB12",
    MUST,
    "words are looked for, or it says that it cannot",
    kind=DATABASE,
    rule="SearchVectors by words, in SEARCH_MODE_KEYWORD and with a vector in SEARCH_MODE_HYBRID, finds what "
    "says them, or fails with UNIMPLEMENTED: the caller then searches by vector alone",
    mend="look at `mode`; refuse one that you do not have with UNIMPLEMENTED",
)
async def words(stage: Stage) -> None:
    async with filled(stage) as plugin:
        for mode, vector in (
            (SearchMode.SEARCH_MODE_KEYWORD, b""),
            (SearchMode.SEARCH_MODE_HYBRID, packed(PLANETS[0].vector)),
        ):
            request = SearchVectorsRequest(
                collection=NAME, text="saturn", vector_f32=vector, mode=mode, limit=3
            )
            found = await plugin.answer(DatabaseProviderStub, "SearchVectors", request)
            if found.code is StatusCode.OK and not found.response.error:
                names = [one.id for one in found.response.results]
                if "saturn" not in names:
                    raise Broken(f"{', '.join(names) or 'nothing'}, and not saturn", SearchMode.Name(mode))
            elif found.code is not StatusCode.UNIMPLEMENTED:
                raise Broken(str(found), SearchMode.Name(mode))
