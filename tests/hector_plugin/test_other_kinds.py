"""Models, embedders, strategies and parsers as functions, and what a plugin asks of its host."""

import dataclasses
import struct
from collections.abc import AsyncIterator, Sequence
from enum import Enum
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.common.v1 import Part, Reasoning, TokenUsage, ToolCall, ToolResult
from hector.document.v1 import (
    DocumentParserStub,
    ParseDocumentRequest,
    Section,
    StreamParseDocumentRequest,
)
from hector.embedder.v1 import EmbedBatchRequest, EmbedderProviderStub, EmbedTextRequest
from hector.llm.v1 import (
    FINISH_REASON_TOOL_CALLS,
    GenerateTextRequest,
    LLMProviderStub,
    StreamTextRequest,
    StreamTextResponse,
)
from hector.plugin.v1 import (
    GetStateResponse,
    HostEmbedResponse,
    HostExecuteToolResponse,
    HostGenerateResponse,
    HostServicesServicer,
    ListStateResponse,
    PutStateResponse,
)
from hector.reasoning.v1 import (
    Action,
    Ask,
    InitializeRequest,
    ProcessIterationRequest,
    ReasoningStrategyStub,
    State,
)
from hector_mesh import info_of
from hector_plugin import embedder, host, llm, parser, reasoning, text_of, tool
from hector_plugin.errors import DocumentUnreadable
from hector_plugin.testing import running


@llm("fast", "slow")
async def model(request: StreamTextRequest) -> AsyncIterator[Any]:
    yield Reasoning(text="hm")
    yield f"{request.model}: "
    yield text_of(request.messages[-1])
    yield ToolCall(id="c1", name="look", arguments_json="{}")
    yield TokenUsage(prompt_tokens=2, completion_tokens=3)


async def test_what_a_model_yields_becomes_a_stream_and_a_whole_answer() -> None:
    async with running(model) as plugin:
        stub = plugin.stub(LLMProviderStub)
        pieces = [piece async for piece in stub.StreamText(StreamTextRequest(prompt="hi", model="slow"))]
        whole = await stub.GenerateText(GenerateTextRequest(prompt="hi"))
    assert [piece.done for piece in pieces] == [False, False, False, False, True]
    assert "".join(piece.text for piece in pieces) == "slow: hi"
    assert pieces[-1].usage.total_tokens == 5
    assert pieces[-1].finish_reason == FINISH_REASON_TOOL_CALLS
    assert (whole.text, whole.model) == ("fast: hi", "fast")
    parts = whole.message.parts
    assert (parts[0].reasoning.text, parts[1].text, parts[2].tool_call.name) == ("hm", "fast: hi", "look")
    assert len(parts) == 3


async def test_a_model_that_is_not_there_is_not_found() -> None:
    async with running(model) as plugin:
        with pytest.raises(AioRpcError) as refused:
            await plugin.stub(LLMProviderStub).GenerateText(GenerateTextRequest(prompt="x", model="huge"))
    assert refused.value.code() is StatusCode.NOT_FOUND
    assert refused.value.details() == "there is no model 'huge'; there is: fast, slow"


def test_a_model_has_to_yield() -> None:
    with pytest.raises(TypeError, match="has to be `async def` and to yield"):
        llm("fast")(lambda request: [])  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="name the models"):
        llm()


@pytest.mark.parametrize("form", ["floats", "bytes"])
async def test_an_embedder_is_a_function_of_texts(form: str) -> None:
    @embedder(model="m", dimensions=2, max_batch=2)
    def vectors(texts: Sequence[str]) -> Sequence[Any]:
        found = [(float(len(text)), 1.0) for text in texts]
        return found if form == "floats" else [struct.pack("<2f", *vector) for vector in found]

    async with running(vectors) as plugin:
        stub = plugin.stub(EmbedderProviderStub)
        answer = await stub.EmbedBatch(EmbedBatchRequest(texts=["a", "bcd"]))
        assert [struct.unpack("<2f", one.vector_f32) for one in answer.embeddings] == [(1, 1), (3, 1)]
        for request, said in (
            (EmbedBatchRequest(texts=["a", " "]), "texts[1] is empty"),
            (EmbedBatchRequest(texts=["a", "b", "c"]), "found 3 texts, allowed: 2"),
            (EmbedBatchRequest(texts=["a"], dimensions=3), "found 3 dimensions, allowed: 2"),
        ):
            with pytest.raises(AioRpcError) as refused:
                await stub.EmbedBatch(request)
            assert refused.value.code() is StatusCode.INVALID_ARGUMENT
            assert said in (refused.value.details() or "")


async def test_an_embedder_that_returns_something_else_is_found_out() -> None:
    @embedder(model="m", dimensions=3)
    async def vectors(texts: Sequence[str]) -> Sequence[Any]:
        return [(1.0, 2.0) for _ in texts]

    async with running(vectors) as plugin:
        with pytest.raises(AioRpcError) as refused:
            await plugin.stub(EmbedderProviderStub).EmbedText(EmbedTextRequest(text="a"))
    assert refused.value.code() is StatusCode.INTERNAL


@dataclasses.dataclass
class Memory:
    asked: int = 0


@reasoning(Memory, version=2)
def strategy(memory: Memory, request: ProcessIterationRequest) -> list[Action] | str:
    memory.asked += 1
    return [Action(id=f"ask-{memory.asked}", ask=Ask())] if memory.asked < 3 else "enough"


