"""What searching by words, and by words and vectors at once, means to a vector store."""

from typing import Any

import grpc
import pytest
from contracts.planets import HYBRID, KEYWORD, VECTOR, Op, VectorCalls, ids, packed, record, where
from grpc import StatusCode

from hector.vector.v1 import (
    DatabaseProviderStub,
    DeleteVectorsRequest,
)


class VectorWordSuite(VectorCalls):
    """Part of DatabaseProviderSuite."""

    async def words(self, vectors: DatabaseProviderStub, text: str, **request: Any) -> list[str]:
        try:
            return ids(await self.found(vectors, text=text, **request))
        except grpc.aio.AioRpcError as error:
            if error.code() != StatusCode.UNIMPLEMENTED:
                raise
            pytest.skip("this store does not search by words")

    async def test_words_find_what_says_them(self, planets: DatabaseProviderStub) -> None:
        """Contract: keyword mode is BM25 over the content."""
        assert await self.words(planets, "rings") == ["saturn"]
        assert await self.words(planets, "Where is the famous RING?", mode=KEYWORD) == ["saturn"]
        assert await self.words(planets, "its_rust_flag") == ["mars"]
        assert await self.words(planets, "nowhere") == []
        assert await self.words(planets, "earth sun", limit=1) != []

    async def test_words_follow_replacements_and_deletions(self, planets: DatabaseProviderStub) -> None:
        """Contract: search sees what is there."""
        assert await self.words(planets, "famous") == ["saturn"]
        await self.put(planets, record("saturn", (0, 0.9, 0.3), "It has hoops."))
        assert await self.words(planets, "famous") == []
        assert await self.words(planets, "hoops") == ["saturn"]
        await self.done(planets.DeleteVectors(DeleteVectorsRequest(collection="suite", ids=["saturn"])))
        assert await self.words(planets, "hoops") == []

    @pytest.mark.parametrize(
        "text",
        [
            *('"', '"unclosed', "a AND (b", "NEAR(", "*", "moon*", "-red", "col:x", "🚀", "{}[]^~"),
            *("'; DROP TABLE x; --", "\0", "日本語", "the of and", "OR", "%", "\u0301"),
            "a" * 5000,
            "x OR y " * 500,
        ],
    )
    async def test_no_text_is_syntax(self, planets: DatabaseProviderStub, text: str) -> None:
        """Ours: people type anything."""
        await self.words(planets, text, mode=KEYWORD)
        await self.words(planets, text, mode=HYBRID, vector_f32=packed(1, 0, 0))

    async def test_words_obey_filters_and_limits(self, planets: DatabaseProviderStub) -> None:
        """Contract: filter and limit hold in every mode."""
        condition = where("rings", Op.OP_EQ, True)
        assert await self.words(
            planets, "is has the moon rings largest", filter=condition, mode=KEYWORD, limit=1
        )
        found = await self.words(planets, "mercury saturn mars", filter=condition, mode=KEYWORD)
        assert found == ["saturn"]

    async def test_hybrid_puts_first_what_both_find(self, planets: DatabaseProviderStub) -> None:
        """Contract: ranks fused; with a vector and a text hybrid is the default."""
        mixed = await self.words(planets, "red moon", vector_f32=packed(0.8, 0.3, 0))
        assert mixed[0] == "mars"
        assert set(mixed) >= {"mars", "earth"}
        only_near = await self.words(planets, "red", vector_f32=packed(1, 0, 0), mode=VECTOR, limit=1)
        assert only_near == ["mercury"]
        by_words = await self.words(planets, "largest", vector_f32=packed(1, 0, 0), hybrid_alpha=0, limit=1)
        assert by_words == ["jupiter"]
        by_vector = await self.words(planets, "largest", vector_f32=packed(1, 0, 0), hybrid_alpha=1, limit=1)
        assert by_vector == ["mercury"]
