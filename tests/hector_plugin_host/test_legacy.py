"""Contract: plugins of Hector v1.9.9 work, through their own services and messages."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from support.fake_plugins import Behaviour, FakeLauncher, until

from hector.common.v1 import (
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    Filter,
    Message,
    Part,
    Tool,
    ToolCall,
    ToolResult,
)
from hector.document.v1 import DocumentParserStub, GetSupportedExtensionsRequest, ParseDocumentRequest
from hector.embedder.v1 import EmbedBatchRequest, EmbedderProviderStub, GetDimensionsRequest
from hector.llm.v1 import (
    FINISH_REASON_TOOL_CALLS,
    GenerateTextRequest,
    ListModelsRequest,
    LLMProviderStub,
    StreamTextRequest,
)
from hector.vector.v1 import (
    CreateCollectionRequest,
    DatabaseProviderStub,
    DeleteVectorsRequest,
    SearchVectorsRequest,
    UpsertVectorsRequest,
    VectorRecord,
)
from hector_document.config import ChunkingConfig
from hector_document.directory import File
from hector_document.passages import passage_of, prepared
from hector_mesh import info_of, streaming
from hector_plugin_host import PluginPlan
from hector_plugin_host.host import PluginHost
from hector_plugin_host.legacy.wire import message

HostOf = Callable[..., PluginHost]


class Old:
    """A plugin of v1.9.9: answers by rpc, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.refuses = ""

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        lifecycle = {
            "GetManifest": ("Empty", lambda _: message("Manifest")(name="old", version="1.9.9")),
            "Initialize": ("InitializeRequest", lambda _: self._outcome()),
            "Shutdown": ("Empty", lambda _: self._outcome()),
        }
        llm = {
            **lifecycle,
            "Generate": ("GenerateRequest", self.generate),
            "GetModelInfo": (
                "Empty",
                lambda _: message("ModelInfo")(model_name="old-1", max_tokens=100),
            ),
        }
        embedder = {
            **lifecycle,
            "Embed": ("EmbedRequest", self.embed),
            "GetEmbedderInfo": (
                "Empty",
                lambda _: message("EmbedderInfo")(model_name="e", dimension=2),
            ),
        }
        database = {
            **lifecycle,
            "CreateCollection": ("CreateCollectionRequest", lambda _: self._outcome()),
            "Upsert": ("UpsertRequest", lambda _: self._outcome()),
            "Delete": ("DeleteRequest", lambda _: self._outcome()),
            "Search": ("SearchRequest", self.search),
        }
        parser = {
            "ParseDocument": ("ParseDocumentRequest", self.parse),
            "GetSupportedExtensions": (
                "Empty",
                lambda _: message("Extensions")(extensions=[".old"]),
            ),
        }
        services = {
            "LLMProvider": llm,
            "EmbedderProvider": embedder,
            "DatabaseProvider": database,
            "DocumentParserService": parser,
        }
        found = []
        for service, rpcs in services.items():
            methods = {rpc: self._handler(rpc, *about) for rpc, about in rpcs.items()}
            if service == "LLMProvider":
                methods["GenerateStreaming"] = grpc.unary_stream_rpc_method_handler(
                    self.stream, message("GenerateRequest").FromString, lambda one: one.SerializeToString()
                )
            found.append(grpc.method_handlers_generic_handler(f"hector.plugin.{service}", methods))
        return found

    def _handler(self, rpc: str, request: str, answer: Callable[[Any], Any]) -> Any:
        async def serve(asked: Any, context: Any) -> Any:
            self.asked.append((rpc, asked))
            return answer(asked)

        decode = message(request).FromString
        return grpc.unary_unary_rpc_method_handler(serve, decode, lambda one: one.SerializeToString())

    def _outcome(self) -> Any:
        return message("Outcome")(success=not self.refuses, error=self.refuses)

    def generate(self, asked: Any) -> Any:
        call = message("ToolCall")(id="1", name="look", arguments_json="{}")
        return message("GenerateResponse")(text="hi", tool_calls=[call], tokens_used=7)

    async def stream(self, asked: Any, context: Any) -> AsyncIterator[Any]:
        chunk = message("StreamChunk")
        if asked.messages[-1].content == "fail":
            yield chunk(type=3, error="out of words")
        yield chunk(type=0, text="a")
        yield chunk(type=0, text="b")
        yield chunk(type=1, tool_call=message("ToolCall")(id="1", name="look", arguments_json="{}"))
        yield chunk(type=2, tokens_used=9)

    def embed(self, asked: Any) -> Any:
        if asked.text == "fail":
            return message("EmbedResponse")(error="no vector for that")
        return message("EmbedResponse")(vector=[1.0, float(len(asked.text))])

    def search(self, asked: Any) -> Any:
        facts = [message("MetadataEntry")(key="page", value="3")]
        one = message("SearchResult")(id="a", score=0.9, content="text", metadata=facts)
        two = message("SearchResult")(id="b", score=0.1)
        kept = [asked for rpc, asked in self.asked if rpc == "Upsert"]
        again = [message("SearchResult")(id=each.id, metadata=each.metadata) for each in kept]
        return message("SearchResponse")(results=[one, two, *again])

    def parse(self, asked: Any) -> Any:
        read = Path(asked.file_path).read_text()
        return message("ParseDocumentResponse")(success=True, content=read.upper(), pages=1)


