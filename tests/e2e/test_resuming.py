"""Streams outlive what they went through: another gateway goes on with them, and one that was restarted."""

import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.processes import Hector, Server, free_port, message, post, wait_until_ready

STOPPED = 128 + signal.SIGTERM
WORDS = [f"w{number} " for number in range(10)]
HANDLER = """
import asyncio
from pathlib import Path

HERE = Path(__file__).parent

async def say(turn):
    for number in range(10):
        while not (HERE / f"say-{number}").exists():
            await asyncio.sleep(0.01)
        yield f"w{number} "
"""
CONFIG = """
agents:
  assistant: {{type: custom, handler: "slow:say"}}
server: {{shutdown_timeout: 1s}}
storage: {{database: "sqlite://{folder}/runs.db"}}
{mesh}
"""


@dataclass
class Stream:
    """A client that reads a stream as far as it is told to, and knows where it is."""

    url: str
    text: str = ""
    task: str = ""
    place: str = ""
    state: str = ""
    ended_with: str = ""
    places: list[str] = field(default_factory=list)
    _answer: Any = None

    def begin(self) -> None:
        self._ask("POST", "/message:stream", json.dumps(message("hi")).encode())

    def resume(self, url: str) -> None:
        self.url, before = url, self.text
        self._ask("GET", f"/tasks/{self.task}:subscribe", None, {"Last-Event-ID": self.place})
        found = self._event()
        parts = [part for one in found["task"].get("artifacts", []) for part in one["parts"]]
        assert "".join(part["text"] for part in parts) == before, "it goes on where it broke off"

    def read_until(self, words: int) -> None:
        while self.text != "".join(WORDS[:words]):
            assert self._event(), f"the stream ended after {self.text!r}"

    def read_rest(self) -> None:
        while self._event():
            pass

    def _ask(self, verb: str, path: str, body: bytes | None, more: dict[str, str] | None = None) -> None:
        headers = {"A2A-Version": "1.0", "Content-Type": "application/json", **(more or {})}
        request = urllib.request.Request(f"{self.url}/agents/assistant{path}", body, headers, method=verb)
        self._answer = urllib.request.urlopen(request, timeout=30)

    def _event(self) -> dict[str, Any]:
        """Return the next event; nothing at the end."""
        fields: dict[str, str] = {}
        for line in self._answer:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if line.startswith(b":"):
                self.ended_with = value
            elif name:
                fields[name] = value
            elif "data" in fields:
                return self._take(json.loads(fields["data"]), fields["id"])
            else:
                fields = {}
        return {}

    def _take(self, found: dict[str, Any], place: str) -> dict[str, Any]:
        self.place = place
        self.places.append(place)
        if "task" in found:
            self.task = found["task"]["id"]
        if "artifactUpdate" in found:
            update = found["artifactUpdate"]
            text = "".join(part.get("text", "") for part in update["artifact"]["parts"])
            self.text = self.text + text if update.get("append") else text
        if "statusUpdate" in found:
            self.state = found["statusUpdate"]["status"]["state"]
        return found


@dataclass
class Mesh:
    """An agent role, and gateways in front of it."""

    hector: Hector
    agent: Server
    gateways: list[Server]

    def say(self, *numbers: int) -> None:
        say(self.hector.folder, *numbers)


def say(folder: Path, *numbers: int) -> None:
    """Let the agent say some of its words."""
    for number in numbers:
        (folder / f"say-{number}").touch()


def gateway(hector: Hector, url: str = "") -> Server:
    url = url or f"http://127.0.0.1:{free_port()}"
    port = url.rpartition(":")[2]
    server = hector.start(
        "--config", "hector.yaml", "--role", "gateway", "--port", port, "--grpc-port", "0", url=url
    )
    wait_until_ready(server)
    return server


