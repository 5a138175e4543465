"""SIGHUP: agents come, change and go while others work, and nobody notices who is not meant."""

import asyncio
import base64
import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.processes import Hector, Server, answer_of, free_port, message, post, wait_until_ready

HANDLERS = """
import asyncio
from pathlib import Path

VERSION = "one"

async def quick(turn):
    yield f"quick {VERSION}"

async def held(turn):
    yield f"began {VERSION}"
    while not Path("let-go").exists():
        await asyncio.sleep(0.02)
    yield f", ended {VERSION}"
"""
BEFORE = """
agents:
  steady: {type: custom, handler: "handlers:quick"}
  changed: {type: custom, handler: "handlers:held", description: before}
  leaving: {type: custom, handler: "handlers:held"}
server: {request_timeout: 60s}
"""
AFTER = """
agents:
  steady: {type: custom, handler: "handlers:quick"}
  changed: {type: custom, handler: "handlers:quick", description: after}
  coming: {type: custom, handler: "handlers:quick"}
server: {request_timeout: 61s}
"""
RELOADED = "config was applied"


def wait_for(server: Server, words: str, times: int = 1, seconds: float = 20) -> str:
    deadline = time.monotonic() + seconds
    while server.output().count(words) < times:
        assert time.monotonic() < deadline, server.output()
        time.sleep(0.02)
    return server.output()


def hang_up(server: Server, words: str = RELOADED) -> str:
    times = server.output().count(words) + 1
    server.process.send_signal(signal.SIGHUP)
    return wait_for(server, words, times)


def ask(server: Server, agent: str, text: str = "hi") -> str:
    answer = post(f"{server.url}/agents/{agent}", "SendMessage", message(text))
    return answer_of(answer["result"]["task"])


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def refused(url: str, method: str, params: object) -> int:
    with pytest.raises(urllib.error.HTTPError) as error:
        post(url, method, params)
    with error.value:
        return error.value.code


async def events_of(session: aiohttp.ClientSession, server: Server, agent: str) -> AsyncIterator[dict]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": message("hi")}
    headers = {"A2A-Version": "1.0"}
    async with session.post(f"{server.url}/agents/{agent}", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        async for line in answer.content:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])["result"]


async def streamed(
    session: aiohttp.ClientSession, server: Server, agent: str, begun: asyncio.Event
) -> tuple[str, str]:
    """Return a stream's text and its last state; `begun` is set with the first text."""
    text, state = "", ""
    async for event in events_of(session, server, agent):
        if update := event.get("artifactUpdate"):
            text += "".join(part.get("text", "") for part in update["artifact"]["parts"])
            begun.set()
        if update := event.get("statusUpdate"):
            state = update["status"]["state"]
    return text, state


