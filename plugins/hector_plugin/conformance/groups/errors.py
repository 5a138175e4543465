"""U and E: what a plugin does with calls that are wrong."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from google.protobuf.message import Message
from grpc import StatusCode

from hector.agent.v1 import AgentProviderStub, RunAgentRequest
from hector.common.v1 import Part
from hector.guardrail.v1 import STAGE_UNSPECIFIED, CheckContentRequest, GuardrailStub
from hector.llm.v1 import GenerateTextRequest, LLMProviderStub, StreamTextRequest
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
from hector.reasoning.v1 import (
    FinalizeRequest,
    InitializeRequest,
    ProcessIterationRequest,
    ReasoningStrategyStub,
    State,
)
from hector.tool.v1 import ExecuteToolRequest, GetToolSchemaRequest, ToolProviderStub
from hector.vector.v1 import DatabaseProviderStub, DeleteVectorsRequest, SearchVectorsRequest
from hector_plugin.conformance.checks import MUST, SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.connected import Answer, Plugin
from hector_plugin.conformance.kinds import KINDS, Stub, quick
from hector_plugin.conformance.stage import Stage

MIB = 1 << 20
STRANGE = "\x00\u202e\U0001f680 ﷽ 日本語 e\u0301 \u2028 '\"\\; DROP --"
"""Text that is UTF-8 all the same."""


class Row(NamedTuple):
    """One call that must fail, and how."""

    stub: Stub
    rpc: str
    request: Message
    code: StatusCode
    reason: str = ""
    """Of its ErrorInfo, where the contract names one."""
    stream: bool = False


async def table(plugin: Plugin, stage: Stage) -> AsyncIterator[Row]:
    """Give the calls of a plugin's kinds that must fail."""
    not_found, invalid = StatusCode.NOT_FOUND, StatusCode.INVALID_ARGUMENT
    absent = "conformance-no-such-thing"
    for kind in stage.kinds:
        if kind == PLUGIN_KIND_LLM_PROVIDER and not stage.subject.any_model:
            reason = "MODEL_NOT_FOUND"
            whole = GenerateTextRequest(model=absent, prompt="hello")
            yield Row(LLMProviderStub, "GenerateText", whole, not_found, reason)
            pieces = StreamTextRequest(model=absent, prompt="hello")
            yield Row(LLMProviderStub, "StreamText", pieces, not_found, reason, stream=True)
        elif kind == PLUGIN_KIND_TOOL_PROVIDER:
            reason = "TOOL_NOT_FOUND"
            yield Row(ToolProviderStub, "ExecuteTool", ExecuteToolRequest(tool=absent), not_found, reason)
            yield Row(ToolProviderStub, "GetToolSchema", GetToolSchemaRequest(tool=absent), not_found, reason)
        elif kind == PLUGIN_KIND_DATABASE_PROVIDER:
            search = SearchVectorsRequest(collection=absent, vector=[1.0])
            yield Row(DatabaseProviderStub, "SearchVectors", search, not_found)
            neither = DeleteVectorsRequest(collection=absent)
            yield Row(DatabaseProviderStub, "DeleteVectors", neither, invalid)
        elif kind == PLUGIN_KIND_REASONING_STRATEGY:
            begun = await plugin.call(ReasoningStrategyStub, "Initialize", InitializeRequest(run="r1"))
            state = State(data=begun.state.data, version=begun.state.version + 1000)
            reason, failed = "STATE_UNREADABLE", StatusCode.FAILED_PRECONDITION
            step = ProcessIterationRequest(state=state, iteration=1)
            yield Row(ReasoningStrategyStub, "ProcessIteration", step, failed, reason)
            yield Row(ReasoningStrategyStub, "Finalize", FinalizeRequest(state=state), failed, reason)
        elif kind == PLUGIN_KIND_AGENT:
            run = RunAgentRequest(agent=absent, run="r1")
            yield Row(AgentProviderStub, "RunAgent", run, not_found, stream=True)
        elif kind == PLUGIN_KIND_GUARDRAIL:
            nowhere = CheckContentRequest(stage=STAGE_UNSPECIFIED, parts=[Part(text="hello")])
            yield Row(GuardrailStub, "CheckContent", nowhere, invalid)


@check(
    "U1",
    MUST,
    "what it does not serve is UNIMPLEMENTED",
    rule="an rpc that the plugin does not have, of a service that it has or has not, is UNIMPLEMENTED",
    mend="let the gRPC library answer unknown methods; raise UNIMPLEMENTED in optional rpcs that are not "
    "written",
)
async def unknown_methods(stage: Stage) -> None:
    plugin = await stage.shared()
    services = [KINDS[kind].service for kind in stage.kinds]
    for service in (*services, "hector.conformance.v1.NoSuchService"):
        found = await plugin.raw(f"/{service}/NoSuchRpc", b"")
        if found.code is not StatusCode.UNIMPLEMENTED:
            raise Broken(str(found))


@check(
    "E1",
    MUST,
    "a wrong call fails with the status that the contract says",
    rule="what is not there is NOT_FOUND, what cannot be right is INVALID_ARGUMENT, a state that it cannot "
    "read is "
    "FAILED_PRECONDITION; hosts decide by the status whether to try again",
    mend="set the status; an `error` field or UNKNOWN tells a host nothing",
)
async def statuses(stage: Stage) -> None:
    async for row, found, plugin in _answers(stage):
        if found.code is not row.code:
            raise Broken(f"{found}, and not {row.code.name}", plugin.sent)


