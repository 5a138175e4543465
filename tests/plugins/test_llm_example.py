"""Contract: what plugins/examples/README.md says of the model plugin, in every language."""

from collections.abc import Callable

import pytest
from grpc import StatusCode
from support.plugin_process import started
from support.refused import refusal

from hector.common.v1 import (
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_USER,
    Message,
    Part,
    Role,
    TokenUsage,
    ToolCall,
)
from hector.llm.v1 import (
    FINISH_REASON_STOP,
    CallToolRequest,
    CountTokensRequest,
    GenerateTextRequest,
    ListModelsRequest,
    LLMProviderStub,
    StreamTextRequest,
    StreamTextResponse,
)
from hector.plugin.v1 import PLUGIN_KIND_LLM_PROVIDER, GetInfoRequest, PluginStub

pytestmark = pytest.mark.timeout(1300)
"""Whoever comes first may have to build."""

Example = Callable[[str], tuple[str, ...]]


def said(role: "Role.ValueType", *texts: str) -> Message:
    return Message(role=role, parts=[Part(text=text) for text in texts])


CONVERSATION = [
    said(ROLE_SYSTEM, "Be kind to all."),
    said(ROLE_USER, "first question"),
    said(ROLE_ASSISTANT, "an answer"),
    Message(
        role=ROLE_USER, parts=[Part(text="two "), Part(tool_call=ToolCall(id="1")), Part(text=" words\nöß")]
    ),
    said(ROLE_ASSISTANT, "more"),
]
ANSWER = "two  words\nöß"
USAGE = TokenUsage(prompt_tokens=12, completion_tokens=3, total_tokens=15)


async def test_the_plugin_says_what_it_is(example: Example) -> None:
    async with started(example("llm")) as plugin:
        info = await PluginStub(plugin.channel).GetInfo(GetInfoRequest())
        models = (await LLMProviderStub(plugin.channel).ListModels(ListModelsRequest())).models
    assert (info.name, info.version) == ("example-llm", "1.0.0")
    (component,) = info.components
    assert component.kind == PLUGIN_KIND_LLM_PROVIDER
    assert sorted(component.rpcs) == ["GenerateText", "ListModels", "StreamText"]
    (model,) = models
    assert (model.name, model.display_name, model.supports_streaming) == ("echo", "Echo", True)


async def test_it_says_what_the_user_said_last(example: Example) -> None:
    async with started(example("llm")) as plugin:
        stub = LLMProviderStub(plugin.channel)
        answer = await stub.GenerateText(GenerateTextRequest(messages=CONVERSATION, prompt="ignored"))
        short = await stub.GenerateText(GenerateTextRequest(prompt="a b c", model="echo"))
    assert (answer.text, answer.usage, answer.finish_reason) == (ANSWER, USAGE, FINISH_REASON_STOP)
    assert (answer.message, answer.model) == (said(ROLE_ASSISTANT, ANSWER), "echo")
    assert (short.text, short.usage) == (
        "a b c",
        TokenUsage(prompt_tokens=3, completion_tokens=3, total_tokens=6),
    )


async def test_a_stream_says_it_word_by_word_and_ends_in_one_done(example: Example) -> None:
    async with started(example("llm")) as plugin:
        stub = LLMProviderStub(plugin.channel)
        pieces = [piece async for piece in stub.StreamText(StreamTextRequest(messages=CONVERSATION))]
        spaced = [piece async for piece in stub.StreamText(StreamTextRequest(prompt=" a  b "))]
    assert pieces[:-1] == [StreamTextResponse(text=text) for text in ("two ", " ", "words\nöß")]
    end = StreamTextResponse(done=True, usage=USAGE, finish_reason=FINISH_REASON_STOP, model="echo")
    assert pieces[-1] == end
    assert [piece.text for piece in spaced[:-1]] == [" ", "a ", " ", "b "]


async def test_what_it_cannot_answer_is_refused(example: Example) -> None:
    async with started(example("llm")) as plugin:
        stub = LLMProviderStub(plugin.channel)
        for call in (
            stub.GenerateText(GenerateTextRequest(prompt="a", model="other")),
            stub.StreamText(StreamTextRequest(prompt="a", model="other")),
        ):
            why = await refusal(call)
            assert (why.code, why.reason) == (StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")
            assert "other" in why.message
        for call in (
            stub.GenerateText(GenerateTextRequest()),
            stub.StreamText(StreamTextRequest(messages=CONVERSATION[:1], prompt="a")),
        ):
            why = await refusal(call)
            assert (why.code, why.reason) == (StatusCode.INVALID_ARGUMENT, "NOTHING_TO_ECHO")
        for call in (stub.CallTool(CallToolRequest(prompt="a")), stub.CountTokens(CountTokensRequest())):
            assert (await refusal(call)).code == StatusCode.UNIMPLEMENTED
