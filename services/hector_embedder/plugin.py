"""An embedder that a plugin provides, where the entry says which of its models is meant."""

from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedBatchResponse,
    EmbedderProviderServicer,
    EmbedderProviderStub,
    EmbedTextRequest,
    EmbedTextResponse,
    GetDimensionsRequest,
    GetDimensionsResponse,
)
from hector_mesh import Context


class PluginEmbedder(EmbedderProviderServicer):
    """Hands calls on, with the entry's model where they name none; a plugin refuses one that it has not."""

    def __init__(self, plugin: EmbedderProviderStub, model: str) -> None:
        self._plugin, self._model = plugin, model

    async def EmbedText(self, request: EmbedTextRequest, context: Context) -> EmbedTextResponse:
        request.model = request.model or self._model
        return await self._plugin.EmbedText(request)

    async def EmbedBatch(self, request: EmbedBatchRequest, context: Context) -> EmbedBatchResponse:
        request.model = request.model or self._model
        return await self._plugin.EmbedBatch(request)

    async def GetDimensions(self, request: GetDimensionsRequest, context: Context) -> GetDimensionsResponse:
        request.model = request.model or self._model
        return await self._plugin.GetDimensions(request)
