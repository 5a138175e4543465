"""v1.9.9's LLMProvider as today's."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from hector.common.v1 import (
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    Message,
    Part,
    TokenUsage,
    Tool,
    ToolCall,
)
from hector.llm.v1 import (
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    GenerateTextRequest,
    GenerateTextResponse,
    ListModelsRequest,
    ListModelsResponse,
    LLMProviderServicer,
    Model,
    StreamTextRequest,
    StreamTextResponse,
    ToolCallDelta,
)
from hector_mesh import Context, streaming

from .asking import PluginSaidNo, Service
from .wire import message

_ROLES = {ROLE_SYSTEM: "system", ROLE_USER: "user", ROLE_ASSISTANT: "assistant", ROLE_TOOL: "tool"}
_TEXT, _TOOL_CALL, _DONE, _ERROR = range(4)


class TranslatedModel(LLMProviderServicer):
    """Asks a plugin that knows text, tools and the number of tokens."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def GenerateText(self, request: GenerateTextRequest, context: Context) -> GenerateTextResponse:
        answer = await self._service.ask("Generate", _asked(request), "GenerateResponse")
        calls = [_call(one) for one in answer.tool_calls]
        parts = [Part(text=answer.text)] if answer.text else []
        parts += [Part(tool_call=one) for one in calls]
        return GenerateTextResponse(
            text=answer.text,
            message=Message(role=ROLE_ASSISTANT, parts=parts),
            usage=TokenUsage(total_tokens=answer.tokens_used),
            finish_reason=FINISH_REASON_TOOL_CALLS if calls else FINISH_REASON_STOP,
        )

    async def StreamText(
        self, request: StreamTextRequest, context: Context
    ) -> AsyncIterator[StreamTextResponse]:
        calls, tokens = 0, 0
        async with streaming(
            self._service.stream("GenerateStreaming", _asked(request), "StreamChunk")
        ) as chunks:
            async for chunk in chunks:
                tokens = chunk.tokens_used or tokens
                if chunk.type == _ERROR or chunk.error:
                    raise PluginSaidNo(chunk.error or "the plugin broke off and does not say why")
                if chunk.type == _TOOL_CALL:
                    yield StreamTextResponse(tool_calls=[_delta(calls, chunk.tool_call)])
                    calls += 1
                elif chunk.type == _TEXT and chunk.text:
                    yield StreamTextResponse(text=chunk.text)
                elif chunk.type == _DONE:
                    break
        yield StreamTextResponse(
            done=True,
            usage=TokenUsage(total_tokens=tokens),
            finish_reason=FINISH_REASON_TOOL_CALLS if calls else FINISH_REASON_STOP,
        )

    async def ListModels(self, request: ListModelsRequest, context: Context) -> ListModelsResponse:
        info = await self._service.ask("GetModelInfo", message("Empty")(), "ModelInfo")
        model = Model(name=info.model_name, max_output_tokens=info.max_tokens, supports_streaming=True)
        return ListModelsResponse(models=[model])


def _asked(request: GenerateTextRequest | StreamTextRequest) -> Any:
    messages: Sequence[Message] = request.messages
    if not messages:
        messages = [Message(role=ROLE_USER, parts=[Part(text=request.prompt)])]
    return message("GenerateRequest")(
        messages=[one for each in messages for one in _messages(each)],
        tools=[_tool(one) for one in request.tools],
    )


def _messages(said: Message) -> Iterator[Any]:
    """Return a message in v1.9.9's words: each tool's result is one by itself, pictures are none."""
    texts = [part.text or part.data_json for part in said.parts]
    calls = [part.tool_call for part in said.parts if part.HasField("tool_call")]
    results = [part.tool_result for part in said.parts if part.HasField("tool_result")]
    for result in results:
        content = "".join(part.text for part in result.parts)
        yield message("Message")(role="tool", content=content, tool_call_id=result.tool_call_id)
    if any(texts) or calls or not results:
        kinds = [message("ToolCall")(id=c.id, name=c.name, arguments_json=c.arguments_json) for c in calls]
        yield message("Message")(role=_ROLES.get(said.role, "user"), content="".join(texts), tool_calls=kinds)


def _tool(tool: Tool) -> Any:
    return message("ToolDefinition")(
        name=tool.name, description=tool.description, parameters_json=tool.parameters_json
    )


def _call(call: Any) -> ToolCall:
    return ToolCall(id=call.id, name=call.name, arguments_json=call.arguments_json)


def _delta(index: int, call: Any) -> ToolCallDelta:
    return ToolCallDelta(index=index, id=call.id, name=call.name, arguments_json_fragment=call.arguments_json)
