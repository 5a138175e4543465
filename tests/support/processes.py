"""Runs `hector` as a user does, in processes of its own, and stops whatever it started."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HECTOR = str(Path(sys.executable).with_name("hector"))
READY_S = 60.0
STOP_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_alive(process: int) -> bool:
    """Say whether a process is there, and not only its entry, until whoever inherited it looks."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def environment(**more: str) -> dict[str, str]:
    """Return an environment without keys and addresses of the machine's own."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not re.match(r"(OPENAI|ANTHROPIC|GEMINI|OLLAMA|HECTOR)_", name)
    }
    return {
        **kept,
        "PYTHONUNBUFFERED": "1",
        "OLLAMA_HOST": "http://127.0.0.1:9",
        "HOME": "/nonexistent",
        **more,
    }


@dataclass
class Server:
    """One `hector serve`."""

    process: subprocess.Popen[str]
    log: Path
    arguments: tuple[str, ...] = ()
    url: str = ""

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(STOP_S)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)


@dataclass
class Hector:
    """Starts servers in a folder and asks them things; everything it started ends with it."""

    folder: Path
    servers: list[Server] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=environment)

    def write(self, text: str, name: str = "hector.yaml") -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, *arguments: str, url: str = "") -> Server:
        log = self.folder / f"serve-{len(self.servers)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [HECTOR, "serve", *arguments],
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                process_group=0,
            )
        server = Server(process, log, arguments, url)
        self.servers.append(server)
        return server

    def serve(self, *arguments: str) -> Server:
        """Start a whole server on a free port and wait until it is ready."""
        port = free_port()
        server = self.start(
            *arguments, "--port", str(port), "--grpc-port", "0", url=f"http://127.0.0.1:{port}"
        )
        wait_until_ready(server)
        return server

    def run(
        self, *arguments: str, text: str | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [HECTOR, *arguments],
            cwd=self.folder,
            env=dict(self.environment),
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def close(self) -> None:
        for server in self.servers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.stop()
            if server.process.poll() is None:
                server.kill()


def wait_until_ready(server: Server, tls: ssl.SSLContext | None = None) -> None:
    deadline = time.monotonic() + READY_S
    last = ""
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise AssertionError(f"the server ended with {server.process.returncode}:\n{server.output()}")
        try:
            with urllib.request.urlopen(f"{server.url}/ready", timeout=2, context=tls):
                return
        except urllib.error.HTTPError as error:
            last = error.read().decode()
        except OSError as error:
            last = str(error)
        time.sleep(0.05)
    raise AssertionError(f"not ready within {READY_S} s ({last}):\n{server.output()}")


def post(
    url: str, method: str, params: object, *, version: str = "1.0", token: str = "", timeout_s: float = 60
) -> dict:
    """Send one JSON-RPC request and return the response, one that the server has no room for included."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    headers = {"Content-Type": "application/json", "A2A-Version": version}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            answer: dict = json.load(response)
    except urllib.error.HTTPError as error:
        if error.code not in (429, 503):
            raise
        answer = json.load(error)
    return answer


def message(text: str, **more: object) -> dict[str, object]:
    """Return the parameters of SendMessage."""
    return {"message": {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": text}], **more}}


def answer_of(task: Mapping[str, object]) -> str:
    """Return the text of a task's artifacts."""
    artifacts: Sequence = task.get("artifacts", [])  # type: ignore[assignment]
    return "\n".join(part["text"] for artifact in artifacts for part in artifact["parts"] if "text" in part)


@contextlib.contextmanager
def hector_in(folder: Path) -> Iterator[Hector]:
    hector = Hector(folder)
    try:
        yield hector
    finally:
        hector.close()
