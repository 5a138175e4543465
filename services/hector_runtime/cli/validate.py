"""`hector validate`: everything that is wrong with config files, at once."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from .documented import Documented, flag
from .running import run

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hector_config import ConfigInvalid, Loaded, Problem
    from hector_runtime.config import Config

    Checked = Loaded[Config] | ConfigInvalid


@click.command(
    "validate",
    cls=Documented,
    examples=(
        ("hector validate hector.yaml", "A line for each problem."),
        ("hector validate *.yaml --format json", "For an editor or CI."),
        ("hector validate --print-config", "What is in effect, defaults and all, without secrets."),
        ("hector validate new.yaml --since hector.yaml", "What SIGHUP would change, and what it would not."),
    ),
)
@click.argument("paths", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, readable=False))
@flag(
    "-c",
    "--config",
    "named",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    show_default="hector.yaml, .hector/config.yaml",
    help="The same as FILE.",
)
@flag(
    "-f",
    "--format",
    "form",
    type=click.Choice(["compact", "verbose", "json"]),
    default="compact",
    help="compact: a line for each problem. verbose: what was found and is allowed, on lines of their own.",
)
@flag("-p", "--print-config", is_flag=True, help="Print what is in effect, as YAML without secrets.")
@flag(
    "--since",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    help="Say what a server that runs on this file would take over at SIGHUP, and what waits for a restart.",
)
def command(
    paths: tuple[Path, ...], named: Path | None, form: str, print_config: bool, since: Path | None
) -> None:
    """Check config files: exit code 0 when all are good, 1 when one is not. Warnings make no file bad.

    The code of agents of type custom is imported, programs and manifests of plugins are looked at, and keys
    of server.a2a.signing are read, to see that they can be.
    """

    async def work() -> bool:
        from hector_config import ConfigInvalid

        from .settings import usual_file

        usual = usual_file()
        files = [*paths, *([named] if named else [])] or ([usual] if usual else [])
        if not files:
            raise click.UsageError("there is no hector.yaml here: name the file, as `hector validate FILE`")
        checked = [(file, _checked(file)) for file in files]
        before = _checked(since) if since else None
        if isinstance(before, ConfigInvalid):
            raise before
        if form == "json":
            found = [_fields(file, result) | await _renewed(before, result) for file, result in checked]
            click.echo(json.dumps(found[0] if len(found) == 1 else found, indent=2, ensure_ascii=False))
        else:
            for file, result in checked:
                _report(file, result, verbose=form == "verbose", quiet=print_config)
                for what, keys in (await _renewed(before, result)).items():
                    click.echo(
                        f"  {what.replace('_', ' ')}: {', '.join(keys) or 'nothing'}", err=print_config
                    )
        if print_config and form != "json":
            _print([result for _, result in checked])
        return any(isinstance(result, ConfigInvalid) for _, result in checked)

    sys.exit(run(work()))


def _checked(file: Path) -> "Checked":
    from hector_config import ConfigInvalid
    from hector_config.problem import in_order
    from hector_runtime.config import load_config
    from hector_runtime.handlers import check_handlers
    from hector_runtime.plugins.checking import check_plugins, mistyped, unused
    from hector_runtime.startable import check_start

    try:
        loaded = load_config(file)
    except ConfigInvalid as error:
        return error
    problems: list[Problem] = []
    for check in (check_handlers, check_plugins, check_start):
        try:
            check(loaded)
        except ConfigInvalid as error:
            problems += error.problems
    loaded = replace(loaded, warnings=in_order((*loaded.warnings, *unused(loaded), *mistyped(loaded))))
    return ConfigInvalid(in_order(problems), loaded.warnings) if problems else loaded


async def _renewed(before: "Checked | None", after: "Checked") -> dict[str, list[str]]:
    """Return what SIGHUP would change, and what it would not; nothing where that was not asked for."""
    from hector_config import ConfigInvalid

    if before is None or isinstance(before, ConfigInvalid) or isinstance(after, ConfigInvalid):
        return {}
    from hector_runtime.config import completed
    from hector_runtime.renewing import changes, held, waiting
    from hector_runtime.roles import ROLES

    from .settings import environment_of

    taken = held(before.config, after.config)
    old, _ = await completed(before.config, environment_of(before))
    new, _ = await completed(taken, environment_of(after))
    return {
        "at_SIGHUP": changes(old, new, ROLES),
        "needs_restart": waiting(before.config, after.config, ROLES),
    }


def _print(checked: "list[Checked]") -> None:
    from hector_config import ConfigInvalid, dump

    good = [result for result in checked if not isinstance(result, ConfigInvalid)]
    click.echo("---\n".join(dump(cast("Loaded[BaseModel]", result)) for result in good), nl=False)


def _report(file: Path, result: "Checked", *, verbose: bool, quiet: bool) -> None:
    from hector_config import ConfigInvalid

    for warning in result.warnings:
        click.echo(f"warning: {warning}", err=True)
    if not isinstance(result, ConfigInvalid):
        agents = ", ".join(result.config.agents) or "assistant (by default)"
        click.echo(f"{file}: valid (agents: {agents})", err=quiet)
        return
    for problem in result.problems:
        click.echo("\n".join(_verbose(problem)) if verbose else str(problem), err=True)
    count = len(result.problems)
    click.echo(f"{file}: {count} problem{'s' if count != 1 else ''}", err=True)


def _verbose(problem: "Problem") -> list[str]:
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    head = f"{place}: {problem.path}: {problem.message}" if problem.path else f"{place}: {problem.message}"
    more = {"found": problem.found, "allowed": problem.allowed, "hint": problem.hint}
    return [head, *(f"    {name}: {value}" for name, value in more.items() if value)]


def _fields(file: Path, result: "Checked") -> dict[str, object]:
    from hector_config import ConfigInvalid

    problems = result.problems if isinstance(result, ConfigInvalid) else ()
    return {
        "file": str(file),
        "valid": not problems,
        "errors": [asdict(problem) for problem in problems],
        "warnings": [asdict(problem) for problem in result.warnings],
    }
