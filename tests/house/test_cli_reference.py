"""Ours: the command line's page and its help say the same, and all of it."""

import re
from pathlib import Path

import click
import pytest

from hector_runtime.cli import COMMANDS, hector
from hector_runtime.cli.documented import Documented
from hector_runtime.cli.reference import page


def commands(group: click.Group = hector, path: str = "hector") -> dict[str, click.Command]:
    """Every command by the words that call it."""
    found: dict[str, click.Command] = {}
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        found |= (
            commands(command, f"{path} {name}")
            if isinstance(command, click.Group)
            else {f"{path} {name}": command}
        )
    return found


def test_the_page_is_what_make_generate_writes(root: Path) -> None:
    assert (root / "docs/cli.md").read_text(encoding="utf-8") == page(), "run `make generate`"


@pytest.mark.parametrize("path", commands())
def test_a_command_explains_itself(path: str) -> None:
    command = commands()[path]
    assert isinstance(command, Documented)
    assert command.help
    assert command.examples
    assert all(line.split("hector", 1)[1].split()[0] in COMMANDS for line, _ in command.examples)
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert option.help, option.opts
            assert re.search(r"[.]$", option.help), option.opts


def test_the_page_names_every_flag(root: Path) -> None:
    text = page()
    missing = [
        name
        for command in commands().values()
        for option in command.params
        if isinstance(option, click.Option)
        for name in option.opts[:1]
        if name not in text
    ]
    assert missing == []
