"""`hector validate`: everything that is wrong with a config file, at once."""

import json
import sys
from pathlib import Path

import click

from hector_config import ConfigInvalid, Problem
from hector_runtime.config import load_config


@click.command("validate")
@click.argument("path", metavar="FILE", required=False, type=click.Path(path_type=Path))
@click.option(
    "-c", "--config", "named", metavar="FILE", type=click.Path(path_type=Path), help="The same as FILE."
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["compact", "verbose", "json"]),
    default="compact",
    show_default=True,
)
def command(path: Path | None, named: Path | None, form: str) -> None:
    """Check a config file: exit code 0 when it is good, 1 when it is not."""
    file = path or named
    if file is None:
        raise click.UsageError("name the file to check: hector validate FILE")
    try:
        loaded = load_config(file)
    except ConfigInvalid as error:
        _report(error.problems, error.warnings, form)
        sys.exit(1)
    _report((), loaded.warnings, form)
    if form != "json":
        agents = ", ".join(loaded.config.agents) or "assistant (by default)"
        click.echo(f"{file}: valid (agents: {agents})")


def _report(problems: tuple[Problem, ...], warnings: tuple[Problem, ...], form: str) -> None:
    if form == "json":
        found = {
            "valid": not problems,
            "errors": [_fields(problem) for problem in problems],
            "warnings": [_fields(problem) for problem in warnings],
        }
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for problem in warnings:
        click.echo(f"warning: {problem}", err=True)
    for problem in problems:
        click.echo(str(problem), err=True)
        if form == "verbose":
            for name in ("found", "allowed", "hint"):
                if value := getattr(problem, name):
                    click.echo(f"    {name}: {value}", err=True)
    if problems:
        click.echo(f"{len(problems)} problem{'s' if len(problems) != 1 else ''}", err=True)


def _fields(problem: Problem) -> dict[str, object]:
    return {name: getattr(problem, name) for name in problem.__slots__}
