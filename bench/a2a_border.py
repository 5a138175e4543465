"""The whole way of a request, from the border to the store and back, with an agent that needs no network.

Beside it a2a-sdk's own server with the same agent under the same load, in the same run. For one number:
python bench a2a --only sends --memory --clients 32 --seconds 3 --rounds 1 --no-peer [--profile]
"""

import json
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from a2a_asks import BINDINGS, GRPC, JSON_RPC, KINDS, PAGE, ask
from a2a_load import Round
from a2a_profile import profiled
from beside import installed
from figures import Figure, number
from plan import Plan
from processes import BENCH, environment, free_port, memory_mb, serving, stop, wait_until_ready
from yardstick import yardstick

CROWD = 32
IDLE, FEW = 1_000, 50
MEMORY, DURABLE = "in memory", "durable"
STORES = {MEMORY: "inmemory", DURABLE: "sqlite://.hector/hector.db"}
CONFIG = """\
agents: {{bench: {{type: custom, handler: "a2a_agent:answer"}}}}
storage: {{database: "{database}"}}
"""
TITLES = ("", "binding", "clients", "/s", "events/s", "p50 ms", "p99 ms", "CPU ms", "errors")
PEERS_TITLES = ("a2a-sdk /s", "p50 ms")
TOLD = {
    "sends": "blocking sends",
    "streams": "streams of one chunk",
    "chunks": "streams of 20 chunks",
    "pieces": "streams of 20 artifact pieces",
    "immediate": "sends, returnImmediately",
    "gets": "GetTask",
    "lists": f"ListTasks, {PAGE} of a page",
}
WRITING = ("sends", "streams", "chunks", "pieces")
"""What is measured durable, too; the rest only reads."""
BARS = {
    ("sends", MEMORY): (3000, 5000),
    ("sends", DURABLE): (1800, None),
    ("streams", MEMORY): (2500, 3500),
    ("gets", MEMORY): (4000, None),
}
"""Required and aimed at, a second, over JSON-RPC with 32 clients."""

Key = tuple[str, str, str, int]
"""Kind, store, binding, clients."""


@dataclass(frozen=True)
class Target:
    """A server that is measured."""

    port: int
    grpc_port: int
    pid: int
    task: str
    """One that is there to be got."""
    context: str
    """Has a page of tasks."""


def border(plan: Plan, model: int) -> tuple[list[Figure], list[Sequence[str]]]:
    """Every kind of call over every binding; a table and the figures that count."""
    _allow_many_files()
    ours, theirs = defaultdict[Key, list[Round]](list), defaultdict[Key, list[Round]](list)
    figures: list[Figure] = []
    for store in plan.stores or tuple(STORES):
        with hector(plan, store) as target:
            measure(plan, store, target, ours, plan.clients)
            if store == MEMORY and (not plan.only or "idle" in plan.only):
                figures += idle(target, "Hector", 50, 30)
        if plan.peer:
            with sdk(plan, store) as target:
                measure(plan, store, target, theirs, (CROWD,))
                if store == MEMORY and (not plan.only or "idle" in plan.only):
                    figures += idle(target, "a2a-sdk")
    middle = {key: median(rounds) for key, rounds in ours.items()}
    beside = {key: median(rounds) for key, rounds in theirs.items()}
    rows: list[Sequence[str]] = [(*TITLES, *PEERS_TITLES)] if middle else []
    rows += [row(key, one, beside.get(key)) for key, one in middle.items()]
    return held_to(middle) + figures + yardstick(plan, model), rows


def held_to(middle: dict[Key, Round]) -> list[Figure]:
    figures = []
    for (kind, store), bars in BARS.items():
        if one := middle.get((kind, store, JSON_RPC, CROWD)):
            told = f"{TOLD[kind]}, {store}, {CROWD} clients"
            figures.append(Figure(told, one.answers_s, "/s", *bars, more_is_better=True))
            figures.append(Figure(f"p99 over p50: {told}", one.p99_ms / max(one.p50_ms, 0.001), "", 4))
    if one := middle.get(("chunks", MEMORY, JSON_RPC, CROWD)):
        chunks = one.answers_s * KINDS["chunks"][1]
        figures.append(Figure("chunks of text delivered", chunks, "/s", 20_000, more_is_better=True))
    if one := middle.get(("pieces", MEMORY, JSON_RPC, CROWD)):
        figures.append(Figure("events delivered", one.events_s, "/s", 20_000, more_is_better=True))
    for clients in (1, CROWD):
        if one := middle.get(("immediate", MEMORY, JSON_RPC, clients)):
            figures.append(Figure(f"p50 of returnImmediately, clients: {clients}", one.p50_ms, "ms", 5))
    if middle:
        figures.append(Figure("errors of the border", sum(one.errors for one in middle.values()), "", 0))
    return figures


def measure(
    plan: Plan, store: str, target: Target, into: dict[Key, list[Round]], clients: Sequence[int]
) -> None:
    """Run every round that is asked for; over the other bindings with one number of clients only."""
    kinds = plan.only or (tuple(KINDS) if store == MEMORY else WRITING)
    for kind in kinds:
        if kind not in KINDS:
            continue
        for binding in plan.bindings or BINDINGS:
            crowds = clients if binding == JSON_RPC or plan.bindings else [c for c in clients if c == CROWD]
            for crowd in crowds:
                for _ in range(plan.rounds):
                    with profiled(target.pid, plan.seconds, plan.profile and clients is plan.clients):
                        into[kind, store, binding, crowd].append(load(plan, target, kind, binding, crowd))


