"""Asks a model and gathers what it says into one turn, showing the text as it comes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hector.common.v1 import ROLE_ASSISTANT, Message, Part, Reasoning, TokenUsage, Tool, ToolCall
from hector.llm.v1 import (
    FINISH_REASON_UNSPECIFIED,
    FinishReason,
    GenerateTextRequest,
    GenerateTextResponse,
    GenerationOptions,
    LLMProviderStub,
    StreamTextRequest,
    StreamTextResponse,
    ToolCallDelta,
)
from hector_mesh import streaming

from .errors import AnswerTooLong, ModelSaidNothing


@dataclass(slots=True)
class Turn:
    """What a model said: gathered while it streams, whole at the end."""

    text: list[str] = field(default_factory=list)
    calls: dict[int, ToolCall] = field(default_factory=dict)
    thoughts: list[Reasoning] = field(default_factory=list)
    blobs: list[Part] = field(default_factory=list)
    usage: TokenUsage = field(default_factory=TokenUsage)
    finish_reason: "FinishReason.ValueType" = FINISH_REASON_UNSPECIFIED
    model: str = ""

    def message(self, *, with_text: bool) -> Message:
        """Return the turn as a message: thoughts, text, pictures, then the tool calls."""
        parts = [Part(reasoning=thought) for thought in self.thoughts]
        if with_text and self.text:
            parts.append(Part(text="".join(self.text)))
        parts += self.blobs
        parts += [Part(tool_call=call) for call in self.tool_calls()]
        return Message(role=ROLE_ASSISTANT, parts=parts)

    def tool_calls(self) -> list[ToolCall]:
        """Return the calls in order, each with an id of its own."""
        if not self.calls:
            return []
        taken: set[str] = set()
        for index, call in sorted(self.calls.items()):
            call.id = call.id or f"call_{index}"
            if call.id in taken:
                call.id = f"{call.id}_{index}"
            taken.add(call.id)
        return [call for _, call in sorted(self.calls.items())]


async def ask(
    llm: LLMProviderStub,
    name: str,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    options: GenerationOptions | None,
    show: Callable[[str], None],
    *,
    stream: bool,
    agent: str,
    limit_bytes: int,
) -> Turn:
    """Ask a model; `show` gets the text as it arrives. Cancelling closes the provider's connection.

    Raises:
        AnswerTooLong: It said more than `limit_bytes` to the agent; what it had said before has been shown.
        AioRpcError: The provider failed; what it had said before has been shown.
        ModelSaidNothing: The stream ended without its last message.
    """
    if not stream:
        request = GenerateTextRequest(messages=messages, tools=tools, options=options)
        whole = await llm.GenerateText(request)
        if max(len(whole.text), whole.message.ByteSize()) > limit_bytes:
            raise AnswerTooLong(name, agent, limit_bytes)
        return _whole(whole, show)
    turn, done, size_bytes = Turn(), False, 0
    async with streaming(
        llm.StreamText(StreamTextRequest(messages=messages, tools=tools, options=options))
    ) as pieces:
        async for piece in pieces:
            if piece.error:
                raise ModelSaidNothing(name, piece.error)
            size_bytes += piece.ByteSize()
            if size_bytes > limit_bytes:
                raise AnswerTooLong(name, agent, limit_bytes)
            _take(turn, piece)
            if piece.text:
                show(piece.text)
            done = done or piece.done
    if not done:
        raise ModelSaidNothing(name)
    return turn


def _take(turn: Turn, piece: StreamTextResponse) -> None:
    if piece.text:
        turn.text.append(piece.text)
    for delta in piece.tool_calls:
        _extend(turn.calls, delta)
    if piece.HasField("reasoning"):
        _think(turn.thoughts, piece.reasoning)
    if piece.HasField("blob"):
        turn.blobs.append(Part(blob=piece.blob))
    if piece.model:
        turn.model = piece.model
    if piece.done:
        turn.usage, turn.finish_reason = piece.usage, piece.finish_reason


def _extend(calls: dict[int, ToolCall], delta: ToolCallDelta) -> None:
    call = calls.setdefault(delta.index, ToolCall())
    call.id = call.id or delta.id
    call.name = call.name or delta.name
    call.arguments_json += delta.arguments_json_fragment


def _think(thoughts: list[Reasoning], piece: Reasoning) -> None:
    if not thoughts or thoughts[-1].signature or thoughts[-1].redacted:
        thoughts.append(Reasoning())
    thoughts[-1].text += piece.text
    thoughts[-1].signature += piece.signature
    thoughts[-1].redacted = piece.redacted


def _whole(response: GenerateTextResponse, show: Callable[[str], None]) -> Turn:
    if response.error:
        raise ModelSaidNothing(response.model, response.error)
    turn = Turn(usage=response.usage, finish_reason=response.finish_reason, model=response.model)
    for part in response.message.parts or [Part(text=response.text)]:
        kind = part.WhichOneof("content")
        if kind == "text" and part.text:
            turn.text.append(part.text)
        elif kind == "tool_call":
            turn.calls[len(turn.calls)] = part.tool_call
        elif kind == "reasoning":
            turn.thoughts.append(part.reasoning)
        elif kind == "blob":
            turn.blobs.append(part)
    if turn.text:
        show("".join(turn.text))
    return turn
