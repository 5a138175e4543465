"""What who runs it sees: logs without words, figures of every role, TLS, and a stop in good order."""

import asyncio
import contextlib
import http.client
import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.certificates import Authority
from support.model_server import says
from support.processes import answer_of, free_port, message, post, wait_until_ready
from support.scripted_server import scripted

PLANTED = ("sk-planted-model-key", "planted-api-key", "planted-mesh-token", "planted-admin-secret")
WORDS = ("quicksilver-prompt", "quicksilver-instruction", "quicksilver-answer", "quicksilver-document")
ROLES = ("llm", "tool", "reasoning", "agent")

MESH = """
agents: {{assistant: {{tools: [], instruction: quicksilver-instruction}}}}
llms: {{default: {{provider: local}}}}
logger: {{level: debug, format: json}}
mesh:
  token: planted-mesh-token
{addresses}
"""


def figures(text):
    """Return every sample of a page by name and labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def page(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


@pytest.fixture
def mesh(hector, folder):
    """Every role a process of its own, each with a port to watch it."""
    addresses = {role: f"unix://{folder}/{role}.sock" for role in ROLES}
    lines = "\n".join(f"  {role}: {address}" for role, address in addresses.items())
    hector.write(MESH.format(addresses=lines))
    watch = {role: free_port() for role in (*ROLES, "gateway")}
    for role, address in addresses.items():
        own = ("--metrics", "--metrics-listen", f"127.0.0.1:{watch[role]}")
        hector.start("--config", "hector.yaml", "--role", role, "--listen", address, *own)
    port = free_port()
    gateway = hector.start(
        *("--config", "hector.yaml", "--role", "gateway", "--port", str(port), "--grpc-port", "0"),
        *("--metrics", "--metrics-listen", f"127.0.0.1:{watch['gateway']}"),
        url=f"http://127.0.0.1:{port}",
    )
    wait_until_ready(gateway)
    return gateway, {role: f"http://127.0.0.1:{number}" for role, number in watch.items()}


def test_ten_calls_through_many_processes_are_counted_exactly_and_logged_without_words(mesh, hector):
    gateway, watch = mesh
    for _ in range(10):
        task = post(f"{gateway.url}/agents/assistant", "SendMessage", message(WORDS[0]))["result"]["task"]
        assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    ended = ("hector_agent_requests_total", ("agent", "assistant"), ("outcome", "completed"))

    def settled():
        found = figures(page(f"{watch['agent']}/metrics"))
        return found if found.get(ended, 0) >= 10 else None

    agent = wait_for(settled, "ten runs in the figures")
    assert agent[ended] == 10
    asked = (("agent", "assistant"), ("model", "offline"), ("provider", "local"))
    assert agent[("hector_llm_requests_total", *asked)] == 10
    assert agent[("hector_llm_time_to_first_token_seconds_count", *asked)] == 10
    streams = (("code", "OK"), ("method", "StreamText"), ("service", "hector.llm.v1.LLMProvider"))
    assert agent[("hector_mesh_calls_total", *streams)] == 10
    border = figures(page(f"{watch['gateway']}/metrics"))
    sends = (("code", "OK"), ("method", "SendMessage"), ("service", "lf.a2a.v1.A2AService"))
    assert border[("hector_mesh_calls_total", *sends)] == 10
    served = (("code", "200"), ("method", "SendMessage"), ("protocol", "http"))
    assert border[("hector_requests_total", *served)] == 10
    assert not [name for name, *_ in border if name.startswith(("hector_agent_", "hector_llm_"))]
    for role in ROLES:
        assert json.loads(page(f"{watch[role]}/live")) == {"status": "alive"}
        assert json.loads(page(f"{watch[role]}/ready")) == {"status": "ready"}
    for server in hector.servers:
        for planted in (*PLANTED, *WORDS):
            assert planted not in server.output()
    promtool = shutil.which("promtool")
    if promtool:  # of Debian's package "prometheus"
        text = page(f"{watch['agent']}/metrics")
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


CONFIG = """
agents: {{assistant: {{tools: [search], instruction: quicksilver-instruction, timeout: 20s}}}}
llms:
  default:
    provider: openai
    base_url: {url}/v1
    model: some-model
    api_key: sk-planted-model-key
    max_retries: 0
document_stores:
  docs: {{source: {{type: directory, path: ./docs}}}}