async def blocking(session: aiohttp.ClientSession, server: Server, agent: str) -> str:
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": message("hi")}
    headers = {"A2A-Version": "1.0"}
    async with session.post(f"{server.url}/agents/{agent}", json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return answer_of((await answer.json())["result"]["task"])


@pytest.fixture
def server(hector: Hector, folder: Path) -> Server:
    hector.write(HANDLERS, "handlers.py")
    hector.write(BEFORE)
    return hector.serve()


async def test_agents_come_change_and_go_under_load(hector: Hector, folder: Path, server: Server) -> None:
    """Ours: 200 answers and 5 streams over a SIGHUP, and none of them fails or is cut."""
    answers: list[str] = []
    half = asyncio.Event()

    async def send(session: aiohttp.ClientSession, count: int) -> None:
        for _ in range(count):
            answers.append(await blocking(session, server, "steady"))
            if len(answers) >= 60:
                half.set()

    async with asyncio.timeout(120), aiohttp.ClientSession() as session:
        begun = [asyncio.Event() for _ in range(5)]
        agents = ("changed", "changed", "changed", "leaving", "leaving")
        streams = [
            asyncio.create_task(streamed(session, server, agent, one))
            for agent, one in zip(agents, begun, strict=True)
        ]
        waiting = asyncio.create_task(blocking(session, server, "leaving"))
        for one in begun:
            await one.wait()
        senders = [asyncio.create_task(send(session, 50)) for _ in range(4)]
        await half.wait()
        hector.write(HANDLERS.replace('"one"', '"two"'), "handlers.py")
        hector.write(AFTER)
        said = await asyncio.to_thread(hang_up, server)
        assert await blocking(session, server, "changed") == "quick two"
        assert await blocking(session, server, "coming") == "quick two"
        gone = await asyncio.to_thread(status_of, f"{server.url}/agents/leaving/.well-known/agent-card.json")
        assert gone == 404
        assert not any(task.done() for task in [*streams, waiting])
        (folder / "let-go").touch()
        for sender in senders:
            await sender
        ended = [await stream for stream in streams]
        assert await waiting == "began one, ended one"
    assert ended == [("began one, ended one", "TASK_STATE_COMPLETED")] * 5
    assert len(answers) == 200
    assert set(answers) == {"quick one", "quick two"}
    changes = said[said.rindex(RELOADED) :]
    for change in ("agents.changed changed", "agents.leaving removed", "agents.coming added"):
        assert change in changes
    assert "the code of agents.steady changed" in changes
    assert "keys=server.request_timeout" in wait_for(server, "waits for a restart")
    assert server.stop() == 0


def test_tasks_of_an_agent_that_is_gone_stay_with_their_owner(hector: Hector, server: Server) -> None:
    task = post(f"{server.url}/agents/steady", "SendMessage", message("hi"))["result"]["task"]
    hector.write(AFTER.replace("  steady:", "  other:"))
    hang_up(server)
    url = f"{server.url}/agents/steady"
    assert post(url, "GetTask", {"id": task["id"]})["result"]["id"] == task["id"]
    assert [one["id"] for one in post(url, "ListTasks", {})["result"]["tasks"]] == [task["id"]]
    assert post(url, "ListTasks", {"status": "TASK_STATE_WORKING"})["result"]["tasks"] == []
    assert status_of(f"{url}/tasks/{task['id']}") == 400  # 1.0 is to be said
    for method, params in (("SendMessage", message("hi")), ("GetExtendedAgentCard", {})):
        assert refused(url, method, params) == 404
    assert refused(f"{server.url}/agents/never", "GetTask", {"id": task["id"]}) == 404
    assert server.stop() == 0
    new = hector.start(*server.arguments, url=server.url)
    wait_until_ready(new)
    assert post(url, "GetTask", {"id": task["id"]})["result"]["id"] == task["id"]


def test_a_config_that_is_no_good_replaces_nothing(hector: Hector, server: Server) -> None:
    words = "config refused, nothing was changed"
    for text, why in (
        ("agents: [", "not valid YAML"),
        ("agents: {steady: {type: custom, handler: 'handlers:missing'}}", "has no 'missing'"),
        ("agents: {steady: {llm: nowhere}}", "nowhere"),
        (
            "document_stores: {new: {source: {type: directory, path: ./docs}}}\n"
            "agents: {steady: {document_stores: [new]}}",
            "document_stores.new, which only a restart brings",
        ),
    ):
        hector.write(text)
        said = hang_up(server, words)
        assert why in said[said.rindex(words) :]
    assert ask(server, "steady") == "quick one"
    hector.write(HANDLERS.replace("yield", "yeld"), "handlers.py")
    hector.write(BEFORE)
    assert "handlers.py:" in hang_up(server, words)
    assert ask(server, "steady") == "quick one"
    hector.write(HANDLERS.replace('"one"', '"three"'), "handlers.py")
    hang_up(server)
    assert ask(server, "steady") == "quick three"
    assert server.stop() == 0


def test_a_new_agent_may_bring_its_model_and_its_tools(hector: Hector, server: Server) -> None:
    hector.write(
        BEFORE.replace("server:", "  asking: {llm: mine, tools: [todo_write]}\nserver:")
        + "llms: {mine: {provider: local}}\ntools: {todo_write: }\n"
    )
    said = hang_up(server)
    assert "llms.mine added" in said
    assert ask(server, "asking", "hello")
    assert server.stop() == 0


def test_roles_apart_take_another_config_one_by_one(hector: Hector, folder: Path) -> None:
    mesh = f"mesh: {{agent: 'unix://{folder}/a.sock', llm: 'unix://{folder}/l.sock'}}\n"
    hector.write(HANDLERS, "handlers.py")
    hector.write(BEFORE + mesh)
    hector.start("--role", "llm", "--listen", f"unix://{folder}/l.sock")
    agent = hector.start(
        *("--role", "agent", "--role", "tool", "--role", "reasoning"), "--listen", f"unix://{folder}/a.sock"
    )
    port = free_port()
    arguments = ("--role", "gateway", "--port", str(port), "--grpc-port", "0")
    gateway = hector.start(*arguments, url=f"http://127.0.0.1:{port}")
    wait_until_ready(gateway)
    assert ask(gateway, "steady") == "quick one"
    hector.write(AFTER + mesh)
    said = hang_up(agent)
    assert "agents.coming added" in said
    assert "server.request_timeout" not in said  # it is the gateway's
    deadline = time.monotonic() + 5
    while status_of(f"{gateway.url}/agents/coming") != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ask(gateway, "coming") == "quick one"
    assert "keys=server.request_timeout" in hang_up(gateway, "waits for a restart")


def test_keys_of_cards_rotate_without_a_restart(hector: Hector, folder: Path, server: Server) -> None:
    def signing(*names: str) -> str:
        keys = ", ".join(f"{{key_file: {name}.pem, key_id: {name}}}" for name in names)
        return BEFORE.replace("request_timeout: 60s", f"request_timeout: 60s, a2a: {{signing: [{keys}]}}")

    def shown() -> tuple[list[str], set[str]]:
        with urllib.request.urlopen(f"{server.url}/.well-known/jwks.json", timeout=20) as answer:
            names = [key["kid"] for key in json.load(answer)["keys"]]
        with urllib.request.urlopen(f"{server.url}/agents/steady", timeout=20) as answer:
            heads = [one["protected"] + "==" for one in json.load(answer)["signatures"]]
        return names, {json.loads(base64.urlsafe_b64decode(head))["kid"] for head in heads}

    for name in ("old", "new"):
        made = ed25519.Ed25519PrivateKey.generate().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        (folder / f"{name}.pem").write_bytes(made)
    assert status_of(f"{server.url}/.well-known/jwks.json") == 404
    for names in (["old"], ["new", "old"], ["new"]):
        hector.write(signing(*names))
        assert "server.a2a.signing changed" in hang_up(server)
        assert shown() == (names, set(names))
    hector.write(signing("new", "missing"))
    assert "missing.pem" in hang_up(server, "config refused, nothing was changed")
    assert shown() == (["new"], {"new"})
    with urllib.request.urlopen(f"{server.url}/.well-known/jwks.json", timeout=20) as answer:
        hector.write(answer.read().decode(), "keys.json")
    card = hector.run("card", "verify", f"{server.url}/agents/steady", "--jwks", "keys.json")
    assert card.returncode == 0, card.stderr
    assert server.stop() == 0


def test_what_agents_offer_changes_without_a_restart(hector: Hector, server: Server) -> None:
    """The next request is held to the new offer, and the card says so under another ETag."""

    def card(agent: str) -> tuple[dict[str, object], str]:
        with urllib.request.urlopen(f"{server.url}/agents/{agent}", timeout=20) as answer:
            return json.load(answer), answer.headers["ETag"]

    before = {agent: card(agent) for agent in ("steady", "changed")}
    assert {found["capabilities"]["streaming"] for found, _ in before.values()} == {True}
    text = BEFORE.replace(
        "request_timeout: 60s", 'request_timeout: 60s, a2a: {streaming: false, errors: "1.0.0"}'
    )
    hector.write(
        text.replace("description: before", 'description: before, a2a: {streaming: true, versions: ["1.0"]}')
    )
    assert "server.a2a" in hang_up(server)
    steady, changed = card("steady"), card("changed")
    assert (steady[0]["capabilities"]["streaming"], changed[0]["capabilities"]["streaming"]) == (False, True)
    assert {one["protocolVersion"] for one in changed[0]["supportedInterfaces"]} == {"1.0"}
    assert (steady[1] == before["steady"][1], changed[1] == before["changed"][1]) == (False, False)
    streamed = post(f"{server.url}/agents/steady", "SendStreamingMessage", message("hi"))
    assert streamed["error"]["code"] == -32004
    assert status_of(f"{server.url}/agents/steady/v1/tasks/nothing") == 404
    assert status_of(f"{server.url}/agents/changed/v1/tasks/nothing") == 400  # 0.3 is spoken no more
    assert server.stop() == 0


def test_validate_tells_before_what_a_hangup_would_change(hector: Hector) -> None:
    hector.write(HANDLERS, "handlers.py")
    hector.write(BEFORE)
    hector.write(AFTER, "new.yaml")
    told = hector.run("validate", "new.yaml", "--since", "hector.yaml")
    assert told.returncode == 0, told.stderr
    assert "at SIGHUP: agents.changed changed, agents.leaving removed, agents.coming added" in told.stdout
    assert "needs restart: server.request_timeout" in told.stdout
    found = json.loads(hector.run("validate", "new.yaml", "--since", "new.yaml", "-f", "json").stdout)
    assert (found["at_SIGHUP"], found["needs_restart"]) == ([], [])


def test_a_watched_config_takes_effect_when_it_is_written(hector: Hector, folder: Path) -> None:
    hector.write(HANDLERS, "handlers.py")
    hector.write(BEFORE)
    server = hector.serve("--watch")
    hector.write(AFTER)
    wait_for(server, "agents.coming added")
    hector.write("agents: [")
    wait_for(server, "config refused, nothing was changed")
    assert ask(server, "coming") == "quick one"
    hector.write(AFTER)
    hector.write(HANDLERS.replace('"one"', '"two"'), "handlers.py")
    wait_for(server, "the code of agents.coming changed")
    assert ask(server, "coming") == "quick two"
    assert server.stop() == 0
