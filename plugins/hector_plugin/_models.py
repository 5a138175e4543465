"""A function as a language model: `@llm`."""

import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from hector.common.v1 import ROLE_ASSISTANT, ROLE_USER, Message, Part, Reasoning, TokenUsage, ToolCall
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
from hector_mesh import Context

from ._parts import Servable
from ._registry import declare
from .errors import ModelNotFound

Piece = str | TokenUsage | ToolCall | Reasoning | StreamTextResponse
Answers = Callable[[StreamTextRequest], AsyncIterator[Any]]


class LLM(Servable):
    """A function that answers, and the models it answers for."""

    def __init__(self, answers: Answers, models: Sequence[Model]) -> None:
        self._answers = answers
        self._models = models

    def __call__(self, request: StreamTextRequest) -> AsyncIterator[Any]:
        return self._answers(request)

    def servicer(self) -> LLMProviderServicer:
        return _Servicer(self._answers, self._models)


def llm(*models: str | Model) -> Callable[[Answers], LLM]:
    """Make an async generator a language model; it is asked as for a stream, and whole answers are joined.

    The function gets a StreamTextRequest, whose `messages` are never empty and whose `model` is one of
    `models`. It yields texts, a ToolCall for each tool the model wants, and once a TokenUsage; or a
    StreamTextResponse for what these cannot say. The last message of the stream is made for it.

    Args:
        models: Names to ask for, or Model messages where more is known; the first one is the default.

    Raises:
        TypeError: There is no model, or the function is no async generator.
    """
    if not models or callable(models[0]):
        raise TypeError('name the models: @llm("my-model")')
    known = [
        Model(name=model, supports_streaming=True) if isinstance(model, str) else model for model in models
    ]

    def decorate(answers: Answers) -> LLM:
        if not inspect.isasyncgenfunction(answers):
            raise TypeError(f"{answers.__name__} has to be `async def` and to yield the pieces of its answer")
        return declare(LLM(answers, known))

    return decorate


def text_of(message: Message) -> str:
    """Return the text parts of a message, joined."""
    return "".join(part.text for part in message.parts if part.HasField("text"))


class _Servicer(LLMProviderServicer):
    def __init__(self, answers: Answers, models: Sequence[Model]) -> None:
        self._answers = answers
        self._models: Mapping[str, Model] = {model.name: model for model in models}
        self._default = models[0].name

    async def ListModels(self, request: ListModelsRequest, context: Context) -> ListModelsResponse:
        return ListModelsResponse(models=self._models.values())

    async def StreamText(
        self, request: StreamTextRequest, context: Context
    ) -> AsyncIterator[StreamTextResponse]:
        end = StreamTextResponse(done=True, model=self._prepared(request))
        calls = 0
        async with aclosing(self._answers(request)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                if isinstance(piece, str):
                    if piece:
                        yield StreamTextResponse(text=piece)
                elif isinstance(piece, TokenUsage):
                    end.usage.CopyFrom(piece)
                elif isinstance(piece, ToolCall):
                    delta = ToolCallDelta(
                        index=calls,
                        id=piece.id,
                        name=piece.name,
                        arguments_json_fragment=piece.arguments_json,
                    )
                    calls += 1
                    yield StreamTextResponse(tool_calls=[delta])
                elif isinstance(piece, Reasoning):
                    yield StreamTextResponse(reasoning=piece)
                elif piece.done:
                    end.MergeFrom(piece)
                else:
                    calls += len(piece.tool_calls)
                    yield piece
        end.usage.total_tokens = end.usage.total_tokens or (
            end.usage.prompt_tokens + end.usage.completion_tokens
        )
        if not end.finish_reason:
            end.finish_reason = FINISH_REASON_TOOL_CALLS if calls else FINISH_REASON_STOP
        yield end

    async def GenerateText(self, request: GenerateTextRequest, context: Context) -> GenerateTextResponse:
        streamed = StreamTextRequest.FromString(request.SerializeToString())  # the same fields, by number
        whole = GenerateTextResponse(message=Message(role=ROLE_ASSISTANT))
        thought = Reasoning()
        calls: dict[int, ToolCall] = {}
        async with aclosing(self.StreamText(streamed, context)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                whole.text += piece.text
                thought.MergeFrom(Reasoning(text=thought.text + piece.reasoning.text))
                thought.signature += piece.reasoning.signature
                for delta in piece.tool_calls:
                    call = calls.setdefault(delta.index, ToolCall())
                    call.id, call.name = delta.id or call.id, delta.name or call.name
                    call.arguments_json += delta.arguments_json_fragment
                if piece.HasField("blob"):
                    whole.message.parts.append(Part(blob=piece.blob))
                if piece.done:
                    whole.usage.CopyFrom(piece.usage)
                    whole.finish_reason, whole.model = piece.finish_reason, piece.model
                    whole.response_id, whole.error = piece.response_id, piece.error
        parts = [Part(reasoning=thought)] if thought.text or thought.signature else []
        parts += [Part(text=whole.text)] if whole.text else []
        parts += [*whole.message.parts, *(Part(tool_call=calls[index]) for index in sorted(calls))]
        del whole.message.parts[:]
        whole.message.parts.extend(parts)
        return whole

    def _prepared(self, request: StreamTextRequest) -> str:
        """Complete a request in place, and return the model that it is for."""
        model = request.model or self._default
        if model not in self._models:
            raise ModelNotFound(model, ", ".join(self._models))
        request.model = model
        if not request.messages and request.prompt:
            request.messages.append(Message(role=ROLE_USER, parts=[Part(text=request.prompt)]))
        return model
