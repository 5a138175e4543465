"""`hector call` and its siblings over every transport: at a Hector server, and at a2a-sdk's own."""

import asyncio
import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import uvicorn
from support.certificates import Authority
from support.cutting_proxy import CuttingProxy
from support.processes import HECTOR, Hector, Server, free_port, wait_until_ready

CONFIG = """
agents:
  writer: {type: custom, handler: "handlers:write"}
  slow: {type: custom, handler: "handlers:slow"}
  old: {type: custom, handler: "handlers:write", a2a: {versions: ["0.3"]}}
  clerk:
    type: custom
    handler: "handlers:extended"
    a2a:
      extensions:
        - {uri: "https://example.com/ext/a", required: true}
        - {uri: "https://example.com/ext/b", required: true}
  guard: {type: custom, handler: "handlers:guard"}
llms: {default: {provider: local}}
"""
HANDLERS = """
import asyncio
from pathlib import Path
from hector_agent.custom import auth_required

async def guard(turn):
    yield auth_required("Sign in first.")

async def extended(turn):
    yield " and ".join(turn.extensions)

async def write(turn):
    yield "one "
    yield "two"

async def slow(turn):
    for number in range(8):
        yield f"{number} "
        await asyncio.sleep(0.05)
    while not Path("let-go").exists():
        await asyncio.sleep(0.02)
    yield "end"
"""


@pytest.fixture
def server(hector: Hector) -> Server:
    hector.write(HANDLERS, "handlers.py")
    hector.write(CONFIG)
    return serve(hector)


def serve(hector: Hector, *more: str) -> Server:
    port, grpc_port = free_port(), free_port()
    arguments = ("--port", str(port), "--grpc-port", str(grpc_port), *more)
    server = hector.start(*arguments, url=f"http://127.0.0.1:{port}")
    wait_until_ready(server)
    return server


def grpc_url(server: Server) -> str:
    return f"grpc://127.0.0.1:{server.arguments[3]}"


