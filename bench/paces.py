"""Streams from models that take their time: a chunk in each turn of a loop, or every 20 ms like real ones."""

from collections.abc import Sequence

from figures import Figure
from one_process import folder_for, median, row
from plan import Plan
from processes import load, serving

PACES = {"tick": (1, 32), "d20": (1, 256)}
LEAST_S = 4.0
"""Of a round: a stream of 50 chunks takes a second when one comes every 20 ms."""

TITLES = ("streamed", "clients", "streams/s", "p50 ms", "p99 ms", "CPU ms", "errors")


def paces(plan: Plan, model: int) -> tuple[list[Figure], list[Sequence[str]]]:
    """Streams a second, and what one costs whose chunks come one by one. In d20 it lasts a second."""
    rows: list[Sequence[str]] = [TITLES]
    errors = 0
    for pace, crowds in PACES.items():
        with serving(folder_for(plan, f"pace-{pace}", model, pace=pace)) as server:
            pids = [server.pids["hector"]]
            for clients in crowds:
                words = ("--kind", "streamed", "--stamped", "--clients", str(clients))
                words += ("--seconds", str(max(plan.seconds, LEAST_S)))
                one = median([load(server.port, *words, pids=pids) for _ in range(plan.rounds)])
                rows.append(row(f"pacing: {pace}", clients, one))
                errors += one.errors
    return [Figure("errors in paced streams", errors, "", 0)], rows
