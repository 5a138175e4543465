"""`hector plugin test`: the conformance kit on a plugin's command or address."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .documented import Documented, flag
from .exits import USUAL, Exit
from .plugin_address import Address
from .running import run

if TYPE_CHECKING:
    from hector_plugin.conformance import Report, Verdict

FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
KEYS = "config, entry, calls, slow, model, any_model, env"
EXITS = {
    **USUAL,
    Exit.DONE: "no rule of level MUST is broken",
    Exit.FAILED: "one is, and is listed; or the command cannot be started",
}


@click.command(
    "test",
    cls=Documented,
    exits=EXITS,
    examples=(
        ("hector plugin test", "The plugin of this folder's plugin.yaml."),
        ("hector plugin test -- ./my-plugin", "An executable."),
        ("hector plugin test -- python main.py", "A program in any language: what is behind -- starts it."),
        ("hector plugin test --only H,TO2 -- ./my-plugin", "Some rules, while you mend them."),
        ("hector plugin test --badge -- ./my-plugin", "For `plugins.require_conformance`."),
        ("hector plugin test --list", "All the rules."),
    ),
)
@click.argument("argv", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@flag(
    "-k",
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    show_default="as it says",
    help='What it is, as "tool_provider"; may be given several times.',
)
@flag(
    "-c",
    "--config",
    "config_file",
    metavar="FILE",
    type=FILE,
    help=f"YAML or JSON that says what works with it: {KEYS}.",
)
@flag(
    "--endpoint",
    metavar="ADDRESS",
    type=Address(),
    help="Test one that runs already, as unix:/tmp/plugin.sock.",
)
@flag("--token", metavar="TOKEN", help="What one that runs already wants to be shown.")
@flag("--sample", metavar="FILE", type=FILE, help="A document that a parser reads.")
@flag("--only", metavar="IDS", help="Only these rules, or those whose numbers begin with these letters.")
@flag(
    "--max-memory",
    metavar="SIZE",
    help="What it says that it needs at most, as 512MB; the rule X2 tries it.",
)
@flag(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=15.0,
    metavar="SECONDS",
    help="How long a call may take.",
)
@flag("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
@flag(
    "--junit",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report as JUnit's XML.",
)
@flag("--badge", is_flag=True, help="Write PLUGIN.conformance.json beside the plugin's file.")
@flag("--list", "listed", is_flag=True, help="List the rules and test nothing.")
def command(argv: tuple[str, ...], listed: bool, **told: Any) -> None:
    """Test a plugin in any language from outside, as a host meets it: it is started some thirty times.

    Each broken rule says what was sent, what came, what the contract says, and how to mend it. Tools are only
    called if they say that they are read-only, or if --config says with which arguments they may be.
    """
    if listed:
        _list()
        return
    if argv and told["endpoint"]:
        raise click.UsageError("name what starts the plugin, behind --, or where it listens, with --endpoint")
    if not told["endpoint"]:
        from .plugin_here import command_of

        argv = command_of(argv)
    sys.exit(Exit.FAILED if run(_tested(argv, **told)).failed else Exit.DONE)


async def _tested(
    argv: tuple[str, ...],
    *,
    kinds: tuple[str, ...],
    config_file: Path | None,
    endpoint: str | None,
    token: str | None,
    sample: Path | None,
    only: str | None,
    max_memory: str | None,
    timeout_s: float,
    as_json: bool,
    junit: Path | None,
    badge: bool,
) -> "Report":
    from hector_plugin.conformance import (
        CannotStart,
        bytes_in,
        chosen,
        file_of,
        kinds_named,
        run,
        subject_of,
        write_badge,
    )

    try:
        subject = subject_of(
            _told(config_file),
            command=argv,
            endpoint=endpoint or "",
            token=token or "",
            kinds=kinds_named(kinds),
            sample=sample.read_bytes() if sample else b"",  # noqa: ASYNC240  nothing else runs yet
            sample_name=sample.name if sample else "",
            only=frozenset(filter(None, (only or "").split(","))),
            max_memory_bytes=bytes_in(max_memory or "0"),
            call_timeout_s=timeout_s,
        )
        chosen(subject.only)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        report = await run(subject, None if as_json else _say)
    except CannotStart as error:
        raise click.ClickException(str(error)) from None
    if junit is not None:
        junit.write_text(report.junit(), encoding="utf-8")  # noqa: ASYNC240  all is over
    if badge and argv:
        click.echo(f"wrote {write_badge(report, file_of(argv))}", err=True)
    click.echo(report.json() if as_json else report.text().rsplit("\n", 1)[-1])
    return report


def _told(config_file: Path | None) -> dict[str, Any]:
    import yaml

    if config_file is None:
        return {}
    try:
        found = yaml.safe_load(config_file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ValueError(f"{config_file} is no text in UTF-8") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{config_file} is no YAML: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{config_file} is no mapping (allowed: {KEYS})")
    return found


def _say(verdict: "Verdict") -> None:
    click.echo("\n".join(verdict.lines()))


def _list() -> None:
    from hector_plugin.conformance import CHECKS

    for check in CHECKS.values():
        click.echo(f"{check.id:5} {check.level.value:6} {check.title}\n             {check.rule}")
