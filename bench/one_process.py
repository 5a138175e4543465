"""One `hector serve` of all roles: its start, its memory, and the answers it gives."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from figures import Figure, number
from load import Round, cpu_of
from plan import Plan
from processes import load, memory_mb, serving

CONFIG = """\
agents:
  bench: {{tools: [], streaming: {streaming}, instruction: Answer.}}
llms:
  default: {{provider: openai, base_url: "http://127.0.0.1:{port}/{pace}/v1", model: mock, api_key: none}}
"""
KINDS = {
    "streaming model, blocking": ("blocking", "true"),
    "streaming model, streamed": ("streamed", "true"),
    "whole-answer model, blocking": ("blocking", "false"),
}
BARS = {
    "streaming model, blocking": (900, 1500),
    "streaming model, streamed": (700, 1200),
    "whole-answer model, blocking": (1300, 2000),
}
CROWD = 32
TITLES = ("pacing: burst", "clients", "answers/s", "p50 ms", "p99 ms", "CPU ms", "errors")


def folder_for(plan: Plan, name: str, model: int, *, pace: str = "burst", streaming: str = "true") -> Path:
    """Make a folder with the bench's config and a database that is migrated."""
    folder = plan.folder / name
    folder.mkdir()
    (folder / "hector.yaml").write_text(CONFIG.format(port=model, pace=pace, streaming=streaming))
    with serving(folder):
        pass
    return folder


def starts(plan: Plan, model: int) -> list[Figure]:
    """Cold start to ready, and what an idle server holds."""
    folder = folder_for(plan, "starts", model)
    ready, cpu, idle = [], [], []
    for _ in range(plan.starts):
        with serving(folder) as server:
            ready.append(server.ready_s)
            cpu.append(cpu_of(server.pids["hector"]))
            idle.append(memory_mb(server.pids["hector"]))
    return [
        Figure("start to ready", statistics.median(ready), "s", 0.55, 0.35),
        Figure("CPU time of a start", statistics.median(cpu), "s"),
        Figure("idle memory (PSS)", statistics.median(idle), "MB", 80, 66),
    ]


def answers(plan: Plan, model: int) -> tuple[list[Figure], list[Sequence[str]]]:
    """Answers a second by kind and number of clients; a table and the figures that count."""
    rounds: dict[tuple[str, int], list[Round]] = {}
    direct: list[Round] = []
    folders = {
        streaming: folder_for(plan, f"streaming-{streaming}", model, streaming=streaming)
        for streaming in ("true", "false")
    }
    for _ in range(plan.rounds):
        direct.append(load(model, "--kind", "model", "--clients", "1", *plan.long))
        for name, (kind, streaming) in KINDS.items():
            with serving(folders[streaming]) as server:
                for clients in plan.clients:
                    words = ("--kind", kind, "--clients", str(clients), *plan.long)
                    done = load(server.port, *words, pids=[server.pids["hector"]])
                    rounds.setdefault((name, clients), []).append(done)
    middle = {key: median(several) for key, several in rounds.items()}
    rows: list[Sequence[str]] = [TITLES, row("the mock model itself", 1, median(direct))]
    rows += [row(name, clients, one) for (name, clients), one in middle.items()]
    return held_to(middle, median(direct)), rows


def held_to(middle: dict[tuple[str, int], Round], direct: Round) -> list[Figure]:
    first = next(iter(KINDS))
    figures = []
    if (first, 1) in middle:
        added = middle[first, 1].p50_ms - direct.p50_ms
        figures.append(Figure("added p50 over the mock, one client", added, "ms", 2.5, 1))
    for name, bars in BARS.items():
        if (name, CROWD) in middle:
            rate = middle[name, CROWD].answers_s
            figures.append(Figure(f"{name}, {CROWD} clients", rate, "/s", *bars, more_is_better=True))
    for name in BARS:
        if (name, CROWD) in middle:
            one = middle[name, CROWD]
            figures.append(
                Figure(f"p99 over p50: {name}, {CROWD} clients", one.p99_ms / max(one.p50_ms, 0.001), "", 4)
            )
    errors = sum(one.errors for one in middle.values())
    figures.append(Figure(f"errors, up to {max(clients for _, clients in middle)} clients", errors, "", 0))
    return figures


def growth(plan: Plan, model: int) -> list[Figure]:
    """What many answers leave in memory."""
    few, many = plan.answers
    with serving(folder_for(plan, "growth", model)) as server:
        pid = server.pids["hector"]
        words = ("--clients", str(CROWD), "--warm-up", "0", "--answers")
        load(server.port, *words, str(few))
        before = memory_mb(pid)
        load(server.port, *words, str(many - few))
        after = memory_mb(pid)
    return [
        Figure(f"memory after {few:,} answers (PSS)", before, "MB"),
        Figure(f"more after {many:,} answers", after - before, "MB", 5),
    ]


def first_word(plan: Plan, model: int) -> list[Figure]:
    """How long after it left the model the first word reaches the only client."""
    folder = folder_for(plan, "first-word", model, pace="d2")
    through, direct = [], []
    with serving(folder) as server:
        for _ in range(plan.rounds):
            words = ("--clients", "1", "--stamped", *plan.long)
            direct.append(load(model, "--kind", "model", "--path", "/d2/v1", *words).first_ms)
            through.append(load(server.port, "--kind", "streamed", *words).first_ms)
    itself = statistics.median(direct)
    told = f"first word after the model's, a chunk every 2 ms (without Hector: {itself:.2f} ms)"
    return [Figure(told, statistics.median(through), "ms", 1.5)]


def median(rounds: Sequence[Round]) -> Round:
    """Return the median of each number; of errors all."""
    numbers = [{k: v for k, v in asdict(one).items() if k != "example"} for one in rounds]
    middle = {name: statistics.median(one[name] for one in numbers) for name in numbers[0]}
    middle["errors"] = sum(one.errors for one in rounds)
    return Round(**middle)


def row(name: str, clients: int, one: Round) -> Sequence[str]:
    rate, errors = f"{one.answers_s:,.0f}", f"{one.errors:.0f}"
    return (name, str(clients), rate, number(one.p50_ms), number(one.p99_ms), f"{one.cpu_ms:.2f}", errors)
