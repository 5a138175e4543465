"""What happened is what the page says: ten scripted calls, and every counter has its exact value."""

import asyncio
import socket
import subprocess
import sys
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.model_server import calls, refuses, says
from support.scripted_server import scripted

import hector_a2a as a2a
from hector_a2a.client import Client
from hector_config import load
from hector_mesh import metrics
from hector_mesh.metrics import MOST_SERIES, OTHER, Counter, Gauge, Histogram
from hector_runtime.asking import question
from hector_runtime.config import Config, completed
from hector_runtime.metrics import Prometheus
from hector_runtime.process import running

CONFIG = """
agents: {{assistant: {{tools: [todo_write]}}, other: {{llm: second, tools: []}}}}
llms:
  default: {{provider: openai, model: some-model, base_url: "{url}/v1", api_key: k, max_retries: 0,
    price: {{prompt: 2, completion: 10, cached_prompt: 1}}}}
  second: {{provider: local}}
tools: {{todo_write: {{type: todo_write}}}}
server: {{port: 0, grpc_port: 0, {server}}}
storage: {{database: inmemory}}
observability: {{metrics: {{enabled: true, {metrics}}}}}
"""
TODO = ("c1", "todo_write", '{"todos": [{"id": "1", "content": "x", "status": "pending"}]}')
UNKNOWN = ("c2", "no_such_tool", "{}")


@pytest.fixture(autouse=True)
def _off_afterwards():
    yield
    metrics.disable()


@asynccontextmanager
async def served(url, server="", metrics=""):
    text = CONFIG.format(url=url, server=server, metrics=metrics)
    loaded = load(text, Config, environment={}, known={"llms": {"default"}})
    config, _ = await completed(loaded.config, {})
    async with running(config) as process:
        await process.ready.wait()
        yield process


