"""The command line: `hector serve`, `call`, `chat` and the others below.

Commands are imported when they are used, so that `hector --help` costs next to nothing.
"""

import importlib
import os
import sys
from typing import NoReturn

import click

from hector_runtime import collector, quick_start

# grpc's C core writes lines of its own to the terminal; what they say is in our errors.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

COMMANDS = {
    "serve": "Run agents behind the A2A protocol.",
    "call": "Ask an agent once and print its answer.",
    "chat": "Talk with an agent.",
    "task": "Look at tasks of a server, and tell them what to do.",
    "db": "Upgrade, check, prune and back up the database.",
    "sessions": "Look at conversations that a server keeps, add to them, remove them.",
    "card": "Show, verify and sign agent cards.",
    "info": "Say what a server or a config file offers.",
    "validate": "Check a config file and list everything that is wrong with it.",
    "schema": "Print the JSON Schema of config files.",
    "plugin": "Make, try, test and look after plugins.",
    "protos": "Write the contracts into a folder, for gRPC code generators.",
    "version": "Print the version.",
    "completion": "Print what makes a shell complete commands and flags.",
}


class LazyCommands(click.Group):
    """A group whose commands live in modules of their own, named like them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f".{cmd_name}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog="`hector COMMAND --help` has every flag with its default, examples and exit codes.",
)
@click.version_option(None, "-V", "--version", package_name="hector", message="hector %(version)s")
@click.pass_context
def hector(ctx: click.Context) -> None:
    """Run AI agents in production from one YAML file."""
    from .output import prepare_streams, wants_color

    prepare_streams()
    ctx.color = wants_color()


def main() -> None:
    """Run the command line; no error ever shows a traceback. Exit codes are in `exits`."""
    collector.wait()
    quick_start.begin()
    try:
        hector.main(prog_name="hector", standalone_mode=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        _fail(error)


def _fail(error: Exception) -> NoReturn:
    try:
        from .running import fail
    except Exception as broken:  # what the rest stands on is missing, or of another version
        sys.exit(
            f"Error: Hector is not installed as it should be ({type(broken).__name__}: {broken}); "
            "install it anew, as with `pip install --force-reinstall hector`"
        )
    fail(error)
