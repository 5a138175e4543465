"""Serves every configured model, by handing the call to whoever provides it."""

from collections.abc import AsyncIterator, Mapping

from hector.llm.v1 import (
    CallToolRequest,
    CallToolResponse,
    CountTokensRequest,
    CountTokensResponse,
    GenerateTextRequest,
    GenerateTextResponse,
    ListModelsRequest,
    ListModelsResponse,
    LLMProviderServicer,
    StreamTextRequest,
    StreamTextResponse,
)
from hector_llm.errors import ModelNotFound
from hector_mesh import Context, current_call


class LLMRouter(LLMProviderServicer):
    """Picks the provider of the configured model that a call names, as "llms.fast".

    A call that names none means `llms.default`, or the only one there is.
    """

    def __init__(self, providers: Mapping[str, LLMProviderServicer]) -> None:
        """Route by instance; the mapping is read at each call, so that it may change."""
        self._providers = providers

    async def GenerateText(self, request: GenerateTextRequest, context: Context) -> GenerateTextResponse:
        return await self._provider().GenerateText(request, context)

    def StreamText(self, request: StreamTextRequest, context: Context) -> AsyncIterator[StreamTextResponse]:
        return self._provider().StreamText(request, context)

    async def CallTool(self, request: CallToolRequest, context: Context) -> CallToolResponse:
        return await self._provider().CallTool(request, context)

    async def ListModels(self, request: ListModelsRequest, context: Context) -> ListModelsResponse:
        return await self._provider().ListModels(request, context)

    async def CountTokens(self, request: CountTokensRequest, context: Context) -> CountTokensResponse:
        return await self._provider().CountTokens(request, context)

    def _provider(self) -> LLMProviderServicer:
        instance = current_call.get().instance
        found = self._providers.get(instance or "llms.default")
        if found is None and not instance and len(self._providers) == 1:
            (found,) = self._providers.values()
        if found is None:
            names = ", ".join(sorted(self._providers)) or "none"
            wanted = f"no model is configured as {instance}" if instance else "the call names no model"
            raise ModelNotFound(f"{wanted} (configured: {names})", instance=instance, configured=names)
        return found
