"""The command line's reference page, made from the commands themselves (`make generate`)."""

from collections.abc import Iterator

import click

from . import COMMANDS, hector
from .documented import Documented, Later
from .options import ENVIRONMENT

HEAD = """\
# Command line

<!-- Made by `make generate` from services/hector_runtime/cli; do not edit. -->

`hector COMMAND --help` shows the same as this page. Answers and data go to standard output; everything beside
them, as the tools an agent uses, progress and errors, to standard error. With `--format json` a failure is
JSON on standard output too: `{"error": …, "reason": …}`.
"""
TAIL = """\
## Completion in the shell

`hector completion bash`, `zsh` or `fish` prints a script; the examples above say where it goes. It completes
commands, flags and the choices of flags.
"""
COLUMNS = ("flag", "default", "variable", "what it does")


def page() -> str:
    """Return the page as Markdown."""
    with click.Context(hector, info_name="hector", **hector.context_settings) as root:
        commands = [*_commands(hector, root)]
        blocks = [
            HEAD,
            _table(
                ("command", "what it does"),
                ((f"[`hector {name}`](#hector-{name})", what) for name, what in COMMANDS.items()),
            ),
            *(block for ctx, command in commands for block in _described(command, ctx)),
            "## Environment",
            _table(("variable", "what it says"), _variables(commands)),
            TAIL,
        ]
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _commands(group: click.Group, ctx: click.Context) -> Iterator[tuple[click.Context, click.Command]]:
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if command.hidden:  # another name of one that is listed
            continue
        inner = click.Context(command, parent=ctx, info_name=name)
        yield inner, command
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _described(command: click.Command, ctx: click.Context) -> Iterator[str]:
    depth = "#" * (ctx.command_path.count(" ") + 1)
    yield f"{depth} {ctx.command_path}"
    yield "\n\n".join(" ".join(block.split()) for block in (command.help or "").split("\n\n"))
    if not isinstance(command, Documented):
        return
    yield f"`{ctx.command_path} {' '.join(command.collect_usage_pieces(ctx))}`"
    for heading, options in command.sections(ctx).items():
        rows = [_row(option, ctx) for option in options if "--help" not in option.opts]
        if heading != "Options":
            yield f"**{heading}**"
        if rows:
            yield _table(COLUMNS, rows)
    if known := [_cell(option.opts[0]) for option in command.params if isinstance(option, Later)]:
        yield f"Known, but not available in this version: {', '.join(known)}."
    lines = "\n".join(f"# {what}\n{line}" if what else line for line, what in command.examples)
    yield f"```sh\n{lines}\n```"
    codes = "; ".join(f"**{int(code)}** {meaning}" for code, meaning in command.exits.items())
    yield f"Exit codes: {codes}."


def _row(option: click.Option, ctx: click.Context) -> tuple[str, ...]:
    names, _ = option.get_help_record(ctx) or ("", "")
    extra = option.get_help_extra(ctx)
    default = extra.get("default", "").strip("()")
    variables = ", ".join(_cell(name) for name in extra.get("envvars", ()))
    return _cell(names), _cell(default) if default else "", variables, option.help or ""


def _variables(commands: list[tuple[click.Context, click.Command]]) -> Iterator[tuple[str, str]]:
    found: dict[str, str] = {}
    for _, command in commands:
        for option in command.params:
            if isinstance(option, click.Option) and isinstance(option.envvar, str):
                found.setdefault(option.envvar, f"{_cell(option.opts[-1])}: {option.help}")
    for name, what in sorted((found | dict(ENVIRONMENT)).items()):
        yield _cell(name), what


def _cell(text: str) -> str:
    return f"`{text}`"


def _table(head: tuple[str, ...], rows: "Iterator[tuple[str, ...]] | list[tuple[str, ...]]") -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
