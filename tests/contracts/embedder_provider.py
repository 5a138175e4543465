"""What every embedder must do: a built-in, a plugin, and the router in front of them."""

import asyncio
import struct

import grpc
import pytest
from grpc import StatusCode

from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedBatchResponse,
    EmbedderProviderStub,
    Embedding,
    EmbedTextRequest,
    EmbedTextResponse,
    GetDimensionsRequest,
)
from hector_mesh import info_of


def floats(found: EmbedTextResponse | Embedding) -> list[float]:
    """Either form of a vector, as the contract says."""
    packed = found.vector_f32
    return list(struct.unpack(f"<{len(packed) // 4}f", packed)) if packed else list(found.vector)


def cosine(one: list[float], other: list[float]) -> float:
    lengths = sum(x * x for x in one) ** 0.5 * sum(x * x for x in other) ** 0.5
    return sum(x * y for x, y in zip(one, other, strict=True)) / lengths


class EmbedderProviderSuite:
    """Subclass it and provide the fixture `embedder`, a stub."""

    @pytest.fixture
    def embedder(self) -> EmbedderProviderStub:
        raise NotImplementedError

    async def vector(self, embedder: EmbedderProviderStub, text: str) -> list[float]:
        async with asyncio.timeout(10):
            answer = await embedder.EmbedText(EmbedTextRequest(text=text))
        assert not answer.error
        return floats(answer)

    async def batch(self, embedder: EmbedderProviderStub, texts: list[str]) -> EmbedBatchResponse:
        async with asyncio.timeout(10):
            answer = await embedder.EmbedBatch(EmbedBatchRequest(texts=texts))
        assert not answer.error
        return answer

    async def test_vectors_are_as_long_as_it_says(self, embedder: EmbedderProviderStub) -> None:
        """Contract: GetDimensionsResponse.dimensions."""
        described = await embedder.GetDimensions(GetDimensionsRequest(), timeout=10)
        assert described.dimensions > 0
        assert len(await self.vector(embedder, "a short text")) == described.dimensions

    async def test_vectors_have_length_one_if_it_says_so(self, embedder: EmbedderProviderStub) -> None:
        """Contract: GetDimensionsResponse.normalized."""
        described = await embedder.GetDimensions(GetDimensionsRequest(), timeout=10)
        length = sum(x * x for x in await self.vector(embedder, "a short text")) ** 0.5
        assert not described.normalized or abs(length - 1) < 1e-4

    async def test_a_batch_keeps_the_order_and_says_what_single_texts_say(
        self, embedder: EmbedderProviderStub
    ) -> None:
        """Contract: as many as texts, in the same order."""
        texts = ["the cat sat on the mat", "an invoice of last year", "the cat sat on the mat", "日本語"]
        answer = await self.batch(embedder, texts)
        assert len(answer.embeddings) == len(texts)
        for text, found in zip(texts, answer.embeddings, strict=True):
            assert cosine(floats(found), await self.vector(embedder, text)) > 0.999

    async def test_the_same_text_has_the_same_vector_and_fingerprint(
        self, embedder: EmbedderProviderStub
    ) -> None:
        """Contract: the fingerprint changes when the same text would give another vector."""
        described = [await embedder.GetDimensions(GetDimensionsRequest(), timeout=10) for _ in range(2)]
        assert described[0].fingerprint == described[1].fingerprint
        same = [await self.vector(embedder, "one and the same") for _ in range(2)]
        assert cosine(*same) > 0.999

    async def test_like_texts_are_nearer_than_others(self, embedder: EmbedderProviderStub) -> None:
        """Ours: what an embedder is for; the words are alike, so that lexical ones pass."""
        question = await self.vector(embedder, "How do I start the server?")
        near = await self.vector(embedder, "Starting the server: run `serve`.")
        far = await self.vector(embedder, "Whales are mammals and breathe air.")
        assert cosine(question, near) > cosine(question, far)

    @pytest.mark.parametrize("text", ["🚀🚀🚀", "''\"';--", "\x00\x01", "x" * 20_000, "…", "ß" * 50])
    async def test_any_text_has_a_vector(self, embedder: EmbedderProviderStub, text: str) -> None:
        """Ours: documents hold anything."""
        vector = await self.vector(embedder, text)
        assert all(value == value for value in vector)
        assert any(vector)

    async def test_a_batch_that_is_too_large_is_refused(self, embedder: EmbedderProviderStub) -> None:
        """Contract: at most max_batch texts."""
        described = await embedder.GetDimensions(GetDimensionsRequest(), timeout=10)
        if not described.max_batch:
            return
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.batch(embedder, ["text"] * (described.max_batch + 1))
        assert refused.value.code() == StatusCode.INVALID_ARGUMENT
        assert str(described.max_batch) in (refused.value.details() or "")

    async def test_an_empty_text_is_refused_with_its_place(self, embedder: EmbedderProviderStub) -> None:
        """Contract: text is required."""
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.batch(embedder, ["fine", "  \n"])
        assert refused.value.code() == StatusCode.INVALID_ARGUMENT
        assert info_of(refused.value).reason
