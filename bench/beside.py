"""Peers under the same load beside Hector: same mock, same clients, durable on SQLite (synchronous=FULL)."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from load import Round
from one_process import TITLES, folder_for, median, row
from plan import Plan
from processes import BENCH, environment, free_port, load, memory_mb, serving, stop, wait_until_ready

PEERS = {"a2a-sdk, SQL store": "a2a_sdk.py", "LangGraph, SQLite checkpoints": "langgraph_graph.py"}
CLIENTS = (1, 32)
HOME = BENCH.parent / ".cache" / "peers"


def peers(plan: Plan, model: int) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """Answers a second of each; nothing is required of them, so there are no figures, only the table."""
    python = installed()
    rows: list[Sequence[str]] = [TITLES]
    with serving(folder_for(plan, "beside-hector", model)) as server:
        rows += measured("Hector", server.port, server.pids["hector"], plan)
    for name, script in PEERS.items():
        folder = plan.folder / script
        folder.mkdir()
        with peer(python, script, folder, model) as (port, pid):
            rows += measured(name, port, pid, plan)
            print(f"{name}: {memory_mb(pid):.0f} MB (PSS) afterwards", file=sys.stderr)
    return [], rows


def measured(name: str, port: int, pid: int, plan: Plan) -> Iterator[Sequence[str]]:
    for kind in ("blocking", "streamed"):
        for clients in CLIENTS:
            words = ("--kind", kind, "--clients", str(clients), *plan.long)
            rounds: list[Round] = [load(port, *words, pids=[pid]) for _ in range(plan.rounds)]
            yield row(f"{name}, {kind}", clients, median(rounds))


@contextmanager
def peer(python: Path, script: str, folder: Path, model: int) -> Iterator[tuple[int, int]]:
    port, log = free_port(), folder / "log"
    command = [python, BENCH / "peers" / script, str(port), f"http://127.0.0.1:{model}/burst/v1", folder]
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment(), stdout=output, stderr=output)
    try:
        wait_until_ready(port, process, log)
        yield port, process.pid
    finally:
        stop(process)


def installed() -> Path:
    """Make the peers' own environment if there is none, with compiled bytecode; return its interpreter."""
    python, asked = HOME / "bin" / "python", BENCH / "peers" / "requirements.txt"
    done = HOME / "installed.txt"
    if not done.exists() or done.read_text() != asked.read_text():
        uv = Path(sys.executable).with_name("uv")
        quietly = {**os.environ, "UV_COMPILE_BYTECODE": "1"}
        subprocess.run([uv, "venv", "--quiet", "--clear", HOME], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", python, "-r", asked], check=True, env=quietly
        )
        done.write_text(asked.read_text())
    return python
