"""`hector task queue` and `dead`: what operators look at."""

import json
import sys
from typing import Any
from urllib.parse import urlencode

import click

from .documented import Documented, flag
from .exits import ASKING
from .options import format_option, server_options, source_of
from .output import columns, cut
from .running import run
from .task_commands import managed

_COUNTS = ("due", "working", "sleeping", "waiting", "orphaned", "dead")


@click.command(
    "queue",
    cls=Documented,
    exits=ASKING,
    examples=(("hector task queue", "What there is to be done, and who does it."),),
)
@format_option("text", "json")
@server_options
def queue(form: str, **options: Any) -> None:
    """Count the tasks that are not over, of all users, and list the processes that work. For operators."""
    from hector.agent.v1 import GetQueueStatsRequest

    request, path = GetQueueStatsRequest(), "/admin/queue/stats"
    found = run(managed(source_of(options), "GetQueueStats", request, path, is_whole=True))
    if form == "json":
        click.echo(json.dumps(found, indent=2))
        return
    rows = [*found.get("agents", []), found.get("total", {}) | {"agent": "all"}]
    width = max(len("AGENT"), *(len(row.get("agent", "")) for row in rows))
    click.echo(f"{'AGENT':<{width}}" + "".join(f"{name.upper():>10}" for name in _COUNTS))
    for row in rows:
        counts = "".join(f"{row.get(name, 0)!s:>10}" for name in _COUNTS)
        click.echo(f"{row.get('agent', ''):<{width}}{counts}")
    if waited_ms := int(found.get("oldestDueMs", 0)):
        click.echo(f"The first of the due ones has waited for {waited_ms / 1000:.1f} s.")
    for worker in found.get("workers", []):
        lease = "" if worker.get("alive") else ", its lease is over"
        where = f"{worker.get('host', '?')}, pid {worker.get('pid', 0)}"
        click.echo(f"{worker.get('name', '')} ({where}) has {worker.get('runs', 0)}{lease}")


@click.command(
    "dead",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector task dead", "Tasks that nobody tries again, and why."),
        ("hector task dead --agent writer -f json", "One agent's, for a script."),
    ),
)
@flag("-a", "--agent", metavar="NAME", default="", help="Only this agent's.")
@flag("--requeued", is_flag=True, help="Those that were tried again, too.")
@flag("--limit", type=click.IntRange(1, 100), default=20, help="At most this many.")
@flag("--page", metavar="TOKEN", default="", help="Go on where the last page ended.")
@format_option("text", "json")
@server_options
def dead(agent: str, requeued: bool, limit: int, page: str, form: str, **options: Any) -> None:
    """List tasks that were given up, of all users, the latest first; `requeue` has one tried again.

    For operators.
    """
    from hector.agent.v1 import ListDeadLettersRequest

    request = ListDeadLettersRequest(agent=agent, requeued=requeued, page_size=limit, page_token=page)
    said = {"agent": agent, "requeued": "true" if requeued else "", "pageSize": limit, "pageToken": page}
    query = urlencode({name: value for name, value in said.items() if value})
    path = f"/admin/queue/dlq?{query}"
    found = run(managed(source_of(options), "ListDeadLetters", request, path, is_whole=True))
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    letters = found.get("deadLetters", [])
    for letter in letters:
        again = f"  requeued as {letter['requeuedAs']}" if letter.get("requeuedAs") else ""
        about = f"{letter.get('agent', '')}  {letter.get('owner', '') or '-'}  {letter.get('reason', '')}"
        line = f"{letter.get('run', '')}  {about} x{letter.get('attempts', 0)}{again}"
        whole = f"{line}  {letter.get('message', '')}"
        click.echo(cut(whole, max(columns(), len(line) + 20)) if sys.stdout.isatty() else whole)
    if not letters:
        click.echo("No dead letters.", err=True)
    if found.get("nextPageToken"):
        click.echo(f"More with --page {found['nextPageToken']}", err=True)
