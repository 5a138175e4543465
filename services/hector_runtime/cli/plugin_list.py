"""`hector plugin list`: the plugins of a server, or of a config file."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from .documented import Documented
from .exits import ASKING
from .options import Source, config_option, format_option, server_options, source_of
from .output import columns, cut
from .running import attempt, run

Found = dict[str, Any]


@click.command(
    "list",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector plugin list", "How the plugins of the running server are."),
        ("hector plugin list -c hector.yaml", "What a file says of plugins; nothing is started or asked."),
        ("hector plugin list -f json", "For a script."),
    ),
)
@config_option
@format_option("text", "json")
@server_options
def command(config_file: Path | None, form: str, **options: Any) -> None:
    """List plugins: state, version, restarts, what confines them, and what is wrong with those not well.

    With a config file: those that it declares or that discovery finds, and what refers to them. What
    discovery found and cannot use is told after them, each with the reason.
    """
    if config_file is not None:
        found, passed_over = attempt(lambda: _declared(config_file))
        rows = [("PLUGIN", "KIND", "RUNS", "USED BY"), *map(_declared_row, found)]
    else:
        found, passed_over = run(_running(source_of(options)))
        rows = [("PLUGIN", "STATE", "VERSION", "GEN", "CRASHES", "SANDBOX", "WHY"), *map(_row, found)]
        if any("worker" in one for one in found):
            of_workers = ("WORKER", *(str(one.get("worker", "-")) for one in found))
            rows = [(row[0], worker, *row[1:]) for row, worker in zip(rows, of_workers, strict=True)]
    if form == "json":
        both = {"plugins": found, "passed_over": passed_over}
        click.echo(json.dumps(both, ensure_ascii=False, indent=2))
        return
    for line in _table(rows) if found else ():
        click.echo(line)
    if not found:
        click.echo("No plugins.", err=True)
    for why in passed_over:
        click.echo(f"passed over: {why}", err=True)


async def _running(source: Source) -> tuple[list[Found], list[str]]:
    from .server import client

    async with client(source) as server:
        page = await server.page("/admin/plugins")
        return page["plugins"], page.get("passed_over", [])


def _declared(file: Path) -> tuple[list[Found], list[str]]:
    """Return what a file says of plugins, without starting any."""
    from hector_config.problem import spelled
    from hector_runtime.config import load_config
    from hector_runtime.plugins.config import KINDS
    from hector_runtime.plugins.discovery import catalogue
    from hector_runtime.plugins.plans import planned
    from hector_runtime.plugins.references import references

    config = load_config(file).config
    users: dict[str, list[str]] = {}
    for one in references(config):
        users.setdefault(one.word.plugin, []).append(spelled(one.path))
    plans, troubles = planned(config)
    runs = {plan.name: " ".join(plan.command) or plan.address for plan in plans}
    runs |= {trouble.plugin: f"cannot: {trouble.message}" for trouble in troubles}
    found = [
        {"name": name, "kind": KINDS[kind], "runs": runs.get(name, ""), "used_by": users.get(name, [])}
        for kind, name, _ in config.plugins.entries()
    ]
    declared = {one["name"] for one in found}
    there = catalogue(config.plugins.discovery)
    for name, manifest in there.manifests.items():
        if name not in declared:
            kinds = ", ".join(manifest.says.kinds)
            entry = {"name": name, "kind": kinds, "runs": runs.get(name, ""), "used_by": users.get(name, [])}
            found.append({**entry, "manifest": str(manifest.file)})
    return found, [one.why for one in there.rejected]


def _declared_row(one: Found) -> tuple[str, ...]:
    return one["name"], one["kind"], one["runs"] or "-", ", ".join(one["used_by"]) or "nothing"


def _row(one: Found) -> tuple[str, ...]:
    tiers = dict.fromkeys(replica["tier"] or "none" for replica in one["replicas"])
    return (
        one["name"],
        one["state"],
        one["version"] or "-",
        str(one["generation"]),
        str(one["restarts"]),
        ", ".join(tiers) or "-",
        " | ".join(line.strip() for line in one["reason"].splitlines()),
    )


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    room = max(columns(), sum(widths) + 2 * len(widths) + 60) if sys.stdout.isatty() else 1 << 20
    cells = (
        [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]] for row in rows
    )
    return [cut("  ".join(row).rstrip(), room) for row in cells]
