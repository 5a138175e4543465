"""What every LLM provider must do, whoever wrote it."""

import asyncio
import json
from collections.abc import Awaitable
from typing import TypeVar

import grpc
import pytest

from hector.common.v1 import ROLE_ASSISTANT, ROLE_TOOL, ROLE_USER, Message, Part, Tool, ToolCall, ToolResult
from hector.llm.v1 import (
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    CallToolRequest,
    CountTokensRequest,
    GenerateTextRequest,
    GenerationOptions,
    ListModelsRequest,
    LLMProviderStub,
    StreamTextRequest,
    StreamTextResponse,
    ToolChoice,
)
from hector_mesh import streaming

SEARCH = Tool(
    name="search",
    description="Searches the documents.",
    parameters_json=json.dumps(
        {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    ),
)
COLOUR = json.dumps(
    {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green"]}, "count": {"type": "integer"}},
        "required": ["colour", "count"],
        "additionalProperties": False,
    }
)


Response = TypeVar("Response")


def user(text: str) -> Message:
    return Message(role=ROLE_USER, parts=[Part(text=text)])


def searched(question: str, result: str) -> list[Message]:
    """Return a conversation in which the model asked for a search and got its result."""
    call = ToolCall(id="c1", name="search", arguments_json='{"query": "x"}')
    found = ToolResult(tool_call_id="c1", name="search", parts=[Part(text=result)])
    return [
        user(question),
        Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=call)]),
        Message(role=ROLE_TOOL, parts=[Part(tool_result=found)]),
    ]


async def streamed(llm: LLMProviderStub, request: StreamTextRequest) -> list[StreamTextResponse]:
    """Return every piece of an answer."""
    async with asyncio.timeout(20), streaming(llm.StreamText(request)) as pieces:
        return [piece async for piece in pieces]


