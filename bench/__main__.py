"""Prints the numbers that Hector is held to, measured here and now: make bench [ARGS="--quick"].

It starts a mock model, `hector serve` in one process and as a mesh of processes, and clients; all share
this machine, so read numbers as ratios. Databases are SQLite files with synchronous=FULL. Every answer is
checked to be whole. Each number is the median of its rounds.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import a2a_border
import beside
import databases
import durable
import many_processes
import one_process
import paces
import plugins
import quickstart
import runs
import sandboxes
import yardstick
from figures import Figure, table, table_of
from plan import Plan
from processes import mock_model

Part = Callable[[Plan, int], "list[Figure] | tuple[list[Figure], list[Sequence[str]]]"]
PARTS: dict[str, Part] = {
    "start": one_process.starts,
    "answers": one_process.answers,
    "first-word": one_process.first_word,
    "paces": paces.paces,
    "growth": one_process.growth,
    "events": durable.events,
    "mesh": many_processes.mesh,
    "quickstart": quickstart.quickstart,
    "databases": databases.databases,
    "peers": beside.peers,
    "a2a": a2a_border.border,
    "runs": runs.runs,
    "plugins": plugins.plugins,
    "sandboxes": sandboxes.sandboxes,
    "yardstick": yardstick.yardstick,
}
ASKED = ("databases", "peers", "a2a", "runs", "plugins", "sandboxes", "yardstick")
"""Parts that take more, of time or of the machine."""
UNASKED = [name for name in PARTS if name not in ASKED]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"of {', '.join(PARTS)}; all but {', '.join(ASKED)} if left out",
    )
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each round")
    parser.add_argument("--clients", type=int, nargs="+", help="how many at once")
    parser.add_argument("--answers", type=int, nargs=2, help="after how many of them memory is looked at")
    parser.add_argument(
        "--folder", type=Path, help="where databases are made; a temporary folder if left out"
    )
    of_runs = parser.add_argument_group("of the part runs")
    of_runs.add_argument(
        "--kind", nargs="+", choices=runs.KINDS, default=[], dest="kinds", help="what is measured"
    )
    a2a = parser.add_argument_group("of the part a2a")
    kinds = (*a2a_border.KINDS, "idle")
    a2a.add_argument("--only", nargs="+", choices=kinds, default=[], help="what is measured")
    a2a.add_argument("--binding", nargs="+", choices=a2a_border.BINDINGS, default=[])
    a2a.add_argument("--memory", action="append_const", dest="stores", const=a2a_border.MEMORY)
    a2a.add_argument("--durable", action="append_const", dest="stores", const=a2a_border.DURABLE)
    a2a.add_argument("--no-peer", action="store_false", dest="peer", help="without a2a-sdk's server")
    a2a.add_argument("--profile", action="store_true", help="print where the server spends its time")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument("--strict", action="store_true", help="fail when a required number is missed")
    given = parser.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(unknown)}; the parts are {', '.join(PARTS)}")
    with (
        tempfile.TemporaryDirectory(prefix="hector-bench-", dir=given.folder) as folder,
        mock_model() as model,
    ):
        figures, tables = measured(plan_of(given, Path(folder)), model, given.parts or UNASKED)
    if given.json:
        told = [{**asdict(one), "met": one.met} for one in figures]
        print(json.dumps({"figures": told, "tables": tables}, indent=2, ensure_ascii=False))
    else:
        for rows in tables:
            print(f"\n{table(rows)}")
        if figures:
            print(f"\n{table_of(figures)}")
    sys.exit(1 if given.strict and any(one.met is False for one in figures) else 0)


def plan_of(given: argparse.Namespace, folder: Path) -> Plan:
    quick = {
        "rounds": 1,
        "seconds": 1.0,
        "warm_up_s": 0.2,
        "starts": 3,
        "clients": (1, 32),
        "answers": (500, 2_000),
    }
    chosen = {
        "rounds": given.rounds,
        "seconds": given.seconds,
        "clients": given.clients and tuple(given.clients),
        "answers": given.answers and tuple(given.answers),
        "only": tuple(given.only) or tuple(given.kinds),
        "stores": tuple(given.stores or ()),
        "bindings": tuple(given.binding),
        "profile": given.profile,
    }
    changes = {name: value for name, value in chosen.items() if value} | {"peer": given.peer}
    return Plan(folder, **{**(quick if given.quick else {}), **changes})  # type: ignore[arg-type]


def measured(plan: Plan, model: int, parts: Sequence[str]) -> tuple[list[Figure], list[list[Sequence[str]]]]:
    figures: list[Figure] = []
    tables: list[list[Sequence[str]]] = []
    for name in parts:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        found = PARTS[name](plan, model)
        if isinstance(found, tuple):
            found, rows = found
            tables += [rows] if rows else []
        figures += found
    return figures, tables


if __name__ == "__main__":
    main()