@pytest.fixture
def old(launcher: FakeLauncher) -> Old:
    plugin = Old()
    launcher.always = Behaviour(info=None, only=plugin.handlers)
    return plugin


@asynccontextmanager
async def running(host: PluginHost) -> AsyncIterator[PluginHost]:
    async with asyncio.timeout(30), host.running():
        await host.settled()
        assert host.status()[0].state == "ready", host.status()[0].reason
        yield host


async def test_its_manifest_and_its_services_say_what_it_is(host_of: HostOf, old: Old) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        status = host.status()[0].asdict()
    assert (status["version"], status["state"]) == ("1.9.9", "ready")
    assert status["kinds"] == ["llm_provider", "database_provider", "embedder_provider", "document_parser"]


async def test_settings_that_are_no_strings_arrive_as_json(host_of: HostOf, old: Old) -> None:
    config = '{"url": "here", "max_iterations": 20, "deep": {"a": [1]}}'
    async with running(host_of(PluginPlan("up", config_json=config))):
        pass
    told = next(asked for rpc, asked in old.asked if rpc == "Initialize")
    values = {entry.key: entry.value for entry in told.config}
    assert values == {"url": "here", "max_iterations": "20", "deep": '{"a": [1]}'}


async def test_settings_that_it_refuses_are_its_end(host_of: HostOf, old: Old) -> None:
    old.refuses = "api_key is missing"
    host = host_of(PluginPlan("up"))
    async with asyncio.timeout(30), host.running():
        await until(lambda: host.status()[0].state == "failed")
        assert "it does not accept its config: api_key is missing" in host.status()[0].reason


async def test_at_its_end_each_of_its_services_hears_of_it_that_was_told_its_settings(
    host_of: HostOf, old: Old
) -> None:
    async with running(host_of(PluginPlan("up", mode="spawn"))):
        assert "Shutdown" not in [rpc for rpc, _ in old.asked]
    assert [rpc for rpc, _ in old.asked].count("Shutdown") == 3


async def test_one_that_somebody_else_runs_is_not_ended(host_of: HostOf, old: Old) -> None:
    async with running(host_of(PluginPlan("up", mode="attach"))):
        pass
    assert "Shutdown" not in [rpc for rpc, _ in old.asked]


async def test_its_model_answers_with_text_and_calls_of_tools(host_of: HostOf, old: Old) -> None:
    result = ToolResult(tool_call_id="1", name="look", parts=[Part(text="42")])
    messages = [
        Message(role=ROLE_SYSTEM, parts=[Part(text="be brief")]),
        Message(role=ROLE_USER, parts=[Part(text="hello "), Part(text="there")]),
        Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=ToolCall(id="1", name="look"))]),
        Message(role=ROLE_TOOL, parts=[Part(tool_result=result)]),
    ]
    async with running(host_of(PluginPlan("up"))) as host:
        stub = LLMProviderStub(host.channel("up"))
        tools = [Tool(name="look", description="looks", parameters_json="{}")]
        answer = await stub.GenerateText(GenerateTextRequest(messages=messages, tools=tools))
        models = (await stub.ListModels(ListModelsRequest())).models
    assert (answer.text, answer.usage.total_tokens) == ("hi", 7)
    assert answer.finish_reason == FINISH_REASON_TOOL_CALLS
    assert [part.WhichOneof("content") for part in answer.message.parts] == ["text", "tool_call"]
    asked = next(asked for rpc, asked in old.asked if rpc == "Generate")
    assert [(one.role, one.content, one.tool_call_id) for one in asked.messages] == [
        ("system", "be brief", ""),
        ("user", "hello there", ""),
        ("assistant", "", ""),
        ("tool", "42", "1"),
    ]
    assert asked.messages[2].tool_calls[0].name == "look"
    assert asked.tools[0].description == "looks"
    assert models[0].name == "old-1"


async def test_its_stream_ends_in_one_last_message(host_of: HostOf, old: Old) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        stub = LLMProviderStub(host.channel("up"))
        async with streaming(stub.StreamText(StreamTextRequest(prompt="hello"))) as pieces:
            found = [piece async for piece in pieces]
        failed = stub.StreamText(StreamTextRequest(prompt="fail"))
        with pytest.raises(AioRpcError, match="out of words") as raised:
            async for _ in failed:
                pass
    assert [piece.text for piece in found] == ["a", "b", "", ""]
    assert [piece.done for piece in found] == [False, False, False, True]
    assert found[2].tool_calls[0].name == "look"
    assert found[-1].usage.total_tokens == 9
    assert raised.value.code() is StatusCode.INTERNAL


