"""v1.9.9's EmbedderProvider as today's."""

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

from .asking import Service, done
from .wire import message


class TranslatedEmbedder(EmbedderProviderServicer):
    """Asks a plugin that knows one text at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def EmbedText(self, request: EmbedTextRequest, context: Context) -> EmbedTextResponse:
        return EmbedTextResponse(success=True, vector=await self._vector(request.text))

    async def EmbedBatch(self, request: EmbedBatchRequest, context: Context) -> EmbedBatchResponse:
        embeddings = [Embedding(vector=await self._vector(text)) for text in request.texts]
        return EmbedBatchResponse(success=True, embeddings=embeddings)

    async def GetDimensions(self, request: GetDimensionsRequest, context: Context) -> GetDimensionsResponse:
        info = await self._service.ask("GetEmbedderInfo", message("Empty")(), "EmbedderInfo")
        return GetDimensionsResponse(dimensions=info.dimension)

    async def _vector(self, text: str) -> list[float]:
        answer = await done(self._service.ask("Embed", message("EmbedRequest")(text=text), "EmbedResponse"))
        return list(answer.vector)