def samples(text):
    """Return every sample of a page by name and labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def page(url, path="/metrics", **headers):
    async with aiohttp.ClientSession() as http, http.get(url + path, headers=headers) as answer:
        return answer.status, answer.content_type, await answer.text()


async def settled(url, runs):
    """Return the samples when so many runs have been counted: an answer leaves before its run is."""
    async with asyncio.timeout(10):
        while True:
            status, _, text = await page(url)
            assert status == 200
            found = samples(text)
            ended = sum(value for (name, *_), value in found.items() if name == "hector_agent_requests_total")
            if ended >= runs:
                return found
            await asyncio.sleep(0.01)


def of(found, name, **labels):
    return found[(name, *sorted(labels.items()))]


async def test_ten_calls_are_counted_exactly():
    replies = [
        *[says("Hello there")] * 6,
        calls(TODO),
        says("Noted"),
        calls(UNKNOWN),
        says("I cannot"),
        refuses(401, "no such key"),
    ]
    async with asyncio.timeout(60), scripted(*replies) as model, served(model.url) as process:
        url = process.public["HTTP"]
        async with Client(url) as client:
            for number in range(9):
                answer = await client.send(question(f"number {number}", "assistant", ""))
                failed = answer.task.status.state == a2a.TASK_STATE_FAILED
                assert failed == (number == 8)
            streamed = [each async for each in client.ask(question("a stream", "other", ""))]
            assert streamed
        found = await settled(url, 10)
    agent, other = "assistant", "other"
    assert of(found, "hector_agent_requests_total", agent=agent, outcome="completed") == 8
    assert of(found, "hector_agent_requests_total", agent=agent, outcome="failed") == 1
    assert of(found, "hector_agent_requests_total", agent=other, outcome="completed") == 1
    assert of(found, "hector_agent_request_duration_seconds_count", agent=agent) == 9
    assert of(found, "hector_agent_runs_active", agent=agent) == 0
    asked = {"agent": agent, "provider": "openai", "model": "some-model"}
    assert of(found, "hector_llm_requests_total", **asked) == 11
    assert of(found, "hector_llm_request_duration_seconds_count", **asked) == 11
    assert of(found, "hector_llm_time_to_first_token_seconds_count", **asked) == 8
    (refused,) = [value for (name, *_), value in found.items() if name == "hector_llm_errors_total"]
    assert refused == 1
    local = {"agent": other, "provider": "local", "model": "offline"}
    assert of(found, "hector_llm_requests_total", **local) == 1
    for kind, each in (("prompt", 11), ("completion", 7), ("cached", 3), ("reasoning", 2)):
        assert of(found, "hector_llm_tokens_total", agent=agent, type=kind) == 10 * each
    dollars = 10 * ((11 - 3) * 2 + 3 * 1 + 7 * 10) / 1e6
    assert of(found, "hector_cost_usd_total", **asked) == pytest.approx(dollars)
    assert of(found, "hector_tool_calls_total", agent=agent, tool="todo_write", status="success") == 1
    assert of(found, "hector_tool_calls_total", agent=agent, tool=OTHER, status="error") == 1
    assert of(found, "hector_tool_call_duration_seconds_count", agent=agent, tool="todo_write") == 1
    assert of(found, "hector_requests_total", protocol="http", method="SendMessage", code="200") == 9
    assert of(found, "hector_requests_total", protocol="http", method="SendStreamingMessage", code="200") == 1
    assert of(found, "hector_request_duration_seconds_count", protocol="http", method="SendMessage") == 9
    errors = {key[1:]: value for key, value in found.items() if key[0] == "hector_errors_total"}
    assert {dict(labels)["component"] for labels in errors} == {"llm", "tool", "agent"}
    assert set(errors.values()) == {1}
    assert of(found, "hector_open_streams") == 0
    assert of(found, "hector_db_queue_rows") == 0
    assert of(found, "hector_db_commit_writes_sum") >= 10
    assert of(found, "hector_build_info", python=sys.version.split()[0], version="0.1.0") == 1
    assert "process_resident_memory_bytes" in {name for name, *_ in found}


async def test_where_credentials_are_needed_the_page_needs_one_that_may_watch():
    keys = "{key: watcher-key, name: prometheus, roles: [viewer]}, {key: user-key, name: ann}"
    server = f"auth: {{secret: admin-key, api_keys: [{keys}]}}"
    async with asyncio.timeout(30), served("http://127.0.0.1:9", server) as process:
        url = process.public["HTTP"]
        wanted = {"": 401, "Bearer user-key": 403, "Bearer watcher-key": 200, "Bearer admin-key": 200}
        for shown, status in wanted.items():
            headers = {"Authorization": shown} if shown else {}
            assert (await page(url, **headers))[0] == status, shown


async def test_a_scraper_that_asks_for_openmetrics_gets_it():
    async with asyncio.timeout(30), served("http://127.0.0.1:9") as process:
        url = process.public["HTTP"]
        _, kind, text = await page(url, Accept="application/openmetrics-text; version=1.0.0")
        assert kind == "application/openmetrics-text"
        assert text.endswith("# EOF\n")
        assert (await page(url))[1] == "text/plain"


async def test_a_port_of_its_own_shows_probes_and_metrics_and_the_public_one_nothing():
    async with asyncio.timeout(30):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        keys = f'listen: "127.0.0.1:{port}", endpoint: /values'
        async with served("http://127.0.0.1:9", metrics=keys) as process:
            own = f"http://127.0.0.1:{port}"
            assert (await page(own, "/live"))[0] == 200
            assert (await page(own, "/ready"))[2] == '{"status": "ready"}'
            assert "hector_build_info" in (await page(own, "/values"))[2]
            assert (await page(own, "/metrics"))[0] == 404
            assert (await page(process.public["HTTP"], "/values"))[0] == 404


def test_instruments_do_nothing_until_somebody_wants_to_know():
    counter = Counter("test_idle_total", "Idle.", ("kind",))
    gauge = Gauge("test_idle", "Idle.")
    histogram = Histogram("test_idle_seconds", "Idle.")
    counter.add("a")
    gauge.set(value=1)
    gauge.follow(lambda: 1 / 0)
    histogram.observe(value=1)
    backend = Prometheus()
    metrics.enable(backend)
    counter.add("b", amount=2)
    text = backend.page("")[1].decode()
    assert 'test_idle_total{kind="b"} 2.0' in text
    assert 'kind="a"' not in text
    assert "test_idle_seconds" not in text


def test_a_label_that_grows_without_bound_ends_as_other():
    counter = Counter("test_bounded_total", "Bounded.", ("kind",))
    metrics.enable(Prometheus())
    for number in range(MOST_SERIES + 50):
        counter.add(str(number))
    text = metrics.page()[1].decode()
    assert f'test_bounded_total{{kind="{OTHER}"}} 50.0' in text
    assert text.count("test_bounded_total{") == MOST_SERIES + 1


def test_what_several_say_of_one_gauge_is_added():
    gauge = Gauge("test_followed", "Followed.")
    metrics.enable(Prometheus())
    gauge.follow(lambda: 2)
    gauge.follow(lambda: 3)
    assert "test_followed 5.0" in metrics.page()[1].decode()


def test_the_name_of_an_instrument_is_its_own():
    Counter("test_twice_total", "Twice.")
    with pytest.raises(ValueError, match="declared twice"):
        Gauge("test_twice_total", "Twice.")


def test_nothing_of_prometheus_is_imported_when_metrics_are_off():
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
sys.exit(any(name.startswith("prometheus_client") for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
