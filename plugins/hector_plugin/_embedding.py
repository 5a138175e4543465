"""A function as an embedder: `@embedder`."""

import struct
from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from hector.common.v1 import TokenUsage
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
from hector_mesh import Context

from ._parts import Servable
from ._registry import declare
from ._threads import in_thread
from .errors import EmbeddingRefused, ModelNotFound

Vectors = Sequence[Any]
"""A vector each: floats, or bytes that are little-endian float32 (`numpy.ndarray.tobytes` of dtype "<f4")."""
Embeds = Callable[[Sequence[str]], Vectors | Awaitable[Vectors]]


class Embedder(Servable):
    """A function that turns texts into vectors, and what is known of these."""

    def __init__(
        self, embeds: Embeds, about: GetDimensionsResponse, model: str, tokens: Callable[[str], int] | None
    ) -> None:
        self._embeds, self._about, self._model, self._tokens = embeds, about, model, tokens

    def __call__(self, texts: Sequence[str]) -> Vectors | Awaitable[Vectors]:
        return self._embeds(texts)

    def servicer(self) -> EmbedderProviderServicer:
        return _Servicer(self._embeds, self._about, self._model, self._tokens)


def embedder(
    *,
    model: str,
    dimensions: int,
    max_batch: int = 0,
    max_input_tokens: int = 0,
    normalized: bool = False,
    fingerprint: str = "",
    tokens: Callable[[str], int] | None = None,
) -> Callable[[Embeds], Embedder]:
    """Make a function of texts an embedder: it returns a vector for each, in the same order.

    It gets at most `max_batch` texts, of which none is empty. Without `async` it runs in a thread.

    Args:
        model: The name to ask for.
        dimensions: Floats in a vector.
        max_batch: Most texts at once; zero is no limit.
        max_input_tokens: Most tokens of a text; zero is not known.
        normalized: Vectors have length one.
        fingerprint: Changes when the same text would give another vector; by default model and dimensions.
        tokens: Counts the tokens of a text.
    """
    about = GetDimensionsResponse(
        dimensions=dimensions,
        max_batch=max_batch,
        max_input_tokens=max_input_tokens,
        normalized=normalized,
        fingerprint=fingerprint or f"{model}-{dimensions}",
    )
    return lambda embeds: declare(Embedder(embeds, about, model, tokens))


class _Servicer(EmbedderProviderServicer):
    def __init__(
        self, embeds: Embeds, about: GetDimensionsResponse, model: str, tokens: Callable[[str], int] | None
    ) -> None:
        self._embeds, self._about, self._model, self._tokens = embeds, about, model, tokens

    async def GetDimensions(self, request: GetDimensionsRequest, context: Context) -> GetDimensionsResponse:
        self._knows(request.model)
        return self._about

    async def EmbedText(self, request: EmbedTextRequest, context: Context) -> EmbedTextResponse:
        self._can(request)
        if not request.text.strip():
            raise EmbeddingRefused("the text is empty")
        (packed,) = await self._vectors([request.text])
        return EmbedTextResponse(success=True, vector_f32=packed, usage=self._usage([request.text]))

    async def EmbedBatch(self, request: EmbedBatchRequest, context: Context) -> EmbedBatchResponse:
        self._can(request)
        texts, most = list(request.texts), self._about.max_batch
        if most and len(texts) > most:
            raise EmbeddingRefused(f"found {len(texts)} texts, allowed: {most}; send several batches")
        for place, text in enumerate(texts):
            if not text.strip():
                raise EmbeddingRefused(f"texts[{place}] is empty; leave it out")
        embeddings = [Embedding(vector_f32=packed) for packed in await self._vectors(texts)] if texts else []
        return EmbedBatchResponse(success=True, embeddings=embeddings, usage=self._usage(texts))

    def _knows(self, model: str) -> None:
        if model and model != self._model:
            raise ModelNotFound(model, self._model)

    def _can(self, request: EmbedTextRequest | EmbedBatchRequest) -> None:
        self._knows(request.model)
        if request.dimensions not in (0, self._about.dimensions):
            found, only = request.dimensions, self._about.dimensions
            raise EmbeddingRefused(f"found {found} dimensions, allowed: {only}")

    async def _vectors(self, texts: list[str]) -> list[bytes]:
        if iscoroutinefunction(self._embeds):
            vectors = await self._embeds(texts)
        else:
            vectors = await in_thread(self._embeds, texts)
            if isawaitable(vectors):
                vectors = await vectors
        packed = [_packed(vector) for vector in vectors]
        wanted = 4 * self._about.dimensions
        if len(packed) != len(texts) or any(len(vector) != wanted for vector in packed):
            message = f"the embedder's code must return {self._about.dimensions} floats for each text"
            raise ValueError(message)
        return packed

    def _usage(self, texts: list[str]) -> TokenUsage:
        read = sum(map(self._tokens, texts)) if self._tokens else 0
        return TokenUsage(prompt_tokens=read, total_tokens=read)


def _packed(vector: Any) -> bytes:
    if isinstance(vector, bytes):
        return vector
    floats = list(vector)
    return struct.pack(f"<{len(floats)}f", *floats)
