"""Three-step runs a second: a model that calls todo_write, the tool, and the model's answer."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from databases import durable
from figures import Figure
from load import Round
from plan import Plan
from processes import load, serving

CONFIG = """\
agents:
  bench: {{tools: [todo_write], streaming: false, instruction: Answer.}}
llms:
  default: {{provider: openai, base_url: "http://127.0.0.1:{port}/todo/v1", model: mock, api_key: none}}
storage: {{database: "{database}"}}
"""
CLIENTS = 32


def steps(plan: Plan, model: int) -> list[Figure]:
    """On SQLite with one process, and on PostgreSQL with two."""
    file = plan.folder / "steps.db"
    one = rates(plan, model, f"sqlite://{file}", 1)
    with durable("postgresql") as url:
        two = rates(plan, model, url, 2)
    errors = sum(each.errors for each in [*one, *two])
    return [
        Figure("three-step runs, SQLite", _sum(one), "/s", 250, 400, more_is_better=True),
        Figure("three-step runs, PostgreSQL, two replicas", _sum(two), "/s", 150, 250, more_is_better=True),
        Figure("errors in three-step runs", errors, "", 0),
    ]


def rates(plan: Plan, model: int, database: str, replicas: int) -> list[Round]:
    """Return the best of the rounds: one of each replica, all at the same time."""
    words = ("--kind", "blocking", "--clients", str(CLIENTS // replicas), *plan.long)
    config = CONFIG.format(port=model, database=database)
    best: list[Round] = []
    with ExitStack() as stack, ThreadPoolExecutor(replicas) as threads:
        servers = []
        for number in range(replicas):
            folder = folder_with(plan.folder / f"steps-{replicas}-{number}", config)
            servers.append(stack.enter_context(serving(folder)))
        for _ in range(plan.rounds):
            loads = [
                threads.submit(load, server.port, *words, pids=[server.pids["hector"]]) for server in servers
            ]
            found = [each.result() for each in loads]
            if _sum(found) > _sum(best):
                best = found
    return best


def folder_with(folder: Path, config: str) -> Path:
    folder.mkdir()
    (folder / "hector.yaml").write_text(config)
    return folder


def _sum(rounds: list[Round]) -> float:
    return sum(one.answers_s for one in rounds)
