"""For each kind: its service, calls that do no harm, and calls that do its work."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import Message
from grpc import StatusCode

from hector.agent.v1 import AgentProviderStub, DescribeAgentsRequest, RunAgentRequest
from hector.common.v1 import ROLE_USER, Part
from hector.common.v1 import Message as Said
from hector.document.v1 import (
    DocumentParserStub,
    GetSupportedExtensionsRequest,
    ParseDocumentRequest,
    StreamParseDocumentRequest,
)
from hector.embedder.v1 import EmbedderProviderStub, EmbedTextRequest, GetDimensionsRequest
from hector.guardrail.v1 import (
    STAGE_USER_INPUT,
    CheckContentRequest,
    GetGuardrailInfoRequest,
    GuardrailStub,
)
from hector.llm.v1 import GenerateTextRequest, ListModelsRequest, LLMProviderStub, StreamTextRequest
from hector.plugin.v1 import (
    PLUGIN_KIND_AGENT,
    PLUGIN_KIND_DATABASE_PROVIDER,
    PLUGIN_KIND_DOCUMENT_PARSER,
    PLUGIN_KIND_EMBEDDER_PROVIDER,
    PLUGIN_KIND_GUARDRAIL,
    PLUGIN_KIND_LLM_PROVIDER,
    PLUGIN_KIND_REASONING_STRATEGY,
    PLUGIN_KIND_TOOL_PROVIDER,
    PluginKind,
)
from hector.reasoning.v1 import InitializeRequest, ProcessIterationRequest, ReasoningStrategyStub
from hector.tool.v1 import ListToolsRequest, StreamToolRequest, ToolProviderStub
from hector.vector.v1 import DatabaseProviderStub, SearchVectorsRequest

if TYPE_CHECKING:
    from .connected import Plugin
    from .subject import Subject

Stub = Callable[[Any], Any]


class Call(NamedTuple):
    """A call that can be made."""

    stub: Stub
    rpc: str
    request: Message
    stream: bool = False


class Kind(NamedTuple):
    """One kind of plugins."""

    service: str
    stub: Stub
    rpc: str
    """One that every plugin of the kind serves and that changes nothing."""
    request: Callable[[], Message]


KINDS: Mapping["PluginKind.ValueType", Kind] = {
    PLUGIN_KIND_LLM_PROVIDER: Kind(
        "hector.llm.v1.LLMProvider", LLMProviderStub, "ListModels", ListModelsRequest
    ),
    PLUGIN_KIND_DATABASE_PROVIDER: Kind(
        "hector.vector.v1.DatabaseProvider",
        DatabaseProviderStub,
        "SearchVectors",
        lambda: SearchVectorsRequest(collection="conformance-absent", vector=[1.0], limit=1),
    ),
    PLUGIN_KIND_EMBEDDER_PROVIDER: Kind(
        "hector.embedder.v1.EmbedderProvider", EmbedderProviderStub, "GetDimensions", GetDimensionsRequest
    ),
    PLUGIN_KIND_TOOL_PROVIDER: Kind(
        "hector.tool.v1.ToolProvider", ToolProviderStub, "ListTools", ListToolsRequest
    ),
    PLUGIN_KIND_REASONING_STRATEGY: Kind(
        "hector.reasoning.v1.ReasoningStrategy",
        ReasoningStrategyStub,
        "Initialize",
        lambda: InitializeRequest(run="conformance"),
    ),
    PLUGIN_KIND_DOCUMENT_PARSER: Kind(
        "hector.document.v1.DocumentParser",
        DocumentParserStub,
        "GetSupportedExtensions",
        GetSupportedExtensionsRequest,
    ),
    PLUGIN_KIND_AGENT: Kind(
        "hector.agent.v1.AgentProvider", AgentProviderStub, "DescribeAgents", DescribeAgentsRequest
    ),
    PLUGIN_KIND_GUARDRAIL: Kind(
        "hector.guardrail.v1.Guardrail", GuardrailStub, "GetGuardrailInfo", GetGuardrailInfoRequest
    ),
}


async def detected(plugin: "Plugin") -> tuple["PluginKind.ValueType", ...]:
    """Return the kinds whose services answer, for a plugin that does not say what it is."""
    found = []
    for kind, about in KINDS.items():
        answer = await plugin.answer(about.stub, about.rpc, about.request())
        if answer.code is not StatusCode.UNIMPLEMENTED:
            found.append(kind)
    return tuple(found)


def quick(kind: "PluginKind.ValueType") -> Call:
    """Return a call of a kind that changes nothing and takes no time."""
    about = KINDS[kind]
    return Call(about.stub, about.rpc, about.request())


def user(text: str) -> Said:
    """Return a message of the user's."""
    return Said(role=ROLE_USER, parts=[Part(text=text)])


