"""A plugin that answers at once, so that what is measured is the way; started by plugins.py."""

from array import array
from collections.abc import AsyncIterator
from typing import Any

from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedBatchResponse,
    EmbedderProviderServicer,
    Embedding,
    EmbedTextRequest,
    EmbedTextResponse,
)
from hector.llm.v1 import LLMProviderServicer, StreamTextRequest, StreamTextResponse
from hector_plugin import serve

VECTOR = array("f", [0.5] * 1536).tobytes()


class Embedder(EmbedderProviderServicer):
    async def EmbedText(self, request: EmbedTextRequest, context: Any) -> EmbedTextResponse:  # noqa: N802
        return EmbedTextResponse(vector_f32=VECTOR[:32])

    async def EmbedBatch(self, request: EmbedBatchRequest, context: Any) -> EmbedBatchResponse:  # noqa: N802
        return EmbedBatchResponse(embeddings=[Embedding(vector_f32=VECTOR) for _ in request.texts])


class Model(LLMProviderServicer):
    async def StreamText(  # noqa: N802
        self, request: StreamTextRequest, context: Any
    ) -> AsyncIterator[StreamTextResponse]:
        for _ in range(int(request.prompt)):
            yield StreamTextResponse(text="word ")


if __name__ == "__main__":
    serve(Embedder(), Model(), name="bench", version="1.0.0")
