"""The same agent with its roles as separate processes on unix sockets."""

import json
import statistics
import tempfile

from figures import Figure
from load import Round
from one_process import CONFIG, CROWD, median, row
from plan import Plan
from processes import load, memory_mb, several

ROLES = ("reasoning", "llm", "tool", "agent", "gateway")


def mesh(plan: Plan, model: int) -> tuple[list[Figure], list[tuple[str, ...]]]:
    """Answers a second through five processes, what they add, and what each holds."""
    folder = plan.folder / "mesh"
    folder.mkdir()
    # Addresses of unix sockets are short, and a folder that was asked for need not be.
    with tempfile.TemporaryDirectory(prefix="hector-") as sockets:
        places = {role: f"unix://{sockets}/{role}.sock" for role in ROLES[:-1]}
        config = CONFIG.format(port=model, pace="burst", streaming="true")
        config += f"mesh: {json.dumps(places)}\n"
        (folder / "hector.yaml").write_text(config)
        arguments = {role: ["--role", role, "--listen", at] for role, at in places.items()}
        arguments["gateway"] = ["--role", "gateway"]
        with several(folder, arguments):
            pass  # the database is made
        rounds: dict[tuple[str, int], list[Round]] = {}
        direct = []
        with several(folder, arguments) as server:
            idle = {role: memory_mb(pid) for role, pid in server.pids.items()}
            for _ in range(plan.rounds):
                direct.append(load(model, "--kind", "model", "--clients", "1", *plan.long).p50_ms)
                for kind in ("blocking", "streamed"):
                    for clients in (1, CROWD):
                        words = ("--kind", kind, "--clients", str(clients), *plan.long)
                        done = load(server.port, *words, pids=[*server.pids.values()])
                        rounds.setdefault((kind, clients), []).append(done)
            after = {role: memory_mb(pid) for role, pid in server.pids.items()}
    middle = {key: median(done) for key, done in rounds.items()}
    rows = [
        ("mesh of processes, pacing: burst", "clients", "answers/s", "p50 ms", "p99 ms", "CPU ms", "errors")
    ]
    rows += [tuple(row(kind, clients, one)) for (kind, clients), one in middle.items()]
    rate, added = (
        middle["blocking", CROWD].answers_s,
        middle["blocking", 1].p50_ms - statistics.median(direct),
    )
    return [
        Figure(f"mesh of processes, blocking, {CROWD} clients", rate, "/s", 400, 600, more_is_better=True),
        Figure("mesh of processes, added p50, one client", added, "ms", 6),
        Figure("mesh of processes, errors", sum(one.errors for one in middle.values()), "", 0),
        *(Figure(f"memory of role {role}, idle (PSS)", mb, "MB") for role, mb in idle.items()),
        *(Figure(f"memory of role {role} afterwards (PSS)", mb, "MB") for role, mb in after.items()),
    ], rows
