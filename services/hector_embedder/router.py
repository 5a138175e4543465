"""Picks the embedder that a call is for."""

from collections.abc import Mapping

from hector.embedder.v1 import (
    EmbedBatchRequest,
    EmbedBatchResponse,
    EmbedderProviderServicer,
    EmbedTextRequest,
    EmbedTextResponse,
    GetDimensionsRequest,
    GetDimensionsResponse,
)
from hector_embedder.errors import EmbedderNotFound
from hector_mesh import Context, current_call

_KIND = "embedders."
DEFAULT = "default"


class EmbedderRouter(EmbedderProviderServicer):
    """Serves every configured embedder by passing the call to whoever provides it.

    A call that names none, or `embedders.default` where no entry is called so, gets the only one there is.
    """

    def __init__(self, embedders: Mapping[str, EmbedderProviderServicer]) -> None:
        self._embedders = embedders

    async def EmbedText(self, request: EmbedTextRequest, context: Context) -> EmbedTextResponse:
        return await self._embedder().EmbedText(request, context)

    async def EmbedBatch(self, request: EmbedBatchRequest, context: Context) -> EmbedBatchResponse:
        return await self._embedder().EmbedBatch(request, context)

    async def GetDimensions(self, request: GetDimensionsRequest, context: Context) -> GetDimensionsResponse:
        return await self._embedder().GetDimensions(request, context)

    def _embedder(self) -> EmbedderProviderServicer:
        name = current_call.get().instance.removeprefix(_KIND) or DEFAULT
        found = self._embedders.get(name)
        if found is None and name == DEFAULT and len(self._embedders) == 1:
            found = next(iter(self._embedders.values()))
        if found is None:
            raise EmbedderNotFound(name, self._embedders)
        return found
