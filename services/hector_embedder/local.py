"""The offline embedder: hashed words and pieces of words. Near means "says it in like words", no more."""

import asyncio
import struct
from collections.abc import Sequence

from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedBatchResponse,
    EmbedderProviderServicer,
    Embedding,
    EmbedTextRequest,
    EmbedTextResponse,
    GetDimensionsRequest,
    GetDimensionsResponse,
)
from hector_embedder.config import EmbedderConfig
from hector_embedder.errors import EmbeddingRefused
from hector_embedder.features import VERSION, weighed
from hector_mesh import Context

MODEL = "hashed-ngrams"
DIMENSION = 512
LONGEST_TEXT = 1_000_000
"""Characters that are read of one text; the rest is cut, and said to be."""
_INLINE_TEXT = 4_000
_SHORTEST_VECTOR, _LONGEST_VECTOR = 16, 8192


class LocalEmbedder(EmbedderProviderServicer):
    """Makes unit vectors without a model; the same text gives the same vector on every machine."""

    def __init__(self, config: EmbedderConfig) -> None:
        self._dimension = config.dimension or DIMENSION
        self._batch_size = config.batch_size
        self._turn = asyncio.Lock()

    async def EmbedText(self, request: EmbedTextRequest, context: Context) -> EmbedTextResponse:
        if request.HasField("blob"):
            raise EmbeddingRefused("the local embedder reads text only; pictures and sounds need another one")
        dimension = self._wanted(request.model, request.dimensions)
        _check([request.text])
        if len(request.text) <= _INLINE_TEXT:
            return EmbedTextResponse(success=True, vector_f32=vector_of(request.text, dimension))
        async with self._turn:
            vector = await asyncio.to_thread(vector_of, request.text, dimension)
        return EmbedTextResponse(success=True, vector_f32=vector)

    async def EmbedBatch(self, request: EmbedBatchRequest, context: Context) -> EmbedBatchResponse:
        dimension = self._wanted(request.model, request.dimensions)
        if len(request.texts) > self._batch_size:
            message = f"{len(request.texts)} texts in a batch, at most {self._batch_size} are allowed"
            raise EmbeddingRefused(message, found=len(request.texts), allowed=self._batch_size)
        _check(request.texts)
        # One at a time: several threads of Python are no faster, and the event loop would wait for each.
        async with self._turn:
            vectors = await asyncio.to_thread(_vectors_of, request.texts, dimension)
        return EmbedBatchResponse(
            success=True,
            embeddings=[
                Embedding(vector_f32=vector, truncated=len(text) > LONGEST_TEXT)
                for text, vector in zip(request.texts, vectors, strict=True)
            ],
        )

    async def GetDimensions(self, request: GetDimensionsRequest, context: Context) -> GetDimensionsResponse:
        dimension = self._wanted(request.model, 0)
        return GetDimensionsResponse(
            dimensions=dimension,
            max_batch=self._batch_size,
            normalized=True,
            fingerprint=f"local:{MODEL}:{VERSION}:{dimension}",
        )

    def _wanted(self, model: str, dimension: int) -> int:
        if model not in ("", MODEL):
            raise EmbeddingRefused(f"the local embedder has one model, {MODEL!r}, not {model!r}", model=model)
        if dimension and not _SHORTEST_VECTOR <= dimension <= _LONGEST_VECTOR:
            allowed = f"{_SHORTEST_VECTOR} to {_LONGEST_VECTOR}"
            raise EmbeddingRefused(
                f"a vector of {dimension} floats was asked for, {allowed} are possible", found=dimension
            )
        return dimension or self._dimension


def vector_of(text: str, dimension: int) -> bytes:
    """Return the unit vector of a text as little-endian float32."""
    sums = weighed(text[:LONGEST_TEXT], dimension)
    length = sum(value * value for value in sums) ** 0.5
    if length:
        sums = [value / length for value in sums]
    return struct.pack(f"<{dimension}f", *sums)


def _vectors_of(texts: Sequence[str], dimension: int) -> list[bytes]:
    return [vector_of(text, dimension) for text in texts]


def _check(texts: Sequence[str]) -> None:
    for index, text in enumerate(texts):
        if not text.strip():
            raise EmbeddingRefused(f"text {index} is empty; there is nothing to embed", index=index)