async def unless_unimplemented(call: Awaitable[Response]) -> Response | None:
    """Return the answer to an optional call, or None if the provider leaves it out."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
            raise
        return None


def joined(pieces: list[StreamTextResponse]) -> str:
    return "".join(piece.text for piece in pieces)


def calls_in(pieces: list[StreamTextResponse]) -> list[ToolCall]:
    """Return the tool calls that the pieces of a stream make."""
    calls: dict[int, ToolCall] = {}
    for piece in pieces:
        for delta in piece.tool_calls:
            call = calls.setdefault(delta.index, ToolCall(id=delta.id, name=delta.name))
            call.arguments_json += delta.arguments_json_fragment
    return [calls[index] for index in sorted(calls)]


class LLMProviderSuite:
    """Subclass it, provide the fixture `llm`, and all of this runs.

    The model behind it answers what it is told in words, asks for `search` when it must, and writes JSON by a
    schema; what it says is its own business.
    """

    async def test_a_stream_has_one_last_message_that_says_how_it_ended(self, llm: LLMProviderStub) -> None:
        """Contract: `done` is true in exactly one message, the last, with usage and finish_reason."""
        pieces = await streamed(llm, StreamTextRequest(prompt="hello there"))
        assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        assert pieces[-1].finish_reason == FINISH_REASON_STOP
        assert pieces[-1].HasField("usage")
        assert pieces[-1].usage.total_tokens > 0
        assert not any(piece.HasField("usage") for piece in pieces[:-1])
        assert joined(pieces).strip()

    async def test_whole_and_streamed_answers_are_alike(self, llm: LLMProviderStub) -> None:
        """Contract: `text` is the text parts joined; the pieces of a stream join to the same."""
        async with asyncio.timeout(20):
            whole = await llm.GenerateText(GenerateTextRequest(messages=[user("hello there")]))
        pieces = await streamed(llm, StreamTextRequest(messages=[user("hello there")]))
        assert whole.text == "".join(part.text for part in whole.message.parts)
        assert whole.text == joined(pieces)
        assert whole.message.role == ROLE_ASSISTANT
        assert whole.finish_reason == FINISH_REASON_STOP
        assert whole.usage.total_tokens > 0
        assert whole.model == pieces[0].model or pieces[-1].model
        assert not whole.error

    async def test_a_prompt_is_one_message_of_the_user(self, llm: LLMProviderStub) -> None:
        """Contract: the short form."""
        async with asyncio.timeout(20):
            short = await llm.GenerateText(GenerateTextRequest(prompt="hello there"))
            long = await llm.GenerateText(GenerateTextRequest(messages=[user("hello there")]))
        assert short.text == long.text

    async def test_a_tool_that_must_be_asked_for_is_asked_for(self, llm: LLMProviderStub) -> None:
        """Contract: MODE_REQUIRED; id and name in the first piece of a call only, arguments are JSON."""
        options = GenerationOptions(tool_choice=ToolChoice(mode=ToolChoice.MODE_REQUIRED))
        request = StreamTextRequest(messages=[user("What is Hector?")], tools=[SEARCH], options=options)
        pieces = await streamed(llm, request)
        (call,) = calls_in(pieces)
        assert call.name == "search"
        assert call.id
        assert isinstance(json.loads(call.arguments_json)["query"], str)
        assert pieces[-1].finish_reason == FINISH_REASON_TOOL_CALLS
        deltas = [delta for piece in pieces for delta in piece.tool_calls]
        assert all(delta.id and delta.name for delta in deltas[:1])
        assert not any(delta.id or delta.name for delta in deltas[1:])

    async def test_a_turn_of_tool_calls_is_not_empty(self, llm: LLMProviderStub) -> None:
        """Contract: CallTool, or UNIMPLEMENTED."""
        request = CallToolRequest(messages=[user("What is Hector?")], tools=[SEARCH])
        response = await unless_unimplemented(llm.CallTool(request, timeout=20))
        if response is None:
            return
        assert [call.name for call in response.tool_calls] == ["search"]
        assert response.tool_calls[0].id

    async def test_no_tools_means_no_tool_calls(self, llm: LLMProviderStub) -> None:
        """Contract: MODE_NONE."""
        options = GenerationOptions(tool_choice=ToolChoice(mode=ToolChoice.MODE_NONE))
        request = StreamTextRequest(messages=[user("hello there")], tools=[SEARCH], options=options)
        pieces = await streamed(llm, request)
        assert not calls_in(pieces)
        assert joined(pieces).strip()

    async def test_a_conversation_goes_on_after_a_tools_result(self, llm: LLMProviderStub) -> None:
        """Contract: results are messages of the role tool, behind the turn that asked."""
        result = "[docs/hector.md:1-3] Hector\nHector is a platform for agents."
        messages = searched("What is Hector?", result)
        pieces = await streamed(llm, StreamTextRequest(messages=messages, tools=[SEARCH]))
        assert joined(pieces).strip()
        assert not calls_in(pieces)

    async def test_an_answer_by_a_schema_is_json(self, llm: LLMProviderStub) -> None:
        """Contract: response_schema_json."""
        options = GenerationOptions(response_schema_json=COLOUR)
        pieces = await streamed(
            llm, StreamTextRequest(messages=[user("3 of the green ones")], options=options)
        )
        found = json.loads(joined(pieces))
        assert set(found) == {"colour", "count"}
        assert found["colour"] in ("red", "green")
        assert isinstance(found["count"], int)

    async def test_many_may_ask_at_once(self, llm: LLMProviderStub) -> None:
        """Ours: answers do not mix."""
        answers = await asyncio.gather(
            *(streamed(llm, StreamTextRequest(prompt="hello there")) for _ in range(20))
        )
        assert len({joined(answer) for answer in answers}) == 1

    async def test_a_reader_may_leave_after_the_first_piece(self, llm: LLMProviderStub) -> None:
        """Ours: the next call is none the worse."""
        async with asyncio.timeout(20):
            async with streaming(llm.StreamText(StreamTextRequest(prompt="hello there"))) as pieces:
                async for _ in pieces:
                    break
        assert (await streamed(llm, StreamTextRequest(prompt="hello there")))[-1].done

    async def test_models_are_listed_by_the_name_to_ask_for(self, llm: LLMProviderStub) -> None:
        """Contract: ListModels."""
        async with asyncio.timeout(20):
            response = await llm.ListModels(ListModelsRequest())
        assert response.models
        assert all(model.name for model in response.models)

    async def test_a_longer_conversation_counts_more_tokens(self, llm: LLMProviderStub) -> None:
        """Contract: CountTokens, or UNIMPLEMENTED."""
        short, long = (
            CountTokensRequest(messages=[user("hi")]),
            CountTokensRequest(messages=[user("hi " * 100)]),
        )
        counted = await unless_unimplemented(llm.CountTokens(short, timeout=20))
        if counted is None:
            return
        assert 0 < counted.tokens < (await llm.CountTokens(long, timeout=20)).tokens

    @pytest.mark.parametrize("schema", ["{", "[]", '"text"'])
    async def test_a_schema_that_is_none_is_refused(self, llm: LLMProviderStub, schema: str) -> None:
        """Ours: with INVALID_ARGUMENT, before anything was said."""
        options = GenerationOptions(response_schema_json=schema)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await streamed(llm, StreamTextRequest(prompt="hello there", options=options))
        assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
