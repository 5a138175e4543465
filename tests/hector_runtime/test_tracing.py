"""Spans of every call reach a collector, and nothing of OpenTelemetry is touched when nobody wants them."""

import asyncio
import subprocess
import sys
from collections import defaultdict
from contextlib import asynccontextmanager

import grpc.aio
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp_grpc

import hector_a2a as a2a
from hector_a2a.client import Client
from hector_config import load
from hector_mesh import tracing as mesh_tracing
from hector_runtime import tracing
from hector_runtime.asking import question
from hector_runtime.config import Config, completed
from hector_runtime.process import running
from hector_runtime.tracing import TracingNotInstalled, traced
from hector_runtime.tracing_config import TracingConfig


class Collector(otlp_grpc.TraceServiceServicer):
    """An OTLP receiver: opentelemetry-proto's own service, which keeps what it gets."""

    def __init__(self):
        self.spans = []
        self.services = set()

    async def Export(self, request, context):
        for resource in request.resource_spans:
            found = {entry.key: entry.value.string_value for entry in resource.resource.attributes}
            self.services.add(found["service.name"])
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return otlp.ExportTraceServiceResponse()


@asynccontextmanager
async def collector():
    server, kept = grpc.aio.server(), Collector()
    otlp_grpc.add_TraceServiceServicer_to_server(kept, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield kept, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


CONFIG = """
agents: {{assistant: {{}}}}
llms: {{default: {{provider: local}}}}
server: {{port: 0, grpc_port: 0}}
storage: {{database: inmemory}}
observability: {{tracing: {{enabled: true, endpoint: "{endpoint}", service_name: mine}}}}
"""


async def test_one_question_is_one_trace_from_the_gateway_to_the_model():
    async with asyncio.timeout(60), collector() as (kept, endpoint):
        loaded = load(CONFIG.format(endpoint=endpoint), Config, environment={}, known={"llms": {"default"}})
        config, _ = await completed(loaded.config, {})
        async with running(config) as process:
            await process.ready.wait()
            async with Client(process.public["HTTP"]) as client:
                answer = await client.send(question("Hello", "assistant", ""))
            assert answer.task.status.state == a2a.TASK_STATE_COMPLETED
    traces = defaultdict(set)
    for span in kept.spans:
        traces[span.trace_id].add(span.name.strip("/"))
    wanted = {
        "lf.a2a.v1.A2AService/SendMessage",
        "hector.reasoning.v1.ReasoningStrategy/Initialize",
        "hector.llm.v1.LLMProvider/StreamText",
    }
    whole = [names for names in traces.values() if wanted <= names]
    assert len(whole) == 1, dict(traces)
    assert kept.services == {"mine"}
    ids = {span.span_id for span in kept.spans}
    roots = [
        span for span in kept.spans if wanted <= traces[span.trace_id] and span.parent_span_id not in ids
    ]
    assert [span.name.strip("/") for span in roots] == ["lf.a2a.v1.A2AService/SendMessage"]


async def test_a_collector_that_is_not_there_does_not_hold_up_the_end(monkeypatch):
    providers = []
    enable = mesh_tracing.enable
    monkeypatch.setattr(mesh_tracing, "enable", lambda made: (providers.append(made), enable(made)))
    monkeypatch.setattr(tracing, "LEAVE_S", 0.2)
    async with asyncio.timeout(5):
        async with traced(TracingConfig(enabled=True, endpoint="127.0.0.1:9")):
            assert mesh_tracing.server_interceptors()
            with providers[0].get_tracer("test").start_as_current_span("lost"):
                pass
        assert mesh_tracing.server_interceptors() == []


async def test_a_missing_extra_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(TracingNotInstalled, match=r'pip install "hector\[tracing\]"'):
        async with traced(TracingConfig(enabled=True)):
            pytest.fail("it must not run")


def test_nothing_of_opentelemetry_is_imported_when_tracing_is_off():
    code = """
import asyncio, sys
from hector_config import load
from hector_runtime.config import Config, completed
from hector_runtime.process import running
async def main():
    text = "{llms: {default: {provider: local}}, server: {port: 0, grpc_port: 0}, " \
        "storage: {database: inmemory}}"
    config, _ = await completed(load(text, Config, environment={}).config, {})
    async with running(config) as process:
        await process.ready.wait()
asyncio.run(main())
sys.exit(any(name.startswith("opentelemetry") for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
