"""`hector plugin logs`: what a plugin of a running server printed."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

import click

from .documented import Documented, flag
from .exits import ASKING
from .options import Source, format_option, server_options, source_of
from .running import run

EVERY_S = 0.5
"""How often a server is asked for new lines."""
MOST_LINES = 1000
"""What a server keeps of each plugin."""

Line = Mapping[str, Any]


@click.command(
    "logs",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector plugin logs search", "The last hundred lines, over all its restarts."),
        ("hector plugin logs search --follow", "And those that come, until Ctrl-C."),
        ("hector plugin logs search -n 1000 -f jsonl", "For a script."),
    ),
)
@click.argument("name")
@flag("--follow", is_flag=True, help="Go on with lines as they come.")
@flag(
    "-n",
    "--lines",
    type=click.IntRange(1, MOST_LINES),
    default=100,
    metavar="COUNT",
    help="How many lines at most, the last ones; a traceback is one of them, however long.",
)
@format_option("text", "jsonl")
@server_options
def command(name: str, follow: bool, lines: int, form: str, **options: Any) -> None:
    """Show what a plugin of a running server printed, with time, level, generation and pid.

    Secrets of its configuration are not in it. The server's own log has the same lines, from its level on.
    """
    run(_shown(source_of(options), name, lines, form, follow=follow))


async def _shown(source: Source, name: str, lines: int, form: str, *, follow: bool) -> None:
    async for line in _lines(source, name, lines, follow=follow):
        click.echo(json.dumps(line, ensure_ascii=False) if form == "jsonl" else spelled(line))


async def _lines(source: Source, name: str, lines: int, *, follow: bool) -> AsyncIterator[Line]:
    from .server import client

    path = f"/admin/plugins/{quote(name, safe='')}/logs"
    seen: dict[int, int] = {}  # by worker: each counts its own
    async with client(source) as server:
        found = (await server.page(f"{path}?lines={lines}"))["lines"]
        while True:
            for line in found:
                worker = line.get("worker", 0)
                if line["number"] > seen.get(worker, 0):
                    seen[worker] = line["number"]
                    yield line
            if not follow:
                return
            await asyncio.sleep(EVERY_S)
            found = (await server.page(f"{path}?lines={MOST_LINES}"))["lines"]
            last = {line.get("worker", 0): line["number"] for line in found}
            seen = {worker: number for worker, number in seen.items() if number <= last.get(worker, number)}


def spelled(line: Line) -> str:
    """Return a line for people; one with several, as a traceback, below its first."""
    level = logging.getLevelName(line["level"])
    first, _, more = line["text"].partition("\n")
    fields = {name: value for name, value in line["fields"].items() if name != "report"}
    facts = ", ".join(f"{name}={value}" for name, value in fields.items())
    head = f"{line['time']} {level:<7} [{line['generation']}/{line['pid']}] {first}"
    told = [head + (f" ({facts})" if facts else ""), *(more or line["fields"].get("report", "")).splitlines()]
    return "\n    ".join(told)
