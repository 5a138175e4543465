"""The same configuration as one process, and as one process for every role."""

from dataclasses import dataclass, field
from pathlib import Path

from support.processes import Hector, Server, free_port, wait_until_ready

ROLES = ("embedder", "vector", "document", "llm", "tool", "reasoning", "agent")

DOCS = {
    "guide.md": "# Guide\n\n## Starting\n\nTo start the zeppelin, pull the blue lever twice.\n",
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

TOPOLOGIES = ("one process", "unix sockets", "tcp")


@dataclass
class Deployment:
    """A running mesh: its gateway, and the other roles where they are processes of their own."""

    hector: Hector
    gateway: Server
    roles: dict[str, Server] = field(default_factory=dict)

    @property
    def agent(self) -> str:
        return f"{self.gateway.url}/agents/assistant"

    def again(self, server: Server) -> Server:
        """Start a server anew that has died, with the same words."""
        assert server.process.poll() is not None
        return self.hector.start(*server.arguments, url=server.url)


def deploy(hector: Hector, topology: str) -> Deployment:
    """Start the configuration in a topology, and wait until it is ready."""
    write_docs(hector.folder)
    if topology == "one process":
        hector.write(CONFIG.format(mesh=""))
        return Deployment(hector, hector.serve("--config", "hector.yaml"))
    if topology == "unix sockets":
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
    return Deployment(hector, gateway, roles)


def write_docs(folder: Path) -> None:
    (folder / "docs").mkdir()
    for name, text in DOCS.items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")
