"""Ours: compose.yaml and the image start what works; its commands run here as processes, without an engine.

Nothing is changed but addresses: a service's name becomes a loopback address of its own.
"""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml
from support.databases import database_servers
from support.processes import HECTOR, Server, answer_of, environment, message, post

__all__ = ["database_servers"]

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = {name: one for name, one in COMPOSE["services"].items() if one["image"] == "hector"}
SECRETS = {"HECTOR_MESH_TOKEN": "a-long-random-text", "HECTOR_AUTH_SECRET": "admin-for-this-test"}
WAIT_S = 60.0


class Network:
    """Gives every service an address of this machine that no other test has."""

    def __init__(self) -> None:
        block = f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 256}"
        self.hosts = {name: f"{block}.{number}" for number, name in enumerate(SERVICES, 10)}

    def inside(self, service: str, text: str) -> str:
        """Return a text of compose.yaml as a service sees it."""
        return text.replace("0.0.0.0", self.hosts[service]).replace("127.0.0.1", self.hosts[service])

    def config(self, text: str) -> str:
        """Return the config with addresses for names."""
        return re.sub(r"dns:///(\w+):", lambda found: f"dns:///{self.hosts[found[1]]}:", text)


def variables(network: Network, name: str, values: dict[str, str]) -> dict[str, str]:
    """Return a service's environment, with what stands in .env."""

    def filled(text: str) -> str:
        return re.sub(r"\$\{(\w+)(?::[?-][^}]*)?\}", lambda found: values.get(found[1], ""), text)

    said = SERVICES[name]["environment"]
    found = {key: network.inside(name, filled(text)) for key, text in said.items()}
    image = dict(re.findall(r"(HECTOR_\w+)=(\S+)", (ROOT / "Dockerfile").read_text()))
    found |= {key: network.inside(name, text) for key, text in image.items()}
    return environment(**found, HECTOR_AUTH_SECRET=values["HECTOR_AUTH_SECRET"])


def probe(network: Network, name: str) -> subprocess.CompletedProcess[str]:
    """Run a service's health check as it is written."""
    kind, program, *words = SERVICES[name]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    command = [sys.executable, *(network.inside(name, word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, env=environment(), check=False)


@pytest.fixture
def containers(hector, folder, database_servers):
    """Every service of compose.yaml, started with its own command."""
    network = Network()
    server = database_servers("postgresql")
    with server.new_database() as database:
        text = network.config((ROOT / "examples/containers/hector.yaml").read_text())
        where = f"127.0.0.1:{server.port}/{database}"
        assert "@postgres:5432/hector" in text
        hector.write(text.replace("@postgres:5432/hector", f"@{where}"))
        (folder / "docs").mkdir()
        shutil.copy(ROOT / "docs/mesh.md", folder / "docs")
        values = {**SECRETS, "POSTGRES_PASSWORD": server.password}
        started = {}
        try:
            for name, service in SERVICES.items():
                log = folder / f"{name}.log"
                with log.open("w") as output:
                    process = subprocess.Popen(
                        [HECTOR, *(network.inside(name, word) for word in service["command"])],
                        cwd=folder,
                        env=variables(network, name, values),
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        text=True,
                        process_group=0,
                    )
                started[name] = Server(process, log)
            yield network, started
        finally:
            for one in reversed(started.values()):
                one.process.terminate()
            for one in started.values():
                try:
                    one.process.wait(20)
                except subprocess.TimeoutExpired:
                    one.kill()


@pytest.mark.timeout(240)
def test_an_answer_goes_through_all_containers_and_all_say_that_they_are_well(containers):
    network, started = containers
    deadline = time.monotonic() + WAIT_S
    for name in SERVICES:
        while (tried := probe(network, name)).returncode != 0:
            assert time.monotonic() < deadline, f"{name}: {tried.stderr}\n{started[name].output()}"
            assert started[name].process.poll() is None, f"{name} ended:\n{started[name].output()}"
            time.sleep(0.2)
    gateway = f"http://{network.hosts['gateway']}:8080"
    with urllib.request.urlopen(f"{gateway}/health", timeout=10) as answer:
        assert json.load(answer)["status"] == "healthy"
    asked = message("What is a role of the mesh?")
    task = post(f"{gateway}/agents/assistant", "SendMessage", asked, token=SECRETS["HECTOR_AUTH_SECRET"])[
        "result"
    ]["task"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED", task
    assert "mesh.md" in answer_of(task)
    kept = post(
        f"{gateway}/agents/assistant", "GetTask", {"id": task["id"]}, token=SECRETS["HECTOR_AUTH_SECRET"]
    )
    assert kept["result"]["status"] == task["status"]
    for name, one in started.items():
        text = one.output()
        assert "Traceback" not in text, f"{name}:\n{text}"
        for secret in SECRETS.values():
            assert secret not in text, name
        with urllib.request.urlopen(f"http://{network.hosts[name]}:9464/metrics", timeout=10) as answer:
            assert b"hector_build_info" in answer.read()
    started["llm"].kill()
    assert probe(network, "llm").returncode != 0
    assert probe(network, "agent").returncode == 0


def test_the_images_own_health_check_answers_while_its_own_command_runs(hector):
    """Hector as `docker run hector` starts it, on an address of its own in place of 0.0.0.0."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    health = json.loads(re.search(r"^HEALTHCHECK.*?CMD (\[.*?\])$", text, re.MULTILINE)[1])
    host = f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 256}.200"
    hector.environment = environment(HECTOR_HOST=host, HECTOR_AUTH_SECRET="admin-for-this-test")
    (command,) = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    serve, *words = json.loads(command)
    assert serve == "serve"
    server = hector.start(*words)
    check = [sys.executable, *(word.replace("127.0.0.1", host) for word in health[1:])]
    deadline = time.monotonic() + WAIT_S
    while subprocess.run(check, capture_output=True, env=environment(), timeout=10, check=False).returncode:
        assert time.monotonic() < deadline, server.output()
        assert server.process.poll() is None, server.output()
        time.sleep(0.2)
    client = http.client.HTTPConnection(host, 8080, timeout=10)
    client.request("GET", "/agents")
    assert client.getresponse().status == 401
    client.close()
