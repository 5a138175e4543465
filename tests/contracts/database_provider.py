"""What every vector store must do: the embedded one, an adapter, a plugin, and the router in front of them.

What the contract leaves optional is asked for, and skipped where the answer is UNIMPLEMENTED.
"""

import json
import struct
from typing import Any

import grpc
import pytest
from contracts.planets import KEYWORD, PLANETS, VECTOR, Op, both, ids, packed, record, where
from contracts.vector_filters import VectorFilterSuite
from contracts.vector_words import VectorWordSuite
from grpc import StatusCode

from hector.vector.v1 import (
    CreateCollectionRequest,
    DatabaseProviderStub,
    DeleteCollectionRequest,
    DeleteVectorsRequest,
    GetVectorsRequest,
    ListCollectionsRequest,
    Metric,
    SearchVectorsRequest,
    UpsertVectorsRequest,
    VectorRecord,
)
from hector_mesh import info_of


class DatabaseProviderSuite(VectorFilterSuite, VectorWordSuite):
    """Subclass it and provide the fixture `vectors`, a stub. Collections it makes are called `suite`."""

    async def test_the_nearest_come_first_and_scores_fall(self, planets: DatabaseProviderStub) -> None:
        """Contract: best first, higher is better."""
        found = await self.found(planets, vector_f32=packed(1, 0, 0), limit=3)
        assert ids(found) == ["mercury", "earth", "mars"]
        assert found[0].score > found[1].score > found[2].score
        assert found[0].score == pytest.approx(1, abs=1e-5)

    async def test_a_result_has_content_and_metadata_and_a_vector_if_asked(
        self, planets: DatabaseProviderStub
    ) -> None:
        """Contract: VectorResult."""
        (found,) = await self.found(planets, vector_f32=packed(1, 0, 0), limit=1, include_vectors=True)
        assert found.content == PLANETS[0].content
        assert json.loads(found.metadata_json) == {"moons": 0, "rings": False, "about": {"kind": "rock"}}
        assert struct.unpack("<3f", found.vector_f32) == pytest.approx((1, 0, 0))
        (bare,) = await self.found(planets, vector_f32=packed(1, 0, 0), limit=1, exclude_metadata=True)
        assert not bare.metadata_json
        assert not bare.vector_f32

    async def test_floats_may_be_sent_one_by_one(self, planets: DatabaseProviderStub) -> None:
        """Contract: a receiver takes either form, and packed wins."""
        await self.put(planets, VectorRecord(id="loose", vector=[0, 0, 1]))
        assert ids(await self.found(planets, vector=[0, 0, 1], limit=1)) == ["loose"]
        assert ids(await self.found(planets, vector=[1, 0, 0], vector_f32=packed(0, 0, 1), limit=1)) == [
            "loose"
        ]

    async def test_the_same_id_replaces(self, planets: DatabaseProviderStub) -> None:
        """Contract: inserts records, or replaces those with the same id."""
        await self.found(planets, vector_f32=packed(1, 0, 0))
        assert await self.put(planets, record("mercury", (0, 0, 1), "Quicksilver.", new=True)) == 1
        found = await self.found(planets, vector_f32=packed(0, 0, 1), limit=1)
        assert ids(found) == ["mercury"]
        assert found[0].content == "Quicksilver."
        assert len(await self.found(planets, vector_f32=packed(1, 1, 1), limit=100)) == 5

    async def test_without_a_limit_there_are_ten(self, planets: DatabaseProviderStub) -> None:
        """Contract: zero means 10."""
        await self.put(planets, *(record(f"r{n}", (1, n / 100, 0)) for n in range(20)))
        assert len(await self.found(planets, vector_f32=packed(1, 0, 0))) == 10

    async def test_an_offset_skips(self, planets: DatabaseProviderStub) -> None:
        """Contract: skip this many results."""
        everything = ids(await self.found(planets, vector_f32=packed(1, 0, 0), limit=5))
        assert (
            ids(await self.found(planets, vector_f32=packed(1, 0, 0), limit=2, offset=2)) == everything[2:4]
        )

    async def test_a_threshold_of_zero_is_zero(self, planets: DatabaseProviderStub) -> None:
        """Contract: results below the threshold are left out; unset, none are; zero is zero."""
        await self.put(planets, record("opposite", (-1, 0, 0)))
        everything = await self.found(planets, vector_f32=packed(1, 0, 0), limit=100)
        assert "opposite" in ids(everything)
        positive = await self.found(planets, vector_f32=packed(1, 0, 0), limit=100, threshold=0)
        assert "opposite" not in ids(positive)
        near = await self.found(planets, vector_f32=packed(1, 0, 0), limit=100, threshold=0.9)
        assert ids(near) == ["mercury", "earth", "mars"]

    async def test_collections_do_not_mix(self, planets: DatabaseProviderStub) -> None:
        """Contract: named collections."""
        await self.done(planets.CreateCollection(CreateCollectionRequest(name="other", dimension=2)))
        request = UpsertVectorsRequest(
            collection="other", vectors=[record("mercury", (1, 1), "Planets and moon")]
        )
        await self.done(planets.UpsertVectors(request))
        assert "Planets" not in [
            each.content for each in await self.found(planets, vector_f32=packed(1, 0, 0))
        ]
        answer = await self.done(
            planets.SearchVectors(SearchVectorsRequest(collection="other", vector_f32=packed(1, 0)))
        )
        assert ids(answer.results) == ["mercury"]
        await self.done(planets.DeleteCollection(DeleteCollectionRequest(name="other")))

    async def test_making_a_collection_twice_does_nothing(self, planets: DatabaseProviderStub) -> None:
        """Contract: does nothing when it is there with the same definition."""
        same = CreateCollectionRequest(name="suite", dimension=3, metric=Metric.METRIC_COSINE)
        await self.done(planets.CreateCollection(same))
        assert len(await self.found(planets, vector_f32=packed(1, 1, 1))) == 5

    @pytest.mark.parametrize("other", [{"dimension": 4}, {"dimension": 3, "metric": Metric.METRIC_DOT}])
    async def test_another_definition_is_a_mismatch(
        self, planets: DatabaseProviderStub, other: dict[str, Any]
    ) -> None:
        """Contract: FAILED_PRECONDITION with reason COLLECTION_MISMATCH."""
        error = await self.refused(planets.CreateCollection(CreateCollectionRequest(name="suite", **other)))
        assert error.code() == StatusCode.FAILED_PRECONDITION
        assert info_of(error).reason == "COLLECTION_MISMATCH"

    async def test_a_deleted_collection_is_gone_and_may_come_back_empty(
        self, planets: DatabaseProviderStub
    ) -> None:
        """Contract: removes a collection and all in it; does nothing when it is not there."""
        for _ in range(2):
            await self.done(planets.DeleteCollection(DeleteCollectionRequest(name="suite")))
        error = await self.refused(
            planets.SearchVectors(SearchVectorsRequest(collection="suite", vector_f32=packed(1, 0, 0)))
        )
        assert error.code() == StatusCode.NOT_FOUND
        await self.done(planets.CreateCollection(CreateCollectionRequest(name="suite", dimension=2)))
        assert await self.found(planets, vector_f32=packed(1, 0)) == []

    async def test_wrong_lengths_are_errors_with_both_numbers(self, planets: DatabaseProviderStub) -> None:
        """Ours: the message says what was found and what is allowed."""
        wrong = UpsertVectorsRequest(collection="suite", vectors=[record("new", (1, 2, 3, 4))])
        for call in (
            planets.UpsertVectors(wrong),
            planets.SearchVectors(SearchVectorsRequest(collection="suite", vector_f32=packed(1, 2, 3, 4))),
        ):
            error = await self.refused(call)
            assert error.code() == StatusCode.INVALID_ARGUMENT
            assert "3" in (error.details() or "")
            assert "4" in (error.details() or "")

    async def test_a_bad_record_keeps_the_whole_call_out(self, planets: DatabaseProviderStub) -> None:
        """Contract: all or nothing, except where item_errors say."""
        request = UpsertVectorsRequest(
            collection="suite", vectors=[record("good", (0, 0, 1)), record("bad", (float("nan"), 0, 0))]
        )
        try:
            answer = await self.done(planets.UpsertVectors(request))
        except grpc.aio.AioRpcError as error:
            code = error.code()
            kept = ids(await self.found(planets, vector_f32=packed(0, 0, 1), limit=100))
            assert (code, "good" in kept) == (StatusCode.INVALID_ARGUMENT, False)
        else:
            assert [each.id for each in answer.item_errors] == ["bad"]

    async def test_records_leave_by_id(self, planets: DatabaseProviderStub) -> None:
        """Contract: DeleteVectors; unknown ids do not matter."""
        await self.found(planets, vector_f32=packed(1, 0, 0))
        request = DeleteVectorsRequest(collection="suite", ids=["mercury", "mars", "pluto"])
        assert (await self.done(planets.DeleteVectors(request))).deleted == 2
        assert await self.matching(planets, both()) == {"earth", "jupiter", "saturn"}

    async def test_records_leave_by_filter(self, planets: DatabaseProviderStub) -> None:
        """Contract: these records, and those that match."""
        request = DeleteVectorsRequest(
            collection="suite", ids=["mars"], filter=where("about.kind", Op.OP_EQ, "gas")
        )
        assert (await self.done(planets.DeleteVectors(request))).deleted == 3
        assert await self.matching(planets, both()) == {"mercury", "earth"}

    async def test_a_deletion_must_say_what(self, planets: DatabaseProviderStub) -> None:
        """Contract: neither ids nor filter is INVALID_ARGUMENT."""
        error = await self.refused(planets.DeleteVectors(DeleteVectorsRequest(collection="suite")))
        assert error.code() == StatusCode.INVALID_ARGUMENT

    async def test_a_search_for_nothing_is_refused(self, planets: DatabaseProviderStub) -> None:
        """Contract: by vector, by words, or both."""
        for request in ({}, {"mode": VECTOR, "text": "x"}, {"mode": KEYWORD, "vector_f32": packed(1, 0, 0)}):
            error = await self.refused(
                planets.SearchVectors(SearchVectorsRequest(collection="suite", **request))
            )
            assert error.code() in (StatusCode.INVALID_ARGUMENT, StatusCode.UNIMPLEMENTED)

    @pytest.mark.parametrize(
        ("metric", "expected"),
        [
            (Metric.METRIC_COSINE, [("same", 1.0), ("long", 1.0), ("other", 0.0)]),
            (Metric.METRIC_DOT, [("long", 10.0), ("same", 1.0), ("other", 0.0)]),
            (Metric.METRIC_EUCLIDEAN, [("same", 0.0), ("other", -(2**0.5)), ("long", -9.0)]),
        ],
    )
    async def test_higher_is_better_whatever_the_metric(
        self, vectors: DatabaseProviderStub, metric: Metric.ValueType, expected: list[tuple[str, float]]
    ) -> None:
        """Contract: Metric."""
        created = CreateCollectionRequest(name="suite", dimension=2, metric=metric)
        await self.done(vectors.CreateCollection(created))
        await self.put(vectors, record("same", (1, 0)), record("long", (10, 0)), record("other", (0, 1)))
        found = await self.found(vectors, vector_f32=packed(1, 0))
        assert [(each.id, pytest.approx(each.score, abs=1e-4)) for each in found] == expected

    async def test_records_come_back_by_id_in_the_order_asked_for(
        self, planets: DatabaseProviderStub
    ) -> None:
        """Contract: absent ones are left out. Optional."""
        request = GetVectorsRequest(collection="suite", ids=["mars", "pluto", "earth"])
        found = (await self.done(planets.GetVectors(request))).vectors
        assert ids(found) == ["mars", "earth"]
        assert found[1].content == PLANETS[1].content
        assert struct.unpack("<3f", found[1].vector_f32) == pytest.approx((0.9, 0.1, 0))
        assert json.loads(found[1].metadata_json)["moons"] == 1

    async def test_a_scan_returns_everything_once_by_id(self, planets: DatabaseProviderStub) -> None:
        """Contract: streams all records that match. Optional."""
        everything = sorted(["mercury", "earth", "mars", "jupiter", "saturn"])
        assert await self.scanned(planets) == everything
        assert await self.scanned(planets, batch_size=2) == everything
        condition = where("rings", Op.OP_EQ, False)
        assert await self.scanned(planets, batch_size=1, filter=condition) == ["earth", "mars", "mercury"]

    async def test_collections_are_listed_by_name_in_pages(self, planets: DatabaseProviderStub) -> None:
        """Contract: ListCollections. Optional."""
        for name in ("a", "b", "c"):
            await self.done(planets.CreateCollection(CreateCollectionRequest(name=name, dimension=2)))
        first = await self.done(planets.ListCollections(ListCollectionsRequest(page_size=3)))
        assert [each.name for each in first.collections] == ["a", "b", "c"]
        request = ListCollectionsRequest(page_size=3, page_token=first.next_page_token)
        second = await self.done(planets.ListCollections(request))
        assert [(each.name, each.dimension, each.count) for each in second.collections] == [("suite", 3, 5)]
        assert second.collections[0].metric == Metric.METRIC_COSINE
        assert not second.next_page_token

    async def test_what_was_never_made_is_not_found(self, vectors: DatabaseProviderStub) -> None:
        """Ours: a misspelt collection is not an empty one."""
        for call in (
            vectors.UpsertVectors(UpsertVectorsRequest(collection="none", vectors=[record("a", (1,))])),
            vectors.SearchVectors(SearchVectorsRequest(collection="none", vector_f32=packed(1))),
            vectors.SearchVectors(SearchVectorsRequest(collection="none", text="x")),
            vectors.DeleteVectors(DeleteVectorsRequest(collection="none", ids=["a"])),
        ):
            assert (await self.refused(call)).code() == StatusCode.NOT_FOUND

    @pytest.mark.parametrize("name", ["", "a/b", "../x", "x" * 129, "ü", "a b"])
    async def test_collection_names_are_checked(self, vectors: DatabaseProviderStub, name: str) -> None:
        """Contract: letters, digits, "_", "-" and "."; at most 128."""
        error = await self.refused(vectors.CreateCollection(CreateCollectionRequest(name=name, dimension=2)))
        assert error.code() == StatusCode.INVALID_ARGUMENT

    @pytest.mark.parametrize("name", ["", "x" * 513])
    async def test_ids_are_checked(self, planets: DatabaseProviderStub, name: str) -> None:
        """Contract: required, at most 512 bytes."""
        bad = UpsertVectorsRequest(collection="suite", vectors=[record(name, (1, 0, 0))])
        assert (await self.refused(planets.UpsertVectors(bad))).code() == StatusCode.INVALID_ARGUMENT
        await self.put(planets, record("é" * 256, (1, 0, 0)))

    @pytest.mark.parametrize("metadata", ["[]", "{", "3", "nonsense", '{"a": NaN}'])
    async def test_metadata_must_be_an_object(self, planets: DatabaseProviderStub, metadata: str) -> None:
        """Contract: a JSON object."""
        bad = VectorRecord(id="x", vector_f32=packed(1, 0, 0), metadata_json=metadata)
        error = await self.refused(
            planets.UpsertVectors(UpsertVectorsRequest(collection="suite", vectors=[bad]))
        )
        assert error.code() == StatusCode.INVALID_ARGUMENT
