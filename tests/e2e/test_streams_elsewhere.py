"""Two gateways, two agent replicas, one database: kill -9 of the owner costs streams only a moment."""

import asyncio
import json
import os
import signal
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.databases import DatabaseServer, database_servers
from support.model_server import DONE, STREAM, chunk, event
from support.model_thread import model_in_a_thread
from support.processes import Hector, Server, free_port, message, wait_until_ready
from support.scripted_server import END, Line, Received, chunked, head

from hector_store import RunLog, Workers, opened

__all__ = ["database_servers"]

LOST = ["I ", "thought ", "that "]
SAID = ["It ", "is ", "so."]
CONFIG = """
agents:
  assistant: {{tools: []}}
llms:
  default: {{provider: openai, base_url: "{model}/v1", model: some-model, api_key: sk-key}}
storage: {{database: "{database}", lease: 1s}}
mesh: {{token: a-secret-of-the-mesh, agent: "{agents}"}}
"""
ROLES = ("--role", "agent", "--role", "llm", "--role", "tool", "--role", "reasoning")


class Model:
    """Says the beginning of one answer, and when it is asked again, all of another one."""

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = threading.Event()

    async def __call__(self, received: Received, line: Line) -> None:
        self.asked += 1
        await line.send(head(200, STREAM))
        if self.asked == 1:
            for word in LOST:
                await line.send(chunked(event(chunk({"content": word}))))
            await line.until_left()
            return
        for number, word in enumerate(SAID):
            while number and not self.go_on.is_set():  # noqa: ASYNC110 - it is another thread's
                await asyncio.sleep(0.01)
            await line.send(chunked(event(chunk({"content": word}))))
        await line.send(chunked(event(chunk({}, "stop")) + DONE) + END)


@dataclass
class Client:
    """Reads streams one after the other, and folds them as A2A says."""

    task: str = ""
    place: str = ""
    state: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    answer: Any = None

    @property
    def text(self) -> str:
        return "|".join(self.texts.values())

    def begin(self, url: str) -> None:
        self._ask(url, "POST", "/message:stream", json.dumps(message("hi")).encode(), {})

    def resume(self, url: str) -> None:
        """Go on, as soon as somebody answers: the one who was asked may just have died."""
        place = {"Last-Event-ID": self.place} if self.place else {}
        for _ in range(50):
            try:
                self._ask(url, "GET", f"/tasks/{self.task}:subscribe", None, place)
            except OSError:
                threading.Event().wait(0.1)
            else:
                return
        raise AssertionError(f"nobody goes on with {self.task} at {url}")

    def read(self, until: Callable[[], bool] | None = None) -> bool:
        """Read until something holds, or the end; False: the stream broke off before that."""
        found: dict[str, str] = {}
        try:
            while until is None or not until():
                line = self.answer.readline().decode()
                if not line:
                    return False
                name, _, value = line.rstrip("\n").partition(": ")
                if name and not line.startswith(":"):
                    found[name] = value
                elif "data" in found:
                    if "id" not in found:
                        return False  # an error: whoever was asked lost who it asked
                    self._take(json.loads(found["data"]), found["id"])
                    found = {}
        except OSError:
            return False
        return True

    def _ask(self, url: str, verb: str, path: str, body: bytes | None, more: dict[str, str]) -> None:
        headers = {"A2A-Version": "1.0", "Content-Type": "application/json", **more}
        request = urllib.request.Request(f"{url}/agents/assistant{path}", body, headers, method=verb)
        self.answer = urllib.request.urlopen(request, timeout=30)

    def _take(self, found: dict[str, Any], place: str) -> None:
        self.place = place
        if "task" in found:
            self.task, self.state = found["task"]["id"], found["task"]["status"]["state"]
            self.texts = {
                one["artifactId"]: "".join(part["text"] for part in one["parts"])
                for one in found["task"].get("artifacts", [])
            }
        if "statusUpdate" in found:
            self.state = found["statusUpdate"]["status"]["state"]
        if "artifactUpdate" in found:
            update = found["artifactUpdate"]
            name = update["artifact"]["artifactId"]
            text = "".join(part.get("text", "") for part in update["artifact"]["parts"])
            self.texts[name] = self.texts[name] + text if update.get("append") else text


@dataclass
class Mesh:
    hector: Hector
    database: str
    model: Model
    agents: list[Server]
    gateways: list[str]

    async def owner(self, task: str) -> int:
        """Return the process that works on a task; 0 is none."""
        async with opened(self.database) as database:
            standing = (await RunLog(database).standings([task]))[task]
            worker = await Workers(database).of(standing.worker)
            return worker.pid if worker is not None and worker.is_alive else 0


def database_in(kind: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite://{folder}/runs.db"
        return
    servers: Callable[[str], DatabaseServer] = request.getfixturevalue("database_servers")
    server = servers(kind)
    with server.new_database() as name:
        yield server.url(name, tcp=True, sslmode="require")


@pytest.fixture(params=["sqlite", "postgresql"])
def mesh(request: pytest.FixtureRequest, hector: Hector) -> Iterator[Mesh]:
    model = Model()
    for database in database_in(request.param, hector.folder, request):
        with model_in_a_thread(model) as server:
            yield started(hector, database, model, server.url)
            hector.close()


def started(hector: Hector, database: str, model: Model, model_url: str) -> Mesh:
    ports = [free_port(), free_port()]
    addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
    hector.write(CONFIG.format(model=model_url, database=database, agents=f"ipv4:{addresses}"))
    config = ("--config", "hector.yaml")
    agents = [hector.start(*config, *ROLES, "--listen", f"127.0.0.1:{port}") for port in ports]
    for port in ports:
        wait_until_open(port)
    gateways = []
    for _ in range(2):
        url = f"http://127.0.0.1:{free_port()}"
        port = url.rpartition(":")[2]
        gateway = hector.start(*config, "--role", "gateway", "--port", port, "--grpc-port", "0", url=url)
        wait_until_ready(gateway)
        gateways.append(url)
    return Mesh(hector, database, model, agents, gateways)


def wait_until_open(port: int) -> None:
    """Wait until somebody listens: gRPC leaves alone for a while whom it found closed."""
    for _ in range(600):
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.05)
    raise AssertionError(f"nobody listens on {port}")


def test_streams_go_on_when_the_owner_is_killed_and_lost_text_is_replaced(mesh: Mesh) -> None:
    """Ours: who stays need not come back, who resumes may do so at any gateway; all have what the log has."""
    first, second = mesh.gateways
    stays, also_stays, leaves = Client(), Client(), Client()
    stays.begin(first)
    assert stays.read(lambda: stays.text == "".join(LOST))
    for client, url in ((also_stays, second), (leaves, first)):
        client.task = stays.task
        client.resume(url)
        assert client.read(lambda client=client: client.text == "".join(LOST))
    owner = asyncio.run(mesh.owner(stays.task))
    assert owner in {one.process.pid for one in mesh.agents}
    os.kill(owner, signal.SIGKILL)
    leaves.resume(second)
    mesh.model.go_on.set()
    for client in (stays, also_stays, leaves):
        assert client.read(lambda client=client: client.state == "TASK_STATE_COMPLETED")
        assert client.text == "".join(SAID)
    assert mesh.model.asked == 2
    heir = next(one for one in mesh.agents if one.process.pid != owner)
    assert "Traceback" not in heir.output()