WAYS = {
    "jsonrpc": ("--transport", "jsonrpc"),
    "http+json": ("--transport", "http+json"),
    "grpc by the card": ("--transport", "grpc"),
    "grpc by the URL": (),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_hector_server_is_asked_over_every_transport(hector: Hector, server: Server, way: str) -> None:
    url = grpc_url(server) if way == "grpc by the URL" else server.url
    where = ("--url", url, *WAYS[way])
    answer = hector.run("call", "writer", "hi", "-f", "json", *where)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert (found["text"], found["state"]) == ("one two", "completed")
    got = hector.run("task", "get", found["task"], *where)
    assert got.returncode == 0, got.stderr
    assert "one two" in got.stdout
    listed = hector.run("task", "list", "-f", "json", *where)
    assert [task["id"] for task in json.loads(listed.stdout)["tasks"]] == [found["task"]]
    again = hector.run("task", "cancel", "writer", found["task"], *where)
    assert "had ended already" in again.stdout
    missing = hector.run("task", "get", "writer", "missing", *where)
    assert missing.returncode == 1
    assert "no task 'missing' of yours" in missing.stderr
    nobody = hector.run("call", "nobody", "hi", *where)
    assert nobody.returncode == 1
    assert "no agent 'nobody'" in nobody.stderr
    talk = hector.run("chat", "writer", *where, text="hello\nagain\n")
    assert talk.returncode == 0, talk.stderr
    assert talk.stdout.count("one two") == 2


@pytest.mark.parametrize("way", WAYS)
def test_extensions_are_named_over_every_transport(hector: Hector, server: Server, way: str) -> None:
    where = ("--url", grpc_url(server) if way == "grpc by the URL" else server.url, *WAYS[way])
    named = ("--extension", "https://example.com/ext/a", "--extension", "https://example.com/ext/b")
    refused = hector.run("call", "clerk", "hi", *named[:2], *where)
    assert refused.returncode == 1
    assert "https://example.com/ext/b" in refused.stderr
    answer = hector.run("call", "clerk", "hi", *named, *where)
    assert answer.stdout.strip() == "https://example.com/ext/a and https://example.com/ext/b", answer.stderr
    talk = hector.run("chat", "clerk", *named, *where, text="hello\n")
    assert "https://example.com/ext/a and https://example.com/ext/b" in talk.stdout, talk.stderr
    odd = hector.run("call", "clerk", "hi", "--extension", "a, b", *where)
    assert odd.returncode == 2
    assert "is no URI" in odd.stderr


def test_extensions_are_named_to_agents_in_this_process(hector: Hector) -> None:
    hector.write(HANDLERS, "handlers.py")
    hector.write(CONFIG)
    answer = hector.run(
        "call", "clerk", "hi", "-c", "hector.yaml", "--extension", "https://example.com/ext/a"
    )
    assert answer.stdout.strip() == "https://example.com/ext/a", answer.stderr


def test_an_agent_of_0_3_alone_is_asked_in_it(hector: Hector, server: Server) -> None:
    where = ("--url", server.url)
    answer = hector.run("call", "old", "hi", "-f", "json", *where)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert (found["text"], found["state"]) == ("one two", "completed")
    for words in (("old", found["task"]), (found["task"],)):
        got = hector.run("task", "get", *words, *where)
        assert "one two" in got.stdout, got.stderr
    listed = hector.run("task", "list", *where)
    assert listed.returncode == 0, listed.stderr
    assert "agent 'old' is left out" in listed.stderr
    assert "agent 'clerk' is left out: the client must support" in listed.stderr
    assert hector.run("task", "list", "--agent", "old", *where).returncode == 1
    shown = hector.run("info", "old", *where)
    assert shown.returncode == 0, shown.stderr


@pytest.mark.parametrize("way", WAYS)
def test_who_has_to_show_credentials_is_told_over_every_transport(
    hector: Hector, server: Server, way: str
) -> None:
    where = ("--url", grpc_url(server) if way == "grpc by the URL" else server.url, *WAYS[way])
    for how in ("--stream", "--no-stream"):
        told = hector.run("call", "guard", "hi", how, *where)
        assert told.returncode == 5, told.stderr
        assert "Sign in first." in told.stdout
    talk = hector.run("chat", "guard", *where, text="hello\n")
    assert "Sign in first." in talk.stdout


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_cancels_the_task_over_every_transport(hector: Hector, server: Server, way: str) -> None:
    url = grpc_url(server) if way == "grpc by the URL" else server.url
    call = subprocess.Popen(
        [HECTOR, "call", "slow", "hi", "--url", url, *WAYS[way]],
        cwd=hector.folder,
        env=dict(hector.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert call.stdout is not None
    assert call.stdout.read(2) == "0 "
    call.send_signal(signal.SIGINT)
    _, said = call.communicate(timeout=20)
    assert call.returncode == 130, said
    listed = hector.run("task", "list", "--agent", "slow", "-f", "json", "--url", server.url)
    assert json.loads(listed.stdout)["tasks"][0]["status"]["state"] == "TASK_STATE_CANCELED"


def test_nobody_there_and_a_credential_that_is_missing_have_their_exit_codes(hector: Hector) -> None:
    hector.write(HANDLERS, "handlers.py")
    hector.write(CONFIG)
    server = serve(hector, "--auth-secret", "s3cret")
    for url in (server.url, grpc_url(server)):
        refused = hector.run("call", "writer", "hi", "--url", url)
        assert refused.returncode == 4
        assert "wants a credential" in refused.stderr
        wrong = hector.run("call", "writer", "hi", "--url", url, "--token", "other")
        assert wrong.returncode == 4
        assert "does not accept this credential" in wrong.stderr
        right = hector.run("call", "writer", "hi", "--url", url, "--token", "s3cret")
        assert right.returncode == 0, right.stderr
    for scheme in ("http", "grpc"):
        gone = hector.run("call", "hi", "--url", f"{scheme}://127.0.0.1:{free_port()}")
        assert gone.returncode == 3, gone.stderr
        assert "no server answers" in gone.stderr
    none = hector.run("call", "hi", "--url", "grpc://127.0.0.1:9/path")
    assert none.returncode == 2, none.stderr
    pages = hector.run("info", "--url", grpc_url(server))
    assert "speaks gRPC" in pages.stderr


def test_grpc_with_tls_trusts_whom_it_is_told_to(hector: Hector, folder: Path) -> None:
    authority = Authority(folder)
    pair = authority.issue()
    hector.write(HANDLERS, "handlers.py")
    tls = f"server: {{tls: {{cert_file: {pair.cert_file}, key_file: {pair.key_file}}}}}\n"
    hector.write(CONFIG + tls)
    port, grpc_port = free_port(), free_port()
    hector.start("--port", str(port), "--grpc-port", str(grpc_port))
    trust = ("--ca-certificate", str(authority.file))
    deadline = time.monotonic() + 30
    while hector.run("call", "writer", "hi", "--url", f"https://localhost:{port}", *trust).returncode:
        assert time.monotonic() < deadline
    for url, more in (
        (f"grpcs://localhost:{grpc_port}", ()),
        (f"https://localhost:{port}", ("--transport", "grpc")),
    ):
        answer = hector.run("call", "writer", "hi", "--url", url, *more, *trust)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout == "one two\n"
    stranger = hector.run("call", "writer", "hi", "--url", f"grpcs://localhost:{grpc_port}")
    assert stranger.returncode == 3
    assert "not trusted" in stranger.stderr
    plain = hector.run("call", "writer", "hi", "--url", f"grpc://localhost:{grpc_port}")
    assert plain.returncode == 3


@pytest.mark.parametrize("way", ["jsonrpc", "http+json", "grpc"])
async def test_a_lost_stream_is_picked_up_without_a_gap(
    hector: Hector, server: Server, folder: Path, way: str
) -> None:
    """Ours: the line is cut twice in mid-answer, and the answer comes whole and once."""
    port = server.arguments[3] if way == "grpc" else server.url.rpartition(":")[2]
    async with asyncio.timeout(60), CuttingProxy(int(port)).running() as proxy:
        url = f"{'grpc' if way == 'grpc' else 'http'}://127.0.0.1:{proxy.port}"
        more = () if way == "grpc" else ("--transport", way)
        call = await asyncio.create_subprocess_exec(
            *(HECTOR, "call", "slow", "hi", "--url", url, *more),
            cwd=hector.folder,
            env=dict(hector.environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert call.stdout is not None
        text = b""
        for number in (b"2 ", b"5 "):
            while number not in text:
                text += await call.stdout.read(1)
            proxy.cut()
        while b"7 " not in text:
            text += await call.stdout.read(1)
        proxy.cut()
        (folder / "let-go").touch()
        rest, said = await call.communicate()
        assert text + rest == b"0 1 2 3 4 5 6 7 end\n", said
        assert call.returncode == 0
        assert b"connection was lost" in said


@contextlib.contextmanager
def sdk_server(*, only_old: bool = False) -> Iterator[tuple[str, str]]:
    """Run a2a-sdk's own server, its JSON-RPC away from the root; give its URL, and its gRPC port's."""
    from a2a.server.agent_execution import AgentExecutor
    from a2a.server.request_handlers import DefaultRequestHandler, GrpcHandler
    from a2a.server.routes.agent_card_routes import create_agent_card_routes
    from a2a.server.routes.jsonrpc_routes import create_jsonrpc_routes
    from a2a.server.routes.rest_routes import create_rest_routes
    from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
    from a2a.types import a2a_pb2 as pb
    from a2a.types import a2a_pb2_grpc as pb_grpc
    from starlette.applications import Starlette

    class Echo(AgentExecutor):
        async def execute(self, context: Any, event_queue: Any) -> None:
            task = pb.Task(id=context.task_id, context_id=context.context_id, history=[context.message])
            task.status.state = pb.TASK_STATE_SUBMITTED
            await event_queue.enqueue_event(task)
            updater = TaskUpdater(event_queue, context.task_id, context.context_id)
            await updater.start_work()
            await updater.add_artifact([pb.Part(text="you said ")], "a", append=False)
            await updater.add_artifact([pb.Part(text=context.get_user_input())], "a", append=True)
            if context.get_user_input() == "wait":
                await asyncio.Event().wait()
            await updater.complete()

        async def cancel(self, context: Any, event_queue: Any) -> None:
            await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()

    port, grpc_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    card = pb.AgentCard(name="theirs", description="Echoes.", version="1")
    card.capabilities.streaming = True
    card.default_input_modes.append("text/plain")
    card.default_output_modes.append("text/plain")
    card.skills.add(id="echo", name="echo", description="Echoes.", tags=["echo"])
    places = [("JSONRPC", f"{url}/rpc")]
    if not only_old:
        places += [("HTTP+JSON", f"{url}/rest"), ("GRPC", f"127.0.0.1:{grpc_port}")]
    for binding, place in places:
        version = "0.3" if only_old else "1.0"
        card.supported_interfaces.add(protocol_binding=binding, url=place, protocol_version=version)
    ready, stop = threading.Event(), threading.Event()

    async def run() -> None:
        handler = DefaultRequestHandler(Echo(), InMemoryTaskStore(), card)
        rpc = grpc.aio.server()
        rpc.add_insecure_port(f"127.0.0.1:{grpc_port}")
        pb_grpc.add_A2AServiceServicer_to_server(GrpcHandler(handler), rpc)
        routes = [
            *create_agent_card_routes(card),
            *create_jsonrpc_routes(handler, "/rpc", enable_v0_3_compat=only_old),
            *create_rest_routes(handler, path_prefix="/rest"),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes), "127.0.0.1", port, log_config=None, lifespan="off", ws="none"
        )
        http = uvicorn.Server(config)
        http.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        await rpc.start()
        serving = asyncio.create_task(http.serve())
        while not http.started:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.01)
        ready.set()
        await asyncio.to_thread(stop.wait)
        http.should_exit = True
        await serving
        await rpc.stop(0)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield url, f"grpc://127.0.0.1:{grpc_port}"
    finally:
        stop.set()
        thread.join(20)


@pytest.mark.parametrize("way", ["as its card prefers", "jsonrpc", "http+json", "grpc", "grpc by the URL"])
def test_the_official_sdks_server_is_asked_where_its_card_says(hector: Hector, way: str) -> None:
    with sdk_server() as (url, at_grpc):
        where = ["--url", at_grpc if way.endswith("URL") else url]
        if way in ("jsonrpc", "http+json", "grpc"):
            where += ["--transport", way]
        answer = hector.run("call", "hello", "-f", "json", *where)
        assert answer.returncode == 0, answer.stderr
        found = json.loads(answer.stdout)
        assert (found["text"], found["state"]) == ("you said hello", "completed")
        got = hector.run("task", "get", found["task"], "-f", "json", *where)
        assert got.returncode == 0, got.stderr
        assert json.loads(got.stdout)["id"] == found["task"]
        missing = hector.run("task", "get", "missing", *where)
        assert missing.returncode == 1
        assert "no task 'missing'" in missing.stderr
        talk = hector.run("chat", *where, text="one\ntwo\n")
        assert "you said one" in talk.stdout
        assert "you said two" in talk.stdout
        late = hector.run("call", "wait", "--timeout", "2", *where)
        assert late.returncode == 124, late.stderr


def test_a_server_whose_card_knows_0_3_alone_is_asked_in_it(hector: Hector) -> None:
    with sdk_server(only_old=True) as (url, _):
        answer = hector.run("call", "hello", "-f", "json", "--url", url)
        assert answer.returncode == 0, answer.stderr
        found = json.loads(answer.stdout)
        assert (found["text"], found["state"]) == ("you said hello", "completed")
        got = hector.run("task", "get", found["task"], "--url", url)
        assert "you said hello" in got.stdout
        none = hector.run("call", "hello", "--url", url, "--transport", "grpc")
        assert none.returncode == 2
        assert "offers no grpc (it offers: jsonrpc 0.3)" in none.stderr