@check(
    "E2",
    SHOULD,
    "a refused call says why, for programs",
    rule="the status has a google.rpc.ErrorInfo with the reason that the contract names, as TOOL_NOT_FOUND",
    mend="attach google.rpc.ErrorInfo{reason, domain} to the status (grpc-status-details-bin)",
)
async def reasons(stage: Stage) -> None:
    async for row, found, plugin in _answers(stage):
        if found.code is row.code and (found.reason != row.reason if row.reason else not found.reason):
            wanted = f", and not {row.reason}" if row.reason else ""
            raise Broken(f"reason {found.reason!r}{wanted}", plugin.sent)


@check(
    "E3",
    MUST,
    "bytes that are no message do no harm",
    rule="a request that cannot be parsed fails, and the plugin lives on; any text that is UTF-8 is taken",
    mend="let the gRPC library parse; do not assume that text has no NUL and is ASCII",
)
async def nonsense(stage: Stage) -> None:
    async with stage.connected() as plugin:
        for kind in _some(stage):
            call = quick(kind)
            method = f"/{KINDS[kind].service}/{call.rpc}"
            found = await plugin.raw(method, b"\x0a\xff\xff\xff\xff\x0f\x80\x80nonsense")
            if found.code is StatusCode.OK:
                raise Broken("OK")
            await plugin.still_lives(f"{method} with bytes that are no message")
        for row in _strange(stage):
            found = await plugin.answer(row.stub, row.rpc, row.request)
            if found.code in (StatusCode.INTERNAL, StatusCode.UNKNOWN, StatusCode.UNAVAILABLE):
                raise Broken(str(found))
            await plugin.still_lives(plugin.sent)


@check(
    "E4",
    MUST,
    "large messages are taken or refused",
    rule="requests of 4 MiB less one byte, 4 MiB and one byte, and 6 MiB are answered, or are "
    "RESOURCE_EXHAUSTED; "
    "the plugin lives on",
    mend="raise the limit of your server (64 MiB), and answer what is larger with RESOURCE_EXHAUSTED",
)
async def large_messages(stage: Stage) -> None:
    async with stage.connected() as plugin:
        for kind in _some(stage):
            call = quick(kind)
            method = f"/{KINDS[kind].service}/{call.rpc}"
            for size in (4 * MIB - 1, 4 * MIB + 1, 6 * MIB):
                found = await plugin.raw(method, _padded(call.request, size))
                allowed = (StatusCode.RESOURCE_EXHAUSTED, (await _usual(plugin, kind)))
                if found.code not in allowed:
                    raise Broken(f"{size:,} bytes: {found}")
                await plugin.still_lives(f"{method} with {size:,} bytes")


async def _answers(stage: Stage) -> AsyncIterator[tuple[Row, Answer, Plugin]]:
    plugin = await stage.shared()
    tried = False
    async for row in table(plugin, stage):
        tried = True
        ask = plugin.streamed if row.stream else plugin.answer
        yield row, await ask(row.stub, row.rpc, row.request), plugin
    if not tried:
        raise NotApplicable("no call of its kinds has to fail")


def _some(stage: Stage) -> tuple["PluginKind.ValueType", ...]:
    if not stage.kinds:
        raise NotApplicable("it is of no known kind")
    return stage.kinds


def _strange(stage: Stage) -> list[Row]:
    rows = []
    for kind in stage.kinds:
        if kind == PLUGIN_KIND_TOOL_PROVIDER:
            request: Message = ExecuteToolRequest(tool=STRANGE, parameters_json=STRANGE)
            rows.append(Row(ToolProviderStub, "ExecuteTool", request, StatusCode.OK))
        elif kind == PLUGIN_KIND_DATABASE_PROVIDER:
            request = SearchVectorsRequest(collection=STRANGE, vector=[1.0])
            rows.append(Row(DatabaseProviderStub, "SearchVectors", request, StatusCode.OK))
        elif kind in (PLUGIN_KIND_EMBEDDER_PROVIDER, PLUGIN_KIND_DOCUMENT_PARSER):
            continue  # their own checks do it
        elif kind == PLUGIN_KIND_LLM_PROVIDER:
            request = GenerateTextRequest(model=STRANGE, prompt=STRANGE)
            rows.append(Row(LLMProviderStub, "GenerateText", request, StatusCode.OK))
    return rows


def _padded(request: Message, size: int) -> bytes:
    """Return a request with a field that nobody knows, so that it is as long as it has to be."""
    wire = request.SerializeToString()
    tag = b"\xfa\xff\xff\xff\x0f"  # the highest field number, as bytes
    rest = size - len(wire) - len(tag) - 4
    length = bytes([rest & 0x7F | 0x80, rest >> 7 & 0x7F | 0x80, rest >> 14 & 0x7F | 0x80, rest >> 21 & 0x7F])
    return wire + tag + length + bytes(rest)


async def _usual(plugin: Plugin, kind: "PluginKind.ValueType") -> StatusCode:
    call = quick(kind)
    found = await plugin.answer(call.stub, call.rpc, call.request)
    return found.code