@pytest.fixture
def mesh(hector: Hector) -> Iterator[Mesh]:
    folder = hector.folder
    (folder / "slow.py").write_text(HANDLER, encoding="utf-8")
    addresses = "\n".join(
        f"  {role}: unix://{folder}/{role}.sock"
        for role in ("embedder", "vector", "document", "llm", "tool", "reasoning", "agent")
    )
    hector.write(CONFIG.format(folder=folder, mesh=f"mesh:\n  token: a-secret-of-the-mesh\n{addresses}"))
    for role in ("embedder", "vector", "document", "llm", "tool", "reasoning"):
        hector.start("--config", "hector.yaml", "--role", role, "--listen", f"unix://{folder}/{role}.sock")
    agent = hector.start(
        "--config", "hector.yaml", "--role", "agent", "--listen", f"unix://{folder}/agent.sock"
    )
    return Mesh(hector, agent, [gateway(hector), gateway(hector)])


def test_two_gateways_give_the_same_answers_and_go_on_with_each_others_streams(mesh):
    """Ours: a gateway keeps nothing; behind a balancer any of them will do."""
    first, second = (server.url for server in mesh.gateways)
    stream = Stream(first)
    stream.begin()
    mesh.say(0, 1)
    stream.read_until(2)
    for number in range(2, 6):
        stream.resume(second if number % 2 == 0 else first)
        mesh.say(number)
        stream.read_until(number + 1)
    mesh.gateways[0].kill()
    stream.resume(second)
    mesh.say(*range(6, 10))
    stream.read_rest()
    assert stream.text == "".join(WORDS)
    assert stream.state == "TASK_STATE_COMPLETED"
    mesh.gateways[0] = gateway(mesh.hector, first)
    asked = [("GetTask", {"id": stream.task}), ("ListTasks", {}), ("GetTask", {"id": "nothing"})]
    for method, params in asked:
        answers = [post(f"{url}/agents/assistant", method, params) for url in (first, second)]
        for answer in answers:
            for detail in answer.get("error", {}).get("data", []):
                detail.pop("requestId", None)
        assert answers[0] == answers[1], method


def test_a_gateway_that_is_restarted_costs_its_streams_nothing(mesh):
    """Ours: told to stop, it ends streams cleanly; what was said meanwhile is there for who comes back."""
    server = mesh.gateways[0]
    stream = Stream(server.url)
    stream.begin()
    mesh.say(0, 1, 2)
    stream.read_until(3)
    server.process.send_signal(signal.SIGTERM)
    stream.read_rest()  # within the time that it has to stop
    assert "stopping" in stream.ended_with
    assert server.stop() == STOPPED
    mesh.say(3, 4)
    mesh.gateways[0] = gateway(mesh.hector, server.url)
    stream.resume(server.url)
    stream.read_until(5)
    mesh.say(*range(5, 10))
    stream.read_rest()
    assert stream.text == "".join(WORDS)
    assert stream.state == "TASK_STATE_COMPLETED"


def test_a_whole_server_that_is_restarted_goes_on_with_its_task(hector):
    """Ours: its streams end with it, and who comes back sees how the task goes on."""
    folder = hector.folder
    (folder / "slow.py").write_text(HANDLER, encoding="utf-8")
    hector.write(CONFIG.format(folder=folder, mesh=""))
    server = hector.serve("--config", "hector.yaml")
    stream = Stream(server.url)
    stream.begin()
    say(folder, 0, 1, 2)
    stream.read_until(3)
    server.process.send_signal(signal.SIGTERM)
    stream.read_rest()
    assert server.stop() == STOPPED
    assert stream.text == "".join(WORDS[:3])
    again = hector.serve("--config", "hector.yaml")
    stream.resume(again.url)
    say(folder, *range(3, 10))
    stream.read_rest()
    assert stream.text == "".join(WORDS)
    assert stream.state == "TASK_STATE_COMPLETED"
    with pytest.raises(urllib.error.HTTPError) as refused:
        Stream(again.url, task=stream.task, place="999").resume(again.url)
    assert "Last-Event-ID" in refused.value.read().decode()
