"""The quickstart's own figures: examples/quickstart with this project's documents and the offline model."""

import shutil
import statistics
from pathlib import Path

from figures import Figure
from one_process import CROWD, median
from plan import Plan
from processes import load, memory_mb, serving

ROOT = Path(__file__).resolve().parents[1]
CONFIG = Path("examples", "quickstart", "hector.yaml")
QUESTION = ("--path", "/agents/assistant", "--text", "What is a mesh?", "--expect", "docs/")


def quickstart(plan: Plan, model: int) -> list[Figure]:
    """Start, memory and answers of what a newcomer runs; the first start makes the index."""
    folder = plan.folder / "quickstart"
    (folder / CONFIG).parent.mkdir(parents=True)
    shutil.copy(ROOT / CONFIG, folder / CONFIG)
    shutil.copytree(ROOT / "docs", folder / "docs")
    with serving(folder, "--config", str(CONFIG)) as server:
        first_s = server.ready_s
    starts = []
    for _ in range(plan.rounds):
        with serving(folder, "--config", str(CONFIG)) as server:
            starts.append(server.ready_s)
    with serving(folder, "--config", str(CONFIG)) as server:
        pid = server.pids["hector"]
        idle = memory_mb(pid)
        alone, crowd = (
            median(
                [
                    load(server.port, *QUESTION, "--clients", str(clients), *plan.long, pids=[pid])
                    for _ in range(plan.rounds)
                ]
            )
            for clients in (1, CROWD)
        )
        after = memory_mb(pid)
    return [
        Figure("quickstart: first start, with its index, to ready", first_s, "s"),
        Figure("quickstart: start to ready", statistics.median(starts), "s"),
        Figure("quickstart: idle memory (PSS)", idle, "MB"),
        Figure("quickstart: answer from documents, p50, one client", alone.p50_ms, "ms"),
        Figure(f"quickstart: answers, {CROWD} clients", crowd.answers_s, "/s", more_is_better=True),
        Figure("quickstart: errors", alone.errors + crowd.errors, "", 0),
        Figure("quickstart: memory afterwards (PSS)", after, "MB"),
    ]
