"""`hector plugin pin`: what the programs of plugins are, for `sha256` in the config."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from .documented import Documented
from .options import config_option, format_option
from .running import attempt


@click.command(
    "pin",
    cls=Documented,
    examples=(
        ("hector plugin pin", "What to write into the config, for every plugin that something refers to."),
        ("hector plugin pin search -c hector.yaml", "One of them; exit code 1 if its pin is not what it is."),
    ),
)
@click.argument("names", metavar="[PLUGIN]...", nargs=-1)
@config_option
@format_option("text", "json")
def command(names: tuple[str, ...], config_file: Path | None, form: str) -> None:
    """Print the SHA-256 of plugins' programs as lines of the config. Of a pinned one no other is started.

    Exit code 1: a program is not what its pin says.
    """
    found = attempt(lambda: _pins(config_file, names))
    if form == "json":
        click.echo(json.dumps({"plugins": found}, ensure_ascii=False, indent=2))
    else:
        for line in _lines(found):
            click.echo(line)
        for one in found:
            if one["pinned"] and one["pinned"] != one["sha256"]:
                click.echo(f"{one['name']}: {one['program']} is not what its pin says", err=True)
        if not found:
            click.echo("No plugins that are programs.", err=True)
    sys.exit(1 if any(one["pinned"] not in ("", one["sha256"]) for one in found) else 0)


def _pins(config_file: Path | None, names: tuple[str, ...]) -> list[dict[str, Any]]:
    from hector_plugin_host.executable import pinned
    from hector_runtime.config import load_config
    from hector_runtime.plugins.plans import VALUES, PluginUnusable, planned
    from hector_runtime.plugins.trust import sha256_of

    from .settings import usual_file

    file = config_file or usual_file()
    if file is None:
        raise click.UsageError("there is no hector.yaml here: name the file with --config")
    config = load_config(file).config
    plans, troubles = planned(config)
    known = [plan.name for plan in plans]
    for name in names:
        if lacking := [one for one in troubles if one.plugin == name]:
            raise PluginUnusable(lacking)
        if name not in known:
            used = ", ".join(known) or "none"
            raise click.UsageError(f"nothing refers to a plugin {name!r} (used: {used})")
    kinds = {name: kind for kind, name, _ in config.plugins.entries()}
    return [
        {
            "name": plan.name,
            "kind": kinds.get(plan.name) or next(key for key, kind in VALUES.items() if kind in plan.kinds),
            "program": str(pinned(plan)),
            "sha256": sha256_of(pinned(plan)),
            "pinned": plan.sha256,
        }
        for plan in plans
        if (not names or plan.name in names) and plan.command
    ]


def _lines(found: list[dict[str, Any]]) -> list[str]:
    lines = ["plugins:"] if found else []
    for kind in dict.fromkeys(one["kind"] for one in found):
        lines.append(f"  {kind}:")
        lines += [f"    {one['name']}: {{sha256: {one['sha256']}}}" for one in found if one["kind"] == kind]
    return lines