async def test_a_strategys_memory_travels_with_each_call() -> None:
    async with running(strategy) as plugin:
        stub = plugin.stub(ReasoningStrategyStub)
        state = (await stub.Initialize(InitializeRequest())).state
        decided = []
        for _ in range(3):
            decision = await stub.ProcessIteration(ProcessIterationRequest(state=state))
            state = decision.state
            decided.append(([action.id for action in decision.actions], decision.done, decision.result))
        assert decided == [(["ask-1"], False, ""), (["ask-2"], False, ""), ([], True, "enough")]
        assert (state.data, state.version, state.content_type) == (b'{"asked":3}', 2, "application/json")
        for bad in (State(data=b'{"asked":1}', version=1), State(data=b"[", version=2), State(version=2)):
            with pytest.raises(AioRpcError) as refused:
                await stub.ProcessIteration(ProcessIterationRequest(state=bad))
            assert refused.value.code() is StatusCode.FAILED_PRECONDITION
            assert info_of(refused.value).reason == "STATE_UNREADABLE"


class Mood(Enum):
    CALM = "calm"
    ALERT = "alert"


@dataclasses.dataclass
class Moods:
    now: Mood = Mood.CALM
    seen: set[str] = dataclasses.field(default_factory=set)


async def test_a_memory_may_hold_whatever_hints_can_say() -> None:
    @reasoning(Moods)
    def moody(memory: Moods, request: ProcessIterationRequest) -> str:
        before, memory.now = memory.now, Mood.ALERT
        memory.seen.add(before.value)
        return f"{before} {memory.seen}"

    async with running(moody) as plugin:
        stub = plugin.stub(ReasoningStrategyStub)
        state = (await stub.Initialize(InitializeRequest())).state
        first = await stub.ProcessIteration(ProcessIterationRequest(state=state))
        again = await stub.ProcessIteration(ProcessIterationRequest(state=first.state))
    assert (first.result, again.result[:10]) == ("Mood.CALM {'calm'}", "Mood.ALERT")


@parser(".lines")
def lines(document: ParseDocumentRequest) -> list[Section]:
    try:
        text = document.content.decode()
    except UnicodeDecodeError:
        raise DocumentUnreadable("it is no text") from None
    return [Section(text=line) for line in text.splitlines()]


async def test_a_parser_is_a_function_of_a_document() -> None:
    async with running(lines) as plugin:
        stub = plugin.stub(DocumentParserStub)
        document = ParseDocumentRequest(content=b"one two\nthree", file_name="x.lines")
        whole = await stub.ParseDocument(document)
        events = [
            event async for event in stub.StreamParseDocument(StreamParseDocumentRequest(document=document))
        ]
        with pytest.raises(AioRpcError) as refused:
            await stub.ParseDocument(ParseDocumentRequest(content=b"\xff"))
    assert ([section.text for section in whole.sections], whole.word_count) == (["one two", "three"], 3)
    assert [event.WhichOneof("event") for event in events] == ["section", "section", "result"]
    assert info_of(refused.value).reason == "DOCUMENT_UNREADABLE"
    with pytest.raises(TypeError, match="with their dot"):
        parser("pdf")


class TheHost(HostServicesServicer):
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def HostGenerate(self, request: Any, context: Any) -> Any:
        for word in ("it ", "is ", request.messages[0].parts[0].text):
            yield HostGenerateResponse(piece=StreamTextResponse(text=word))

    async def HostExecuteTool(self, request: Any, context: Any) -> Any:
        parts = [Part(text=request.call.arguments_json)]
        return HostExecuteToolResponse(result=ToolResult(name=request.call.name, parts=parts))

    async def HostEmbed(self, request: Any, context: Any) -> Any:
        return HostEmbedResponse(vectors_f32=[struct.pack("<1f", len(text)) for text in request.texts])

    async def GetState(self, request: Any, context: Any) -> Any:
        return GetStateResponse(value=self.kept.get(request.key, b""), found=request.key in self.kept)

    async def PutState(self, request: Any, context: Any) -> Any:
        if request.remove:
            self.kept.pop(request.key, None)
        else:
            self.kept[request.key] = request.value
        return PutStateResponse()

    async def ListState(self, request: Any, context: Any) -> Any:
        keys = sorted(key for key in self.kept if key.startswith(request.prefix))
        place = int(request.page_token or 0)
        more = str(place + 1) if place + 1 < len(keys) else ""
        return ListStateResponse(keys=keys[place : place + 1], next_page_token=more)


@tool
async def asks(text: str) -> str:
    """Asks the host for everything."""
    await host.put("a", b"1")
    await host.put("b", b"2")
    keys = await host.keys()
    await host.remove("a")
    said = await host.ask("fast", text)
    result = await host.execute_tool("look", at=3)
    return f"{said}; {result.parts[0].text}; {await host.embed('e', ['abc'])}; {keys} {await host.get('a')} {await host.get('b')!r}"  # noqa: E501


async def test_a_plugin_asks_its_host() -> None:
    async with running(asks, host=TheHost()) as plugin:
        done = await plugin.call("asks", text="raining")
    assert done.result == "it is raining; {\"at\": 3}; [(3.0,)]; ['a', 'b'] None b'2'"


async def test_a_plugin_that_was_granted_nothing_is_told_so() -> None:
    async with running(asks) as plugin:
        with pytest.raises(AioRpcError) as refused:
            await plugin.call("asks", text="x")
    assert refused.value.code() is StatusCode.PERMISSION_DENIED
    assert "under `grants:`" in (refused.value.details() or "")
