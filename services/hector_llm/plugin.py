"""A model that a plugin provides."""

import logging
from collections.abc import AsyncIterator

from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.common.v1 import ROLE_USER, Message, Part
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
    LLMProviderStub,
    StreamTextRequest,
    StreamTextResponse,
    ToolCallDelta,
)
from hector_config.plugin_word import PluginWord
from hector_llm.config import LLMConfig
from hector_mesh import Context, Mesh, streaming

log = logging.getLogger(__name__)

Asked = GenerateTextRequest | StreamTextRequest | CallToolRequest


class PluginModel(LLMProviderServicer):
    """Hands calls on, with what the entry says of the model where the call leaves it open."""

    def __init__(self, name: str, config: LLMConfig, word: PluginWord, mesh: Mesh) -> None:
        self._config, self._word = config, word
        self._facts = {"plugin": word.plugin, "llm": name}
        self._plugin = LLMProviderStub(mesh.plugin(word.plugin, f"llms.{name}"))

    async def GenerateText(self, request: GenerateTextRequest, context: Context) -> GenerateTextResponse:
        self._fill(request)
        return await self._plugin.GenerateText(request, timeout=self._config.timeout)

    async def StreamText(
        self, request: StreamTextRequest, context: Context
    ) -> AsyncIterator[StreamTextResponse]:
        self._fill(request)
        try:
            async with streaming(self._plugin.StreamText(request, timeout=self._config.timeout)) as pieces:
                is_done = False
                async for piece in pieces:
                    if is_done:
                        log.warning("model went on after the end of its answer", extra=self._facts)
                        return
                    is_done = piece.done
                    yield piece
            return
        except AioRpcError as error:
            if error.code() is not StatusCode.UNIMPLEMENTED:  # which it says before anything else
                raise
        whole = GenerateTextRequest.FromString(request.SerializeToString())  # the two have the same fields
        for piece in _pieces(await self._plugin.GenerateText(whole, timeout=self._config.timeout)):
            yield piece

    async def CallTool(self, request: CallToolRequest, context: Context) -> CallToolResponse:
        self._fill(request)
        return await self._plugin.CallTool(request, timeout=self._config.timeout)

    async def ListModels(self, request: ListModelsRequest, context: Context) -> ListModelsResponse:
        return await self._plugin.ListModels(request)

    async def CountTokens(self, request: CountTokensRequest, context: Context) -> CountTokensResponse:
        request.model = request.model or self._model
        return await self._plugin.CountTokens(request)

    @property
    def _model(self) -> str:
        return self._config.model or self._word.component

    def _fill(self, asked: Asked) -> None:
        config, options = self._config, asked.options
        asked.model = asked.model or self._model
        if not options.HasField("temperature"):
            options.temperature = config.temperature
        if not options.HasField("max_tokens"):
            options.max_tokens = config.text_tokens
        if not options.HasField("top_p") and config.top_p is not None:
            options.top_p = config.top_p
        if not options.HasField("seed") and config.seed is not None:
            options.seed = config.seed
        if not options.stop:
            options.stop.extend(config.stop)
        if not options.HasField("thinking_budget_tokens") and config.thinking_budget_tokens:
            options.thinking_budget_tokens = config.thinking_budget_tokens
        if asked.messages and not asked.prompt:
            # Plugins of the first guide read this and nothing else.
            asked.prompt = next((_text(one) for one in reversed(asked.messages) if one.role == ROLE_USER), "")
        elif asked.prompt and not asked.messages:
            asked.messages.append(Message(role=ROLE_USER, parts=[Part(text=asked.prompt)]))


def _text(message: Message) -> str:
    return "".join(part.text for part in message.parts if part.HasField("text"))


def _pieces(whole: GenerateTextResponse) -> list[StreamTextResponse]:
    """Return an answer that came whole as a stream of two pieces."""
    if whole.error:
        return [StreamTextResponse(error=whole.error)]
    text = whole.text or _text(whole.message)
    calls = [part.tool_call for part in whole.message.parts if part.HasField("tool_call")]
    deltas = [
        ToolCallDelta(index=index, id=call.id, name=call.name, arguments_json_fragment=call.arguments_json)
        for index, call in enumerate(calls)
    ]
    thoughts = [part.reasoning for part in whole.message.parts if part.HasField("reasoning")]
    return [
        *(StreamTextResponse(reasoning=thought) for thought in thoughts),
        StreamTextResponse(text=text, tool_calls=deltas),
        StreamTextResponse(
            done=True,
            usage=whole.usage,
            finish_reason=whole.finish_reason,
            model=whole.model,
            response_id=whole.response_id,
        ),
    ]
