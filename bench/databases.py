"""The same answers with the run log on a database server whose commits wait for the disk."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from figures import Figure
from load import Round
from one_process import CONFIG, TITLES, median, row
from plan import Plan
from processes import load, memory_mb, serving

SERVERS = {"postgresql": "PostgreSQL", "mariadb": "MariaDB"}
CLIENTS = (1, 32)


def databases(plan: Plan, model: int) -> tuple[list[Figure], list[Sequence[str]]]:
    """Answers a second, and what a server on such a database holds when it is idle."""
    figures: list[Figure] = []
    rows: list[Sequence[str]] = [TITLES]
    for kind, name in SERVERS.items():
        with durable(kind) as url:
            folder = plan.folder / kind
            folder.mkdir()
            config = CONFIG.format(port=model, pace="burst", streaming="true")
            (folder / "hector.yaml").write_text(f'{config}storage: {{database: "{url}"}}\n')
            with serving(folder):
                pass  # the tables are made
            rounds: dict[int, list[Round]] = {clients: [] for clients in CLIENTS}
            with serving(folder) as server:
                figures += [
                    Figure(f"{name}: start to ready", server.ready_s, "s"),
                    Figure(f"{name}: idle memory (PSS)", memory_mb(server.pids["hector"]), "MB"),
                ]
                for _ in range(plan.rounds):
                    for clients in CLIENTS:
                        words = ("--kind", "blocking", "--clients", str(clients), *plan.long)
                        rounds[clients].append(load(server.port, *words, pids=[server.pids["hector"]]))
            rows += [
                row(f"{name}, streaming model, blocking", clients, median(several))
                for clients, several in rounds.items()
            ]
    return figures, rows


@contextmanager
def durable(kind: str) -> Iterator[str]:
    """Start a server as the tests do, but one whose commits wait for the disk; gives a database's URL."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from support.databases import server_of_its_own

    with server_of_its_own(kind, durable=True) as server:
        server.run("CREATE DATABASE bench")
        yield server.url("bench")