async def test_its_embedder_takes_one_text_after_the_other(host_of: HostOf, old: Old) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        stub = EmbedderProviderStub(host.channel("up"))
        answer = await stub.EmbedBatch(EmbedBatchRequest(texts=["a", "bcd"]))
        dimensions = (await stub.GetDimensions(GetDimensionsRequest())).dimensions
        with pytest.raises(AioRpcError, match="no vector for that"):
            await stub.EmbedBatch(EmbedBatchRequest(texts=["fail"]))
    assert [list(one.vector) for one in answer.embeddings] == [[1.0, 1.0], [1.0, 3.0]]
    assert dimensions == 2


async def test_its_database_keeps_and_finds_vectors(host_of: HostOf, old: Old) -> None:
    async with running(host_of(PluginPlan("up"))) as host:
        stub = DatabaseProviderStub(host.channel("up"))
        await stub.CreateCollection(CreateCollectionRequest(name="docs", dimension=2))
        packed = struct.pack("<2f", 1.0, 2.0)
        record = VectorRecord(id="a", vector_f32=packed, content="text", metadata_json='{"page": 3}')
        done = await stub.UpsertVectors(UpsertVectorsRequest(collection="docs", vectors=[record]))
        await stub.DeleteVectors(DeleteVectorsRequest(collection="docs", ids=["a", "b"]))
        search = SearchVectorsRequest(collection="docs", vector_f32=packed, limit=5, threshold=0.5)
        (found,) = (await stub.SearchVectors(search)).results
        with pytest.raises(AioRpcError) as refused:
            await stub.SearchVectors(SearchVectorsRequest(vector=[1.0], filter=Filter()))
    asked = dict(old.asked)
    assert (asked["CreateCollection"].collection, asked["CreateCollection"].vector_size) == ("docs", 2)
    assert list(asked["Upsert"].vector) == [1.0, 2.0]
    kept = {entry.key: entry.value for entry in asked["Upsert"].metadata}
    assert kept == {"page": "3", "content": "text"}
    assert (asked["Search"].top_k, done.upserted, asked["Delete"].id) == (5, 1, "b")
    assert (found.id, found.content, found.metadata_json) == ("a", "text", '{"page": "3"}')
    assert (refused.value.code(), info_of(refused.value).reason) == (
        StatusCode.UNIMPLEMENTED,
        "PLUGIN_TOO_OLD",
    )


async def test_a_documents_passage_comes_back_from_its_database_as_it_went_in(
    host_of: HostOf, old: Old
) -> None:
    text = "The lamp is green.\n\n" * 200
    file = File("guide/12.md", "guide/12.md", Path("12.md"), 0, 0)
    (*_, last) = prepared("handbook", file, text, ChunkingConfig())
    async with running(host_of(PluginPlan("up"))) as host:
        stub = DatabaseProviderStub(host.channel("up"))
        await stub.UpsertVectors(UpsertVectorsRequest(collection="docs", vectors=[last.record]))
        found = (await stub.SearchVectors(SearchVectorsRequest(collection="docs", vector=[1.0]))).results[-1]
    given, back = last.record, json.loads(found.metadata_json)
    assert (found.content, back) == (given.content, json.loads(given.metadata_json))
    assert passage_of("handbook", found, 1.0).content.startswith("The lamp is green.")


async def test_its_parser_gets_a_file_for_what_is_in_memory(
    host_of: HostOf, old: Old, tmp_path: Path
) -> None:
    async with running(host_of(PluginPlan("up", data_dir=tmp_path))) as host:
        stub = DocumentParserStub(host.channel("up"))
        answer = await stub.ParseDocument(ParseDocumentRequest(content=b"loud", file_name="../a.old"))
        known = await stub.GetSupportedExtensions(GetSupportedExtensionsRequest())
    asked = next(asked for rpc, asked in old.asked if rpc == "ParseDocument")
    assert (answer.content, list(known.extensions)) == ("LOUD", [".old"])
    assert (Path(asked.file_path).name, asked.file_size) == ("a.old", 4)
    assert left_in(tmp_path) == []


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def test_its_messages_are_on_the_wire_what_they_were() -> None:
    said = message("Message")(role="user", content="hi", tool_call_id="7")
    request = message("GenerateRequest")(messages=[said])
    assert request.SerializeToString() == b"\x0a\x0d\x0a\x04user\x12\x02hi\x22\x017"
    entry = message("ConfigEntry")(key="a", value="b")
    assert message("InitializeRequest")(config=[entry]).SerializeToString() == b"\x0a\x06\x0a\x01a\x12\x01b"
    read = message("SearchResponse").FromString(b"\x0a\x0c\x0a\x01x\x15\x00\x00\x80\x3f\x1a\x02hi\x12\x02no")
    assert (read.results[0].id, read.results[0].score, read.results[0].content) == ("x", 1.0, "hi")
    assert read.error == "no"
