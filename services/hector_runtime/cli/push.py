"""`hector task push`: how push notifications fare, and another go for webhooks that were given up."""

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from .documented import Documented, flag
from .exits import ASKING
from .options import Source, format_option, server_options, source_of
from .output import columns, cut
from .running import run

if TYPE_CHECKING:
    from hector_a2a.client import Client

STATES = ("active", "dead", "done")
Found = dict[str, Any]


@click.group("push")
def command() -> None:
    """Look at webhooks that are told of tasks, and drive deliveries anew.

    Everybody sees those of their own tasks, operators and admins those of all.
    """


@command.command(
    "list",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector task push list --state dead", "Webhooks that were given up, and why."),
        ("hector task push list --task 0198f3a2 -f json", "Those of one task, for a script."),
    ),
)
@flag("--state", type=click.Choice(STATES), help="Only those that are at work, given up, or through.")
@flag("--task", metavar="ID", default="", help="Only those of this task.")
@flag("--limit", type=click.IntRange(1, 100), default=20, help="At most this many.")
@flag("--page", metavar="TOKEN", default="", help="Go on where the last page ended.")
@format_option("text", "json")
@server_options
def list_(state: str | None, task: str, limit: int, page: str, form: str, **options: Any) -> None:
    """List webhooks, the oldest first."""
    source = source_of(options)
    found = run(_listed(source, state, task, limit, page))
    if form == "json":
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    configs = found.get("pushConfigs", [])
    for line in _table(configs):
        click.echo(line)
    if not configs:
        click.echo("No webhooks.", err=True)
    if found.get("nextPageToken"):
        click.echo(f"More with --page {found['nextPageToken']}", err=True)


@command.command(
    "retry",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector task push retry 0198f3a2", "Every webhook of a task that was given up."),
        (
            "hector task push retry 0198f3a2 mine",
            "One of them; what waits for its next attempt waits no longer.",
        ),
    ),
)
@click.argument("task", metavar="TASK_ID")
@click.argument("config", metavar="[CONFIG]", default="")
@format_option("text", "json")
@server_options
def retry(task: str, config: str, form: str, **options: Any) -> None:
    """Take deliveries up where they stand."""
    source = source_of(options)
    taken_up = run(_retried(source, task, config))
    if form == "json":
        click.echo(json.dumps({"pushConfigs": taken_up}, ensure_ascii=False, indent=2))
        return
    for one in taken_up:
        click.echo(f"Webhook {one['id']} of task {one['run']} is taken up again.")
    if not taken_up:
        click.echo(f"No webhook of task {task} was given up. Nothing was left to do.")


async def _listed(source: Source, state: str | None, task: str, limit: int, page: str) -> Found:
    from .server import client

    async with client(source) as found:
        return await _page(found, state, task, limit, page)


async def _retried(source: Source, task: str, config: str) -> list[Found]:
    from .server import client

    async with client(source) as server:
        names = [config] if config else await _given_up(server, task)
        return [
            await server.page(f"/api/push/retry?{urlencode({'run': task, 'id': name})}", verb="POST")
            for name in names
        ]


async def _given_up(server: "Client", task: str) -> list[str]:
    found = await _page(server, "dead", task, 100, "")  # more than a task may have
    return [one["id"] for one in found.get("pushConfigs", ())]


async def _page(server: "Client", state: str | None, task: str, limit: int, page: str) -> Found:
    query: dict[str, object] = {"pageSize": limit}
    if state:
        query["state"] = f"PUSH_STATE_{state.upper()}"
    if task:
        query["run"] = task
    if page:
        query["pageToken"] = page
    return await server.page(f"/api/push?{urlencode(query)}")


def _table(configs: list[Found]) -> list[str]:
    if not configs:
        return []
    lines = [("TASK", "CONFIG", "AGENT", "STATE", "TRIES", "WEBHOOK", "WHY")]
    for one in configs:
        state = one.get("state", "").removeprefix("PUSH_STATE_").lower()
        shown = (one["run"], one["id"], one["agent"], state, str(one.get("attempts", 0)), one["url"])
        lines.append((*shown, one.get("error", "")))
    widths = [max(len(row[at]) for row in lines) for at in range(6)]
    room = max(columns(), sum(widths) + 70)
    cells = (
        [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[6]] for row in lines
    )
    return [cut("  ".join(row).rstrip(), room) for row in cells]
