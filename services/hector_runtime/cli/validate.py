"""`hector validate`: everything that is wrong with config files, at once."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from hector_config import ConfigInvalid, Loaded, Problem
from hector_runtime.config import Config, load_config

from .options import USUAL_FILES


@click.command("validate")
@click.argument("paths", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, readable=False))
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
    help="compact: a line for each problem. verbose: what was found and is allowed, on lines of their own.",
)
def command(paths: tuple[Path, ...], named: Path | None, form: str) -> None:
    """Check config files: exit code 0 when all are good, 1 when one is not.

    Without FILE it is hector.yaml, or .hector/config.yaml. Warnings make no file bad.
    """
    files = [*paths, *([named] if named else [])] or [
        usual for usual in USUAL_FILES if os.path.lexists(usual)
    ][:1]
    if not files:
        raise click.UsageError("there is no hector.yaml here: name the file, as `hector validate FILE`")
    checked = [(file, _checked(file)) for file in files]
    if form == "json":
        found = [_fields(file, result) for file, result in checked]
        click.echo(json.dumps(found[0] if len(found) == 1 else found, indent=2, ensure_ascii=False))
    else:
        for file, result in checked:
            _report(file, result, verbose=form == "verbose")
    sys.exit(any(isinstance(result, ConfigInvalid) for _, result in checked))


def _checked(file: Path) -> Loaded[Config] | ConfigInvalid:
    try:
        return load_config(file)
    except ConfigInvalid as error:
        return error


def _report(file: Path, result: Loaded[Config] | ConfigInvalid, *, verbose: bool) -> None:
    for warning in result.warnings:
        click.echo(f"warning: {warning}", err=True)
    if not isinstance(result, ConfigInvalid):
        agents = ", ".join(result.config.agents) or "assistant (by default)"
        click.echo(f"{file}: valid (agents: {agents})")
        return
    for problem in result.problems:
        click.echo("\n".join(_verbose(problem)) if verbose else str(problem), err=True)
    count = len(result.problems)
    click.echo(f"{file}: {count} problem{'s' if count != 1 else ''}", err=True)


def _verbose(problem: Problem) -> list[str]:
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    head = f"{place}: {problem.path}: {problem.message}" if problem.path else f"{place}: {problem.message}"
    more = {"found": problem.found, "allowed": problem.allowed, "hint": problem.hint}
    return [head, *(f"    {name}: {value}" for name, value in more.items() if value)]


def _fields(file: Path, result: Loaded[Config] | ConfigInvalid) -> dict[str, object]:
    problems = result.problems if isinstance(result, ConfigInvalid) else ()
    return {
        "file": str(file),
        "valid": not problems,
        "errors": [asdict(problem) for problem in problems],
        "warnings": [asdict(problem) for problem in result.warnings],
    }
