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
from hector_mesh import Context, Generations, current_call


class LLMRouter(LLMProviderServicer):
    """Picks the provider of the configured model that a call names, as "llms.fast".

    A call that names none means `llms.default`, or the only one there is. A call that goes by an older
    revision of the config gets the models of that one, as long as runs may go by it.
    """

    def __init__(self, models: Generations[Mapping[str, LLMProviderServicer]]) -> None:
        self._models = models

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
        call = current_call.get()
        instance, providers = call.instance, self._models.of(call.revision)
        found = providers.get(instance or "llms.default")
        if found is None and not instance and len(providers) == 1:
            (found,) = providers.values()
        if found is None:
            names = ", ".join(sorted(providers)) or "none"
            wanted = f"no model is configured as {instance}" if instance else "the call names no model"
            raise ModelNotFound(f"{wanted} (configured: {names})", instance=instance, configured=names)
        return found
