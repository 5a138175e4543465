"""The processes that are measured: how they start, get ready, how much memory they hold, how they stop."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from load import Round

BENCH = Path(__file__).parent
HECTOR = str(Path(sys.executable).with_name("hector"))
READY_S = 60.0
STOP_S = 30.0
PROBE = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Server:
    """A `hector serve` that is ready, of one process or of several."""

    port: int
    ready_s: float
    pids: dict[str, int]
    """By role; one process of all roles is called "hector"."""


def environment() -> dict[str, str]:
    """Return the environment without the machine's own keys, addresses and settings of Hector."""
    foreign = re.compile(r"(OPENAI|ANTHROPIC|GEMINI|OLLAMA|HECTOR)_")
    return {name: value for name, value in os.environ.items() if not foreign.match(name)}


@contextmanager
def mock_model() -> Iterator[int]:
    """Run the mock model and give its port."""
    with ExitStack() as stack:
        command = [sys.executable, str(BENCH / "mock_model.py")]
        model = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        stack.callback(model.terminate)
        assert model.stdout is not None
        yield int(model.stdout.readline())


@contextmanager
def serving(folder: Path, *arguments: str, grpc_port: int = 0) -> Iterator[Server]:
    """Run the whole of Hector in one process, in a folder that has a hector.yaml or with --config."""
    with several(folder, {"hector": list(arguments)}, grpc_port) as server:
        yield server


@contextmanager
def several(folder: Path, arguments: dict[str, Sequence[str]], grpc_port: int = 0) -> Iterator[Server]:
    """Run a `hector serve` for each list of arguments; the last is the gateway, and ready when all are."""
    port = free_port()
    pids: dict[str, int] = {}
    with ExitStack() as stack:
        began = time.perf_counter()
        for name, words in arguments.items():
            log = folder / f"{name}.log"
            command = [HECTOR, "serve", *words]
            if name == list(arguments)[-1]:
                command += ["--port", str(port), "--grpc-port", str(grpc_port)]
            with log.open("w") as output:
                process = subprocess.Popen(
                    command, cwd=folder, env=environment(), stdout=output, stderr=output, process_group=0
                )
            stack.callback(stop, process)
            pids[name] = process.pid
        wait_until_ready(port, process, log)
        yield Server(port, time.perf_counter() - began, pids)


def wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
                probe.sendall(PROBE)
                if probe.recv(64).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.002)
    sys.exit(f"bench: `hector serve` did not get ready; it said:\n{log.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def load(port: int, *words: str, pids: Sequence[int] = ()) -> Round:
    """Run one round of clients in a process of its own; see load.py for the words."""
    command = [sys.executable, str(BENCH / "load.py"), "--port", str(port), *words]
    done = subprocess.run(
        [*command, "--pids", *map(str, pids)], stdout=subprocess.PIPE, check=False, text=True
    )
    if done.returncode != 0:
        sys.exit(f"bench: the clients failed: {' '.join(command)}")
    found = Round(**json.loads(done.stdout))
    if found.errors:
        print(
            f"bench: {found.errors} errors ({' '.join(words)}); the first: {found.example}", file=sys.stderr
        )
    return found


def memory_mb(pid: int) -> float:
    """Return the proportional set size: what is shared with other processes counts in part."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