def load(plan: Plan, target: Target, kind: str, binding: str, clients: int) -> Round:
    """Run one round of clients in a process of its own."""
    port = target.grpc_port if binding == GRPC else target.port
    known = {"gets": target.task, "lists": target.context}.get(kind, "")
    words = ["--kind", kind, "--binding", binding, "--known", known, "--clients", str(clients), *plan.long]
    command = [sys.executable, str(BENCH / "a2a_load.py"), "--port", str(port), *words]
    done = subprocess.run(
        [*command, "--pids", str(target.pid)], stdout=subprocess.PIPE, check=False, text=True
    )
    if done.returncode != 0:
        sys.exit(f"bench: the clients failed: {' '.join(command)}")
    found = Round(**json.loads(done.stdout))
    if found.errors:
        print(
            f"bench: {found.errors} errors ({kind}, {binding}); the first: {found.example}", file=sys.stderr
        )
    return found


@contextmanager
def hector(plan: Plan, store: str) -> Iterator[Target]:
    """Run `hector serve`, as it comes, around the bench's agent."""
    folder = plan.folder / f"border-{store.replace(' ', '-')}"
    folder.mkdir()
    shutil.copy(BENCH / "a2a_agent.py", folder)
    (folder / "hector.yaml").write_text(CONFIG.format(database=STORES[store]))
    grpc_port = free_port()
    with serving(folder, grpc_port=grpc_port) as server:
        yield prepared(server.port, grpc_port, server.pids["hector"])


@contextmanager
def sdk(plan: Plan, store: str) -> Iterator[Target]:
    """Run a2a-sdk's server around the bench's agent."""
    folder = plan.folder / f"sdk-{store.replace(' ', '-')}"
    folder.mkdir()
    port, grpc_port, log = free_port(), free_port(), folder / "log"
    command = [installed(), BENCH / "peers" / "a2a_sdk_echo.py", str(port), str(grpc_port), folder]
    with log.open("w") as output:
        words = [*command, *(["--durable"] if store == DURABLE else [])]
        process = subprocess.Popen(words, env=environment(), stdout=output, stderr=output)
    try:
        wait_until_ready(port, process, log)
        yield prepared(port, grpc_port, process.pid)
    finally:
        stop(process)


def prepared(port: int, grpc_port: int, pid: int) -> Target:
    """Make tasks that can be got and listed."""
    task = _sent(port)
    for _ in range(PAGE * 2):
        _sent(port, contextId=task["contextId"])
    return Target(port, grpc_port, pid, task["id"], task["contextId"])


def _sent(port: int, **more: str) -> dict[str, str]:
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "1"}], **more}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    headers = {"Content-Type": "application/json", "A2A-Version": "1.0"}
    url = f"http://127.0.0.1:{port}/agents/bench"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
        found: dict[str, str] = json.load(answer)["result"]["task"]
        return found


def idle(target: Target, who: str, *bars: float) -> list[Figure]:
    """What a stream costs on which nothing happens, with its task, once there have been some."""
    with _streams(target.port, FEW):
        before = memory_mb(target.pid)
        with _streams(target.port, IDLE):
            each = (memory_mb(target.pid) - before) * 1024 / IDLE
    return [Figure(f"{who}: each of {IDLE:,} idle streams (PSS)", each, "KiB", *bars)]


@contextmanager
def _streams(port: int, many: int) -> Iterator[None]:
    """Open streams, wait for the first word of each, and leave when the block ends."""
    request, lines = ask("streams", JSON_RPC, text="wait").request, []
    try:
        for _ in range(many):
            line = socket.create_connection(("127.0.0.1", port), timeout=20)
            lines.append(line)
            line.sendall(request)
        for line in lines:
            said = b""
            while b"w0 " not in said:
                more = line.recv(65536)
                if not more:
                    sys.exit(f"bench: a stream ended before its first word: {said!r}")
                said += more
        yield
    finally:
        for line in lines:
            line.close()


def median(rounds: Sequence[Round]) -> Round:
    """Return the median of each number; of errors all."""
    numbers = [{k: v for k, v in asdict(one).items() if k != "example"} for one in rounds]
    middle = {name: statistics.median(one[name] for one in numbers) for name in numbers[0]}
    middle["errors"] = sum(one.errors for one in rounds)
    return Round(**middle)


def row(key: Key, one: Round, other: Round | None) -> Sequence[str]:
    kind, store, binding, clients = key
    events = f"{one.events_s:,.0f}" if one.events_s else ""
    theirs = (f"{other.answers_s:,.0f}", number(other.p50_ms)) if other else ("", "")
    return (
        f"{TOLD[kind]}, {store}",
        binding,
        str(clients),
        f"{one.answers_s:,.0f}",
        events,
        number(one.p50_ms),
        number(one.p99_ms),
        f"{one.cpu_ms:.2f}",
        f"{one.errors:.0f}",
        *theirs,
    )


def _allow_many_files() -> None:
    """Let this process and its children open as many connections as the machine allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
