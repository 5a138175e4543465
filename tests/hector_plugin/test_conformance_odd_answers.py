"""Ours: whatever a plugin answers, the kit says what is wrong with it and ends in no unexpected error."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from hector.common.v1 import Tool, ToolAnnotations
from hector.plugin.v1 import (
    PLUGIN_KIND_AGENT,
    PLUGIN_KIND_DATABASE_PROVIDER,
    PLUGIN_KIND_TOOL_PROVIDER,
    PluginKind,
)
from hector.tool.v1 import ExecuteToolResponse, ListToolsResponse
from hector.vector.v1 import (
    CreateCollectionResponse,
    DeleteCollectionResponse,
    SearchVectorsResponse,
    UpsertVectorsResponse,
    VectorResult,
)
from hector_plugin.conformance import Outcome, Report, Subject, run

READ_ONLY = ToolAnnotations(read_only=True)


@asynccontextmanager
async def serving(service: str, **answers: bytes | Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """Serve raw answers, and a health that is well; hector.plugin.v1.Plugin is left out."""
    server = grpc.aio.server()

    def handler(answer: bytes | Callable[[bytes], bytes]) -> Any:
        async def give(request: bytes, context: Any) -> bytes:
            return answer(request) if callable(answer) else answer

        return grpc.unary_unary_rpc_method_handler(give)

    handlers = {name: handler(answer) for name, answer in answers.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    await checks.set("plugin", health_pb2.HealthCheckResponse.SERVING)
    with tempfile.TemporaryDirectory(prefix="hector-") as folder:  # a socket's path is short
        target = f"unix:{Path(folder, 's')}"
        server.add_insecure_port(target)
        await server.start()
        try:
            yield target
        finally:
            await server.stop(None)


async def report_on(target: str, kind: "PluginKind.ValueType", *only: str) -> Report:
    return await run(
        Subject(endpoint=target, kinds=(kind,), only=frozenset(only), start_timeout_s=5, call_timeout_s=5)
    )


def outcomes(report: Report) -> dict[str, Outcome]:
    return {verdict.id: verdict.outcome for verdict in report.verdicts}


@pytest.mark.parametrize(
    "schema",
    [
        "[]",
        '{"type": "object", "properties": []}',
        '{"type": "object", "properties": {"text": 3}, "required": ["text"]}',
        '{"type": "object", "required": 3}',
        '{"type": "object", "properties": {"a": {"type": "array", "minItems": "two"}}, "required": ["a"]}',
        '{"type": "object", "properties": {"a": {"examples": {"b": 1}, "enum": 3}}, "required": ["a"]}',
        "[" * 5000,
    ],
)
async def test_a_schema_that_is_none_is_said_by_its_own_rule(schema: str) -> None:
    tool = Tool(name="odd", description="Odd.", parameters_json=schema, annotations=READ_ONLY)
    listed = ListToolsResponse(tools=[tool]).SerializeToString()
    done = ExecuteToolResponse(success=True, result="done").SerializeToString()
    async with serving("hector.tool.v1.ToolProvider", ListTools=listed, ExecuteTool=done) as target:
        found = outcomes(await report_on(target, PLUGIN_KIND_TOOL_PROVIDER, "TO1", "TO2", "TO3", "TO5", "D3"))
    assert (found["TO1"], found["TO2"], found["TO3"]) == (Outcome.FAIL, Outcome.FAIL, Outcome.PASS)


async def test_a_schema_may_ask_for_more_than_anybody_wants_to_make() -> None:
    schema = (
        '{"type": "object", "required": ["a", "b", "c"], "properties": {"c": true, '
        '"a": {"type": "string", "minLength": 1e12}, "b": {"type": "array", "minItems": 100000000000}}}'
    )
    tool = Tool(name="odd", description="Odd.", parameters_json=schema, annotations=READ_ONLY)
    listed = ListToolsResponse(tools=[tool]).SerializeToString()
    refused = ExecuteToolResponse(error="too short").SerializeToString()
    async with serving("hector.tool.v1.ToolProvider", ListTools=listed, ExecuteTool=refused) as target:
        found = outcomes(await report_on(target, PLUGIN_KIND_TOOL_PROVIDER, "TO1", "TO3"))
    assert found == {"TO1": Outcome.PASS, "TO3": Outcome.SKIP}


async def test_bytes_that_are_no_answer_are_said() -> None:
    async with serving("hector.tool.v1.ToolProvider", ListTools=b"\x0a\xff\xff\xff\xff\x0f") as target:
        report = await report_on(target, PLUGIN_KIND_TOOL_PROVIDER, "TO")
    assert {verdict.outcome for verdict in report.verdicts} == {Outcome.FAIL}
    assert "an answer that cannot be read" in report.verdicts[0].came


@pytest.mark.parametrize("results", [[], [VectorResult(id="nobody", metadata_json="{")] * 3])
async def test_a_store_that_finds_nothing_or_strangers_breaks_its_rules(results: list[VectorResult]) -> None:
    async with serving(
        "hector.vector.v1.DatabaseProvider",
        CreateCollection=CreateCollectionResponse().SerializeToString(),
        DeleteCollection=DeleteCollectionResponse().SerializeToString(),
        UpsertVectors=UpsertVectorsResponse().SerializeToString(),
        SearchVectors=SearchVectorsResponse(results=results).SerializeToString(),
    ) as target:
        report = await report_on(
            target, PLUGIN_KIND_DATABASE_PROVIDER, "DB1", "DB2", "DB3", "DB5", "DB7", "DB8", "DB9"
        )
    assert {verdict.outcome for verdict in report.verdicts} == {Outcome.FAIL}
    assert [verdict.came for verdict in report.verdicts if "cannot be read" in verdict.came] == []


async def test_agents_that_are_none_break_their_rules() -> None:
    async with serving("hector.agent.v1.AgentProvider", DescribeAgents=b"") as target:
        report = await report_on(target, PLUGIN_KIND_AGENT, "AG1", "AG3")
    assert {verdict.outcome for verdict in report.verdicts} == {Outcome.FAIL}
