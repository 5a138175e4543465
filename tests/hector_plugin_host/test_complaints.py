"""Answers that came as OK: no secret in the words that say how it went, and nothing else touched."""

import asyncio
from collections.abc import Callable

import pytest
from google.protobuf.message import Message
from support.fake_plugins import Behaviour, FakeLauncher

import hector_a2a as a2a
from hector.document.v1 import ParseDocumentResponse, Section, StreamParseDocumentResponse
from hector.embedder.v1 import EmbedBatchResponse, EmbedTextResponse
from hector.guardrail.v1 import CheckContentResponse, Finding
from hector.llm.v1 import (
    CallToolResponse,
    GenerateTextRequest,
    GenerateTextResponse,
    LLMProviderStub,
    StreamTextRequest,
    StreamTextResponse,
)
from hector.reasoning.v1 import FinalizeResponse, InitializeResponse, ProcessIterationResponse
from hector.tool.v1 import ExecuteToolResponse, StreamToolResponse, ToolProgress
from hector.vector.v1 import (
    CreateCollectionResponse,
    DeleteCollectionResponse,
    DeleteVectorsResponse,
    ItemError,
    SearchVectorsResponse,
    UpsertVectorsResponse,
)
from hector_mesh import streaming
from hector_plugin_host import PluginPlan
from hector_plugin_host.complaints import complaints
from hector_plugin_host.host import PluginHost

KEY = "sk-live-9f8e7d6c5b4a"
SAID, HIDDEN = f"key {KEY}", "key ***"
HostOf = Callable[..., PluginHost]


def a2a_status(said: str, state: a2a.TaskState = a2a.TaskState.TASK_STATE_FAILED) -> a2a.TaskStatus:
    return a2a.TaskStatus(state=state, message=a2a.Message(parts=[a2a.Part(text=said)]))


ANSWERS: dict[str, Callable[[str], Message]] = {
    "hector.llm.v1.LLMProvider/GenerateText": lambda said: GenerateTextResponse(error=said),
    "hector.llm.v1.LLMProvider/StreamText": lambda said: StreamTextResponse(error=said, done=True),
    "hector.llm.v1.LLMProvider/CallTool": lambda said: CallToolResponse(error=said),
    "hector.tool.v1.ToolProvider/ExecuteTool": lambda said: ExecuteToolResponse(error=said),
    "hector.tool.v1.ToolProvider/StreamTool": lambda said: StreamToolResponse(
        result=ExecuteToolResponse(error=said)
    ),
    "hector.embedder.v1.EmbedderProvider/EmbedText": lambda said: EmbedTextResponse(error=said),
    "hector.embedder.v1.EmbedderProvider/EmbedBatch": lambda said: EmbedBatchResponse(error=said),
    "hector.document.v1.DocumentParser/ParseDocument": lambda said: ParseDocumentResponse(
        error=said, warnings=["fine", said]
    ),
    "hector.document.v1.DocumentParser/StreamParseDocument": lambda said: StreamParseDocumentResponse(
        result=ParseDocumentResponse(error=said)
    ),
    "hector.vector.v1.DatabaseProvider/CreateCollection": lambda said: CreateCollectionResponse(error=said),
    "hector.vector.v1.DatabaseProvider/DeleteCollection": lambda said: DeleteCollectionResponse(error=said),
    "hector.vector.v1.DatabaseProvider/UpsertVectors": lambda said: UpsertVectorsResponse(
        error=said, item_errors=[ItemError(id="a"), ItemError(id="b", message=said)]
    ),
    "hector.vector.v1.DatabaseProvider/SearchVectors": lambda said: SearchVectorsResponse(error=said),
    "hector.vector.v1.DatabaseProvider/DeleteVectors": lambda said: DeleteVectorsResponse(error=said),
    "hector.reasoning.v1.ReasoningStrategy/Initialize": lambda said: InitializeResponse(
        error=said, first=ProcessIterationResponse(error=said)
    ),
    "hector.reasoning.v1.ReasoningStrategy/ProcessIteration": lambda said: ProcessIterationResponse(
        error=said
    ),
    "hector.reasoning.v1.ReasoningStrategy/Finalize": lambda said: FinalizeResponse(error=said),
    "hector.guardrail.v1.Guardrail/CheckContent": lambda said: CheckContentResponse(
        message=said, findings=[Finding(message=said)]
    ),
    "lf.a2a.v1.A2AService/SendMessage": lambda said: a2a.SendMessageResponse(
        task=a2a.Task(status=a2a_status(said))
    ),
    "lf.a2a.v1.A2AService/GetTask": lambda said: a2a.Task(status=a2a_status(said)),
    "lf.a2a.v1.A2AService/SendStreamingMessage": lambda said: a2a.StreamResponse(
        status_update=a2a.TaskStatusUpdateEvent(status=a2a_status(said))
    ),
}


@pytest.mark.parametrize("method", ANSWERS)
def test_words_about_a_failure_are_told_without_secrets(method: str) -> None:
    answer, hidden = ANSWERS[method](SAID), ANSWERS[method](HIDDEN)
    found = complaints(f"/{method}")
    assert found is not None
    found.hide(answer, frozenset({KEY}))
    assert answer == hidden


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("hector.llm.v1.LLMProvider/GenerateText", GenerateTextResponse(text=SAID)),
        ("hector.tool.v1.ToolProvider/ExecuteTool", ExecuteToolResponse(result=SAID)),
        (
            "hector.tool.v1.ToolProvider/StreamTool",
            StreamToolResponse(progress=ToolProgress(message="half")),
        ),
        (
            "hector.document.v1.DocumentParser/StreamParseDocument",
            StreamParseDocumentResponse(section=Section(text=SAID)),
        ),
        (
            "lf.a2a.v1.A2AService/GetTask",
            a2a.Task(status=a2a_status(SAID, a2a.TaskState.TASK_STATE_COMPLETED)),
        ),
    ],
)
def test_what_an_answer_brings_is_its_callers_and_stays(method: str, answer: Message) -> None:
    before = type(answer).FromString(answer.SerializeToString())
    found = complaints(f"/{method}")
    assert found is not None
    found.hide(answer, frozenset({KEY}))
    assert answer == before


def test_answers_without_words_about_themselves_and_unknown_ones_are_not_looked_at() -> None:
    assert complaints("/hector.llm.v1.LLMProvider/CountTokens") is None
    assert complaints("/nobody.v1.Knows/This") is None


@pytest.mark.parametrize("shape", ["unary", "stream"])
async def test_callers_of_a_plugin_meet_no_secret_in_an_answers_error(
    host_of: HostOf, launcher: FakeLauncher, shape: str
) -> None:
    said = GenerateTextResponse(error=SAID) if shape == "unary" else StreamTextResponse(error=SAID)
    launcher.always = Behaviour(raw=said.SerializeToString())
    host = host_of(PluginPlan("up", secrets=frozenset({KEY})))
    async with asyncio.timeout(20), host.running():
        await host.settled()
        stub = LLMProviderStub(host.channel("up"))
        if shape == "unary":
            assert (await stub.GenerateText(GenerateTextRequest(prompt="a"))).error == HIDDEN
        else:
            call = stub.StreamText(StreamTextRequest(prompt="a"))
            async with streaming(call) as pieces:
                assert [piece.error async for piece in pieces] == [HIDDEN]
