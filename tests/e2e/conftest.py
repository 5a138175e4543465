"""The whole product, as its users run it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import Hector, Server, free_port, hector_in, wait_until_ready

ROLES = ("embedder", "vector", "document", "llm", "tool", "reasoning", "agent")

DOCS = {
    "guide.md": "# Guide\n\n## Starting\n\nTo start the zeppelin, pull the blue lever twice and wait for the bell.\n",
    "food.md": "# Food\n\nThe canteen serves lentil soup on Tuesdays.\n",
}

CONFIG = """
agents:
  assistant:
    instruction: Answer from the documents.
llms:
  default: {{provider: local}}
document_stores:
  docs:
    source: {{type: directory, path: ./docs, include: ["**/*.md"]}}
    watch: true
{mesh}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not tmp_path: a unix socket's path has 107 bytes.
    made = Path(tempfile.mkdtemp(prefix="he-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def hector(folder: Path) -> Iterator[Hector]:
    with hector_in(folder) as made:
        yield made


def write_docs(folder: Path) -> None:
    (folder / "docs").mkdir()
    for name, text in DOCS.items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")


@pytest.fixture(params=["one process", "unix sockets", "tcp"])
def deployed(request: pytest.FixtureRequest, hector: Hector) -> tuple[Hector, Server, dict[str, Server]]:
    """The same configuration as one process, and as a process for every role over unix sockets and over TCP."""
    write_docs(hector.folder)
    if request.param == "one process":
        hector.write(CONFIG.format(mesh=""))
        server = hector.serve("--config", "hector.yaml")
        return hector, server, {}
    if request.param == "unix sockets":
        addresses = {role: f"unix://{hector.folder}/{role}.sock" for role in ROLES}
    else:
        addresses = {role: f"127.0.0.1:{free_port()}" for role in ROLES}
    lines = "\n".join(f"  {role}: {address}" for role, address in addresses.items())
    hector.write(CONFIG.format(mesh=f"mesh:\n  token: a-secret-of-the-mesh\n{lines}"))
    roles = {
        role: hector.start("--config", "hector.yaml", "--role", role, "--listen", address)
        for role, address in addresses.items()
    }
    port = free_port()
    arguments = ("--config", "hector.yaml", "--role", "gateway", "--port", str(port), "--grpc-port", "0")
    gateway = hector.start(*arguments, url=f"http://127.0.0.1:{port}")
    wait_until_ready(gateway)
    return hector, gateway, roles