server: {{auth: {{secret: planted-admin-secret, api_keys: [planted-api-key]}}}}
mesh: {{token: planted-mesh-token}}
logger: {{level: debug, format: {form}, file: {file}}}
observability: {{metrics: {{enabled: true}}}}
"""


async def quotes(received, line):
    """Answer 400 with everything that was sent, as careless servers do."""
    body = json.dumps({"error": {"message": received.body.decode() + str(received.headers), "code": "x"}})
    await line.send(
        f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()
    )


async def nonsense(received, line):
    """Begin an answer, and go on with what was asked."""
    await line.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        b"data: {quicksilver-answer sk-planted-model-key\n\n"
    )
    line.cut()


BADLY = (quotes, quotes, quotes, nonsense, nonsense)


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_log_has_neither_secrets_nor_words(hector, folder, form):
    (folder / "docs").mkdir()
    (folder / "docs" / "a.md").write_text("# Title\n\nquicksilver-document\n")
    file = folder / "hector.log"
    async with scripted(says("quicksilver-answer"), *BADLY, says("quicksilver-answer")) as model:
        hector.write(CONFIG.format(url=model.url, form=form, file=file))

        server = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")

        def ask(**more):
            return post(
                f"{server.url}/agents/assistant",
                "SendMessage",
                message("quicksilver-prompt"),
                token="planted-api-key",
                **more,
            )["result"]["task"]

        states = []
        while len(model.replies) > 1 or states[-1] != "TASK_STATE_COMPLETED":
            states.append((await asyncio.to_thread(ask))["status"]["state"])
        assert states[0] == "TASK_STATE_COMPLETED"
        assert states.count("TASK_STATE_FAILED") >= 2  # a refusal may be tried in other words
        with pytest.raises(urllib.error.HTTPError):
            await asyncio.to_thread(
                post, f"{server.url}/agents/quicksilver-prompt", "SendMessage", {}, token="planted-api-keyX"
            )
        file.rename(folder / "hector.log.1")
        assert (await asyncio.to_thread(ask))["status"]["state"] == "TASK_STATE_COMPLETED"
        await asyncio.to_thread(server.stop)
    text = (folder / "hector.log.1").read_text() + file.read_text() + server.output()
    for planted in (*PLANTED, *WORDS):
        assert planted not in text, [line for line in text.splitlines() if planted in line]
    assert text.count("run ended") == len(states) + 1
    assert text.count("request served") >= 6
    assert "model call ended" in text
    if form == "json":
        lines = [json.loads(line) for line in (folder / "hector.log.1").read_text().splitlines()]
        ended = [line for line in lines if line["message"] == "run ended"]
        assert [f"TASK_STATE_{line['outcome'].upper()}" for line in ended] == states
        for line in ended:
            for fact in ("run", "agent", "context", "app", "request_id", "duration_ms", "tokens"):
                assert fact in line, line
        served = {line["request_id"] for line in lines if line["message"] == "request served"}
        assert {line["request_id"] for line in ended} <= served


def test_a_log_file_that_cannot_be_written_stops_the_start(hector):
    done = hector.run("serve", "--log-file", "no/such/folder/hector.log", "--port", "0", "--grpc-port", "0")
    assert done.returncode != 0
    assert "cannot write log lines to" in done.stderr
    assert "--log-file" in done.stderr
    assert "Traceback" not in done.stderr


TLS = """
agents: {{assistant: {{tools: []}}}}
llms: {{default: {{provider: local}}}}
server: {{tls: {{cert_file: {pair.cert_file}, key_file: {pair.key_file}}}}}
"""


def test_a_server_with_a_certificate_is_called_by_curl_with_its_authority(hector, folder):
    authority = Authority(folder)
    hector.write(TLS.format(pair=authority.issue()))
    port = free_port()
    server = hector.start("--config", "hector.yaml", "--port", str(port), "--grpc-port", "0")

    def asked():
        curl = ["curl", "--silent", "--noproxy", "*", "--cacert", str(authority.file)]
        return subprocess.run(
            [*curl, f"https://localhost:{port}/health"], capture_output=True, text=True, check=False
        ).stdout

    found = json.loads(wait_for(asked, f"an answer over TLS\n{server.output()}"))
    assert found["status"] == "healthy"


@pytest.mark.parametrize("kind", ["expired", "gone", "of another"])
def test_a_certificate_of_no_use_stops_the_start_with_the_fix(hector, folder, kind):
    authority = Authority(folder)
    pair = authority.issue(days=(-30, -1) if kind == "expired" else (-1, 30))
    if kind == "gone":
        pair.cert_file.unlink()
    if kind == "of another":
        shutil.copy(authority.issue("other").key_file, pair.key_file)
    hector.write(TLS.format(pair=pair))
    done = hector.run("serve", "--config", "hector.yaml", "--port", "0", "--grpc-port", "0")
    assert done.returncode != 0
    words = {"expired": "certificate has expired", "gone": "no such file", "of another": "is not the key of"}
    assert words[kind] in done.stderr
    assert "Traceback" not in done.stderr


STOPPING = """
agents: {{assistant: {{tools: []}}}}
llms: {{default: {{provider: openai, model: m, api_key: k, base_url: "{url}/v1"}}}}
server: {{shutdown_timeout: {timeout}, shutdown_delay: {delay}}}
"""


@contextlib.contextmanager
def stream(server, text):
    """Ask for a stream, and give the response to read from."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    client = http.client.HTTPConnection(host, int(port), timeout=30)
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": message(text)}
    headers = {"Content-Type": "application/json", "A2A-Version": "1.0"}
    client.request("POST", "/agents/assistant", json.dumps(body), headers)
    try:
        yield client.getresponse()
    finally:
        client.close()


