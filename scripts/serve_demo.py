"""Starts the quickstart's agent, asks it a question about this project's docs, and goes on serving.

    .venv/bin/python scripts/serve_demo.py [--once] [--port 8080]

Ctrl-C stops everything; --once stops after the answer. The exit code is 0 only if there was an answer.
"""

import argparse
import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
HECTOR = str(Path(sys.executable).with_name("hector"))
GRPC_PORT = 50051
CONFIG = "examples/quickstart/hector.yaml"
QUESTION = "How do services of the mesh call each other?"
READY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0


def main() -> None:
    """Serve, ask once, and follow the server until it ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--once", action="store_true", help="stop after the answer")
    parser.add_argument("--port", type=int, default=8080, help="port of the HTTP server (8080)")
    parser.add_argument("--question", default=QUESTION, help="what to ask")
    arguments = parser.parse_args()
    for polite in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(polite, stop_like_ctrl_c)
    try:
        with serving(arguments.port) as server:
            ask(arguments.question, f"http://127.0.0.1:{arguments.port}")
            if not arguments.once:
                call = "call" if arguments.port == 8080 else f"call --url http://127.0.0.1:{arguments.port}"
                say(f"\nServing until Ctrl-C. Ask more from a second terminal: .venv/bin/hector {call} TEXT")
                sys.exit(server.wait())
    except KeyboardInterrupt:
        say("Stopped.")


@contextlib.contextmanager
def serving(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run `hector serve` until the block ends; enter it once the server says that it is ready."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            sys.exit(f"make serve: port {port} is in use; choose another one: make serve PORT={port + 1}")
    command = [HECTOR, "serve", "--config", CONFIG, "--port", str(port)]
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", GRPC_PORT)) == 0:
            command += ["--grpc-port", "0"]  # somebody has it; the demo speaks HTTP, so any other will do
    say("$ " + " ".join(["hector", *command[1:]]))
    # In a group of its own: Ctrl-C then reaches the server once, by stop(), and not twice.
    with subprocess.Popen(command, cwd=ROOT, process_group=0) as server:
        try:
            wait_until_ready(server, f"http://127.0.0.1:{port}/ready")
            yield server
        finally:
            stop(server)


def wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    """Return when /ready answers 200; exit when the server ends first or takes too long."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    last = "no answer"
    while time.monotonic() < deadline:
        if server.poll() is not None:
            sys.exit(f"make serve: the server ended with code {server.returncode}; its message is above")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError as refusal:
            last = f"{refusal.code}: {refusal.read(500).decode(errors='replace')}"
        except OSError as failure:
            last = str(failure)
        time.sleep(0.1)
    sys.exit(f"make serve: {url} was not ready within {READY_TIMEOUT_S:.0f} s (last: {last})")


def ask(question: str, url: str) -> None:
    """Ask by the command line, as a person would; whole, as the server's log shares the terminal."""
    say(f'$ hector call "{question}"')
    try:
        asked = subprocess.run(
            [HECTOR, "call", "--no-stream", "--url", url, question],
            cwd=ROOT,
            timeout=ANSWER_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        sys.exit(f"make serve: no answer within {ANSWER_TIMEOUT_S:.0f} s")
    if asked.returncode != 0:
        sys.exit(f"make serve: hector call ended with code {asked.returncode}; its message is above")


def stop(server: subprocess.Popen[bytes]) -> None:
    """Let the server finish what it does, for a bounded time."""
    server.terminate()
    try:
        server.wait(STOP_TIMEOUT_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        server.kill()


def stop_like_ctrl_c(number: int, frame: FrameType | None) -> None:
    """Make `kill` and a closed terminal as polite as Ctrl-C."""
    raise KeyboardInterrupt


def say(line: str) -> None:
    """Print between the server's own lines, at once."""
    print(f"\n{line}" if line.startswith("$") else line, flush=True)


if __name__ == "__main__":
    main()
