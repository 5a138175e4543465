"""Commands that explain themselves: every flag with its default, an example, and the exit codes.

`hector COMMAND --help` and docs/cli.md are made from the same words.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from .exits import USUAL, Exit

F = TypeVar("F", bound=Callable[..., object])
Example = tuple[str, str]
"""A command line, and what it is good for."""


class Flag(click.Option):
    """An option with the heading under which help shows it."""

    def __init__(self, *args: Any, section: str = "Options", **settings: Any) -> None:
        if settings.get("default") == "":
            settings.setdefault("show_default", False)
        super().__init__(*args, **settings)
        self.section = section


class Later(Flag):
    """A flag that Hector's documents know and this version does not have: refused by name, never ignored."""

    def __init__(self, *args: Any, instead: str = "", **settings: Any) -> None:
        super().__init__(*args, hidden=True, expose_value=False, callback=self._refuse, **settings)
        self.instead = instead

    def _refuse(self, ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        if ctx.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE:
            message = f"{self.opts[0]} is known, but not available in this version"
            raise click.UsageError(f"{message}; {self.instead}" if self.instead else message, ctx)


class Documented(click.Command):
    """A command with examples and exit codes in its help."""

    def __init__(
        self,
        *args: Any,
        examples: Sequence[Example] = (),
        exits: Mapping[Exit, str] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.examples = tuple(examples)
        self.exits = exits or USUAL

    def sections(self, ctx: click.Context) -> dict[str, list[click.Option]]:
        """Return the options that help shows, under their headings."""
        found: dict[str, list[click.Option]] = {}
        for option in self.get_params(ctx):
            if isinstance(option, click.Option) and not option.hidden:
                found.setdefault(getattr(option, "section", "Options"), []).append(option)
        return {name: found[name] for name in sorted(found, key=lambda name: name != "Options")}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for name, options in self.sections(ctx).items():
            with formatter.section(name):
                formatter.write_dl([row for option in options if (row := option.get_help_record(ctx))])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for line, purpose in self.examples:
                formatter.write(f"{' ' * formatter.current_indent}{line}\n")
                with formatter.indentation():
                    formatter.write_text(purpose)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in self.exits.items()])


def flag(*names: str, **settings: Any) -> Callable[[F], F]:
    """Add an option to a command: `click.option` with a `section`."""
    return click.option(*names, cls=Flag, **settings)


def later(*names: str, instead: str = "", **settings: Any) -> Callable[[F], F]:
    """Add a flag that is known, but not available; `instead` says what is."""
    return click.option(*names, cls=Later, instead=instead, **settings)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Return one decorator for many options, shown in this order."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add
