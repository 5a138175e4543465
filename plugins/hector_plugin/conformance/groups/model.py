"""LM: language models."""

import json
from typing import Any

from grpc import StatusCode

from hector.common.v1 import (
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_TOOL,
    Message,
    Part,
    Tool,
    ToolCall,
    ToolResult,
)
from hector.llm.v1 import (
    FINISH_REASON_TOOL_CALLS,
    FINISH_REASON_UNSPECIFIED,
    GenerateTextRequest,
    GenerateTextResponse,
    GenerationOptions,
    ListModelsRequest,
    LLMProviderStub,
    StreamTextRequest,
    StreamTextResponse,
    ToolChoice,
)
from hector.plugin.v1 import PLUGIN_KIND_LLM_PROVIDER as LLM
from hector_plugin.conformance.checks import MUST, SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.connected import Plugin
from hector_plugin.conformance.kinds import user
from hector_plugin.conformance.stage import Stage

SEARCH = Tool(
    name="search",
    description="Searches the documents.",
    parameters_json='{"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}',
)
QUESTION = "Say hello in two words."


@check(
    "LM1",
    MUST,
    "a stream ends in exactly one message with done",
    kind=LLM,
    rule="`done` is true in exactly one message, the last; its usage and finish_reason are there and in no "
    "other",
    mend="send one StreamTextResponse(done=True, usage=…, finish_reason=…) after the last piece",
)
async def one_end(stage: Stage) -> None:
    pieces = await _pieces(stage)
    done = [place for place, piece in enumerate(pieces) if piece.done]
    if done != [len(pieces) - 1]:
        raise Broken(f"{len(pieces)} messages, done in {done or 'none'}")
    for piece in pieces[:-1]:
        if piece.finish_reason != FINISH_REASON_UNSPECIFIED or piece.HasField("usage"):
            raise Broken("usage or finish_reason before the last message")


@check(
    "LM2",
    MUST,
    "text is the text of the message",
    kind=LLM,
    rule="GenerateTextResponse.text is the text parts of `message`, joined, and `message` is of the "
    "assistant",
    mend="make one from the other, or leave `message` out",
)
async def text_is_the_text(stage: Stage) -> None:
    answer = await _whole(stage)
    if answer.HasField("message"):
        joined = "".join(part.text for part in answer.message.parts)
        if joined != answer.text:
            raise Broken(f"text is {answer.text[:80]!r}, the parts of the message are {joined[:80]!r}")
        if answer.message.role != ROLE_ASSISTANT:
            raise Broken("the message is not of the role assistant")


@check(
    "LM3",
    MUST,
    "it answers, whole and in pieces",
    kind=LLM,
    rule="a question gets text, from GenerateText and from StreamText; the pieces join to the answer",
    mend="yield text in `text`; do not repeat the whole answer in the last message",
)
async def it_answers(stage: Stage) -> None:
    whole = await _whole(stage)
    if not whole.text.strip():
        raise Broken("GenerateText came without text")
    if whole.error:
        raise Broken(f"error: {whole.error}")
    joined = "".join(piece.text for piece in await _pieces(stage))
    if not joined.strip():
        raise Broken("StreamText came without text")
    if len(joined) >= 2 * len(whole.text) and joined[: len(joined) // 2] == joined[len(joined) // 2 :]:
        raise Broken("the stream says everything twice")


@check(
    "LM4",
    SHOULD,
    "the same question has the same answer, in pieces or whole",
    kind=LLM,
    rule="at temperature 0 the pieces of a stream join to what GenerateText says",
    mend="build both from one function; models that cannot repeat themselves may break this rule",
)
async def alike(stage: Stage) -> None:
    whole = await _whole(stage)
    joined = "".join(piece.text for piece in await _pieces(stage))
    if joined != whole.text:
        raise Broken(f"whole: {whole.text[:80]!r}; in pieces: {joined[:80]!r}")


@check(
    "LM5",
    MUST,
    "usage adds up",
    kind=LLM,
    rule="no count is negative, and total_tokens is not less than prompt_tokens and completion_tokens "
    "together; "
    "what is not known is zero",
    mend="fill TokenUsage from the provider's own numbers, or leave it empty",
)
async def usage_adds_up(stage: Stage) -> None:
    whole = await _whole(stage)
    last = (await _pieces(stage))[-1:]
    for usage in (whole.usage, *(piece.usage for piece in last)):
        if min(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) < 0:
            raise Broken(f"a negative count: {usage}".replace("\n", " "))
        if usage.total_tokens and usage.total_tokens < usage.prompt_tokens + usage.completion_tokens:
            raise Broken(f"total is less than its parts: {usage}".replace("\n", " "))


@check(
    "LM6",
    MUST,
    "it says why it stopped",
    kind=LLM,
    rule="finish_reason is set, in GenerateText and in the last message of a stream",
    mend="set FINISH_REASON_STOP when the answer is complete",
)
async def says_why(stage: Stage) -> None:
    if (await _whole(stage)).finish_reason == FINISH_REASON_UNSPECIFIED:
        raise Broken("finish_reason is not set")
    last = (await _pieces(stage))[-1:]
    if not last or last[0].finish_reason == FINISH_REASON_UNSPECIFIED:
        raise Broken("finish_reason of the last message is not set")


@check(
    "LM7",
    MUST,
    "it takes every role, and its own calls of tools",
    kind=LLM,
    rule="a system message first, then a conversation with tool calls and their results, is an ordinary "
    "request",
    mend="map the roles system and tool to what your model knows; do not refuse them",
)
async def every_role(stage: Stage) -> None:
    plugin = await stage.shared()
    call = ToolCall(id="c1", name="search", arguments_json='{"query": "x"}')
    found = ToolResult(tool_call_id="c1", name="search", parts=[Part(text="Nothing was found.")])
    messages = [
        Message(role=ROLE_SYSTEM, parts=[Part(text="You are terse.")]),
        user("Look for x."),
        Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=call)]),
        Message(role=ROLE_TOOL, parts=[Part(tool_result=found)]),
    ]
    request = GenerateTextRequest(model=stage.subject.model, messages=messages, tools=[SEARCH])
    answer = await plugin.answer(LLMProviderStub, "GenerateText", request)
    if answer.code is not StatusCode.OK:
        raise Broken(str(answer))