async def test_a_stream_gets_its_end_when_the_server_is_told_to_stop(hector):

    words = " ".join(f"word{number}" for number in range(20))
    async with scripted(says(words, pause_s=0.05)) as model:
        hector.write(STOPPING.format(url=model.url, timeout="10s", delay="2s"))
        server = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")

        def follow():
            with stream(server, "Hello") as answer:
                first = answer.readline()
                server.process.send_signal(signal.SIGTERM)
                not_ready = wait_for(lambda: status(f"{server.url}/ready") == 503, "/ready to say 503", 5)
                return first, not_ready, answer.read().decode()

        first, not_ready, rest = await asyncio.to_thread(follow)
        assert first.startswith(b"retry: ")
        assert not_ready
        assert "word19" in rest
        assert "TASK_STATE_COMPLETED" in rest
        assert await asyncio.to_thread(server.process.wait, 15) == 0


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


async def test_what_is_not_done_in_time_goes_on_after_the_next_start(hector):

    async with scripted(says("slow " * 400, pause_s=0.1)) as model:
        hector.write(STOPPING.format(url=model.url, timeout="500ms", delay="0s"))
        server = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")

        def follow():
            with stream(server, "Hello") as answer:
                answer.readline()
                begun = time.monotonic()
                server.process.send_signal(signal.SIGTERM)
                rest = answer.read().decode()
                server.process.wait(15)
                return rest, time.monotonic() - begun

        rest, took_s = await asyncio.to_thread(follow)
        assert "the server is stopping" in rest
        assert server.process.returncode == 0
        assert took_s < 10
        assert "Traceback" not in server.output()
        again = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")
        listed = await asyncio.to_thread(post, f"{again.url}/agents/assistant", "ListTasks", {})
    (task,) = listed["result"]["tasks"]
    assert task["status"]["state"] == "TASK_STATE_WORKING"


async def test_a_second_signal_ends_it_at_once(hector):

    async with scripted(says("slow " * 400, pause_s=0.1)) as model:
        hector.write(STOPPING.format(url=model.url, timeout="60s", delay="0s"))
        server = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")

        def follow():
            with stream(server, "Hello") as answer:
                answer.readline()
                server.process.send_signal(signal.SIGTERM)
                wait_for(lambda: "Stopping" in server.output(), "it to begin to stop")
                server.process.send_signal(signal.SIGTERM)
                return server.process.wait(5)

        assert await asyncio.to_thread(follow) == 128 + signal.SIGTERM


def test_health_tells_of_a_folder_that_vanished_and_names_nothing_of_it(hector, folder):
    docs = folder / "secret-project"
    docs.mkdir()
    (docs / "a.md").write_text("# Title\n\nText about zeppelins.\n")
    hector.write(
        "agents: {assistant: {}}\nllms: {default: {provider: local}}\n"
        "document_stores: {docs: {source: {type: directory, path: ./secret-project}, watch: true}}\n"
    )
    server = hector.serve("--config", "hector.yaml")
    assert json.loads(page(f"{server.url}/health"))["status"] == "healthy"
    shutil.rmtree(docs)

    def degraded():
        found = json.loads(page(f"{server.url}/health"))
        return found if found["status"] == "degraded" else None

    found = wait_for(degraded, "a degraded /health", 30)
    assert found["reasons"] == ["document: documents are not up to date: their source cannot be read"]
    assert status(f"{server.url}/ready") == 200
    task = post(f"{server.url}/agents/assistant", "SendMessage", message("Hello"))["result"]["task"]
    assert answer_of(task)
    docs.mkdir()
    (docs / "a.md").write_text("# Title\n\nText about zeppelins.\n")

    def healthy():
        return json.loads(page(f"{server.url}/health"))["status"] == "healthy"

    assert wait_for(healthy, "a healthy /health", 60)