async def work(kind: "PluginKind.ValueType", plugin: "Plugin", subject: "Subject") -> Call:
    """Return a call that makes a plugin do what it is for, and that does no harm."""
    if kind == PLUGIN_KIND_LLM_PROVIDER:
        request = GenerateTextRequest(model=subject.model, messages=[user("Say hello in two words.")])
        return Call(LLMProviderStub, "GenerateText", request)
    if kind == PLUGIN_KIND_EMBEDDER_PROVIDER:
        return Call(EmbedderProviderStub, "EmbedText", EmbedTextRequest(text="hello, world"))
    if kind == PLUGIN_KIND_TOOL_PROVIDER:
        from .tool_calls import harmless

        found = await harmless(plugin, subject)
        if found is not None:
            return Call(ToolProviderStub, "ExecuteTool", found)
    if kind == PLUGIN_KIND_DOCUMENT_PARSER:
        return Call(DocumentParserStub, "ParseDocument", await document(plugin, subject))
    if kind == PLUGIN_KIND_GUARDRAIL:
        content = CheckContentRequest(stage=STAGE_USER_INPUT, parts=[Part(text="hello, world")])
        return Call(GuardrailStub, "CheckContent", content)
    if kind == PLUGIN_KIND_REASONING_STRATEGY:
        begun = await plugin.answer(
            ReasoningStrategyStub, "Initialize", InitializeRequest(max_iterations=5, run="conformance")
        )
        if begun.code is StatusCode.OK:
            turn = ProcessIterationRequest(state=begun.response.state, iteration=1, remaining_iterations=5)
            turn.input.append(user("hello"))
            return Call(ReasoningStrategyStub, "ProcessIteration", turn)
    return quick(kind)


async def stream_of(kind: "PluginKind.ValueType", plugin: "Plugin", subject: "Subject") -> Call | None:
    """Return a call that streams, of the kinds that have one."""
    if kind == PLUGIN_KIND_LLM_PROVIDER:
        text = "Count from one to twenty, in words, one after the other."
        return Call(
            LLMProviderStub, "StreamText", StreamTextRequest(model=subject.model, messages=[user(text)]), True
        )
    if kind == PLUGIN_KIND_TOOL_PROVIDER:
        from .tool_calls import harmless, slow

        found = await slow(plugin, subject) or await harmless(plugin, subject)
        if found is not None:
            request = StreamToolRequest.FromString(found.SerializeToString())
            return Call(ToolProviderStub, "StreamTool", request, True)
    if kind == PLUGIN_KIND_DOCUMENT_PARSER:
        wrapped = StreamParseDocumentRequest(document=await document(plugin, subject))
        return Call(DocumentParserStub, "StreamParseDocument", wrapped, True)
    if kind == PLUGIN_KIND_AGENT:
        described = await plugin.call(AgentProviderStub, "DescribeAgents", DescribeAgentsRequest())
        if described.agents:
            run = RunAgentRequest(
                agent=described.agents[0].name, run="r1", session="s1", message=user("hello")
            )
            return Call(AgentProviderStub, "RunAgent", run, True)
    return None


SAMPLES: Mapping[str, bytes] = {
    ".txt": b"The first line.\nThe second line.\n",
    ".md": b"# A heading\n\nThe first paragraph.\n",
    ".csv": b"name,moons\nearth,1\nmars,2\n",
    ".tsv": b"name\tmoons\nearth\t1\n",
    ".json": b'{"name": "earth", "moons": 1}',
    ".jsonl": b'{"name": "earth"}\n{"name": "mars"}\n',
    ".xml": b"<planets><planet>earth</planet></planets>",
    ".html": b"<html><head><title>A title</title></head><body><p>The first paragraph.</p></body></html>",
    ".yaml": b"name: earth\nmoons: 1\n",
    ".py": b'"""About it."""\n\nNUMBER = 1\n',
}
"""Small documents of the kinds that need no library to write."""


async def document(plugin: "Plugin", subject: "Subject") -> ParseDocumentRequest:
    """Return a document that a parser reads: the author's, or one of ours; else an empty text."""
    if subject.sample:
        name = subject.sample_name
        return ParseDocumentRequest(
            content=subject.sample, file_name=name, size_bytes=len(subject.sample), mime_type=""
        )
    supported = await plugin.call(
        DocumentParserStub, "GetSupportedExtensions", GetSupportedExtensionsRequest()
    )
    for extension in supported.extensions:
        if extension in SAMPLES:
            content = SAMPLES[extension]
            return ParseDocumentRequest(
                content=content, file_name=f"sample{extension}", size_bytes=len(content)
            )
    return ParseDocumentRequest()