@check(
    "LM8",
    MUST,
    "a prompt is a message of the user",
    kind=LLM,
    rule="`prompt` alone is the short form of one user message",
    mend="where `messages` is empty, make one user message of `prompt`",
)
async def short_form(stage: Stage) -> None:
    plugin = await stage.shared()
    request = GenerateTextRequest(model=stage.subject.model, prompt=QUESTION)
    answer = await plugin.answer(LLMProviderStub, "GenerateText", request)
    if answer.code is not StatusCode.OK:
        raise Broken(str(answer))
    if not answer.response.text.strip():
        raise Broken("it came without text")


@check(
    "LM9",
    MUST,
    "calls of tools can be put together",
    kind=LLM,
    rule="the pieces of a tool call share an index; id and name stand in its first piece only; the arguments "
    "join to JSON",
    mend="number calls from 0; send id and name once; send arguments as fragments of one JSON text",
)
async def tool_calls(stage: Stage) -> None:
    plugin = await stage.shared()
    options = GenerationOptions(tool_choice=ToolChoice(mode=ToolChoice.MODE_REQUIRED))
    request = StreamTextRequest(
        model=stage.subject.model,
        messages=[user("Search for the planet Mars.")],
        tools=[SEARCH],
        options=options,
    )
    found = await plugin.streamed(LLMProviderStub, "StreamText", request)
    if found.code in (StatusCode.INVALID_ARGUMENT, StatusCode.UNIMPLEMENTED):
        raise NotApplicable(f"it asks for no tools: {found}")
    if found.code is not StatusCode.OK:
        raise Broken(str(found))
    calls: dict[int, ToolCall] = {}
    for piece in found.response:
        for delta in piece.tool_calls:
            if delta.index in calls and (delta.id or delta.name):
                raise Broken("id or name again in a later piece of a call")
            call = calls.setdefault(delta.index, ToolCall(id=delta.id, name=delta.name))
            call.arguments_json += delta.arguments_json_fragment
    if not calls:
        raise NotApplicable("it asks for no tools")
    if not all(call.id and call.name for call in calls.values()):
        raise Broken("a call without an id or a name")
    for call in calls.values():
        try:
            json.loads(call.arguments_json or "{}")
        except ValueError:
            raise Broken(f"the arguments are no JSON: {call.arguments_json[:120]!r}") from None
    if found.response[-1].finish_reason != FINISH_REASON_TOOL_CALLS:
        raise Broken("it asks for tools, and finish_reason is another one")


@check(
    "LM10",
    MUST,
    "its models have names that can be asked for",
    kind=LLM,
    rule="ListModels names every model once; the first one can be asked for by its name",
    mend="list the names that GenerateText takes",
)
async def models(stage: Stage) -> None:
    plugin = await stage.shared()
    listed = (await plugin.call(LLMProviderStub, "ListModels", ListModelsRequest())).models
    names = [model.name for model in listed]
    if not names or not all(names) or len(set(names)) != len(names):
        raise Broken(f"the names are {names}")
    request = GenerateTextRequest(model=stage.subject.model or names[0], messages=[user(QUESTION)])
    answer = await plugin.answer(LLMProviderStub, "GenerateText", request)
    if answer.code is StatusCode.NOT_FOUND:
        raise Broken(str(answer))


async def _whole(stage: Stage) -> GenerateTextResponse:
    plugin = await stage.shared()
    request = GenerateTextRequest(
        model=stage.subject.model, messages=[user(QUESTION)], options=GenerationOptions(temperature=0)
    )
    answer: GenerateTextResponse = await plugin.call(LLMProviderStub, "GenerateText", request)
    return answer


async def _pieces(stage: Stage) -> list[StreamTextResponse]:
    plugin: Plugin = await stage.shared()
    request = StreamTextRequest(
        model=stage.subject.model, messages=[user(QUESTION)], options=GenerationOptions(temperature=0)
    )
    found: Any = await plugin.stream(LLMProviderStub, "StreamText", request)
    pieces: list[StreamTextResponse] = found
    return pieces
