"""The servicer of the offline model."""

import re
from collections.abc import AsyncIterator

import orjson

from hector.common.v1 import Message, Part, Role, TokenUsage
from hector.llm.v1 import (
    CallToolRequest,
    CallToolResponse,
    CountTokensRequest,
    CountTokensResponse,
    FinishReason,
    GenerateTextRequest,
    GenerateTextResponse,
    ListModelsRequest,
    ListModelsResponse,
    LLMProviderServicer,
    Model,
    StreamTextRequest,
    StreamTextResponse,
    ToolCallDelta,
    ToolChoice,
)
from hector_llm.config import LLMConfig
from hector_llm.counting import BYTES_PER_TOKEN, conversation_bytes
from hector_llm.errors import ModelRefused
from hector_llm.local.conversation import read
from hector_llm.local.deciding import Decision, decide
from hector_mesh import Context

NAME = "offline"
PIECE = 48
"""Characters of a streamed piece, to the end of its word: few messages, and still a stream."""

_piece = re.compile(rf"(?s).{{1,{PIECE}}}\S*\s*")

Asked = GenerateTextRequest | StreamTextRequest | CallToolRequest


class LocalProvider(LLMProviderServicer):
    """Answers without weights, key or network, and gives the same answer every time.

    It goes by the name of whatever model is asked for, so that swapping the provider is a one-line change.
    """

    def __init__(self, config: LLMConfig) -> None:
        self._config = config

    async def GenerateText(self, request: GenerateTextRequest, context: Context) -> GenerateTextResponse:
        decision, reason = self._decided(request)
        call = decision.call
        parts = [Part(tool_call=call)] if call else [Part(text=decision.text)]
        return GenerateTextResponse(
            text=decision.text,
            usage=_usage(request, decision),
            message=Message(role=Role.ROLE_ASSISTANT, parts=parts),
            finish_reason=reason,
            model=NAME,
        )

    async def StreamText(
        self, request: StreamTextRequest, context: Context
    ) -> AsyncIterator[StreamTextResponse]:
        decision, reason = self._decided(request)
        pieces = _piece.findall(decision.text)
        for piece in pieces[:-1]:
            yield StreamTextResponse(text=piece)
        last = StreamTextResponse(
            text=pieces[-1] if pieces else "",
            done=True,
            usage=_usage(request, decision),
            finish_reason=reason,
            model=NAME,
        )
        if call := decision.call:
            delta = ToolCallDelta(id=call.id, name=call.name, arguments_json_fragment=call.arguments_json)
            last.tool_calls.append(delta)
        yield last

    async def CallTool(self, request: CallToolRequest, context: Context) -> CallToolResponse:
        if not request.tools:
            raise ModelRefused("a call of a tool was asked for, and no tools were offered")
        decision, reason = self._decided(request, must_call=True)
        if decision.call is None:
            raise ModelRefused("none of the tools can be called with what the conversation says")
        return CallToolResponse(
            tool_calls=[decision.call], usage=_usage(request, decision), finish_reason=reason
        )

    async def ListModels(self, request: ListModelsRequest, context: Context) -> ListModelsResponse:
        model = Model(
            name=NAME,
            display_name="Offline model",
            input_modalities=["text"],
            output_modalities=["text"],
            supports_tools=True,
            supports_streaming=True,
            supports_structured_output=True,
        )
        return ListModelsResponse(models=[] if request.page_token else [model])

    async def CountTokens(self, request: CountTokensRequest, context: Context) -> CountTokensResponse:
        size = conversation_bytes("", request.messages, request.tools)
        return CountTokensResponse(tokens=max(1, round(size / BYTES_PER_TOKEN)), estimated=True)

    def _decided(self, asked: Asked, *, must_call: bool = False) -> tuple[Decision, FinishReason.ValueType]:
        options = asked.options
        choice = options.tool_choice
        if must_call and choice.mode != ToolChoice.MODE_NAMED:
            choice = ToolChoice(mode=ToolChoice.MODE_REQUIRED)
        if options.response_schema_json:
            _check_schema(options.response_schema_json)
        conversation = read(asked.prompt, asked.messages, self._config.max_tool_output_length)
        decision = decide(conversation, list(asked.tools), choice, options.response_schema_json)
        if decision.call:
            return decision, FinishReason.FINISH_REASON_TOOL_CALLS
        return self._limited(decision, asked)

    def _limited(self, decision: Decision, asked: Asked) -> tuple[Decision, FinishReason.ValueType]:
        options, text = asked.options, decision.text
        for stop in list(options.stop) or self._config.stop:
            if stop:
                text = text.partition(stop)[0]
        tokens = options.max_tokens if options.HasField("max_tokens") else self._config.text_tokens
        if tokens > 0 and len(text.encode()) > tokens * BYTES_PER_TOKEN:
            text = text.encode()[: int(tokens * BYTES_PER_TOKEN)].decode("utf-8", "ignore")
            return Decision(text=text), FinishReason.FINISH_REASON_LENGTH
        return Decision(text=text), FinishReason.FINISH_REASON_STOP


def _check_schema(text: str) -> None:
    try:
        ok = isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        ok = False
    if not ok:
        raise ModelRefused("response_schema_json: a JSON object is needed")


def _usage(asked: Asked, decision: Decision) -> TokenUsage:
    prompt = round(conversation_bytes(asked.prompt, asked.messages, asked.tools) / BYTES_PER_TOKEN)
    said = decision.text.encode() if not decision.call else decision.call.arguments_json.encode()
    completion = max(1, round(len(said) / BYTES_PER_TOKEN))
    return TokenUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)
