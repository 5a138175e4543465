"""`hector plugin`: make, try, test and look after plugins. Commands are modules, imported when used."""

import importlib

import click

COMMANDS = {
    "new": "Make a new plugin that works at once.",
    "dev": "Run a plugin, and start it anew whenever a file of it is saved.",
    "list": "List the plugins of a server, or of a config file.",
    "reload": "Put new processes of a plugin in the place of the old ones.",
    "restart": "End the processes of a plugin, and start others.",
    "pin": "Print what the programs of plugins are, for sha256 in the config.",
    "logs": "Show what a plugin of a running server printed.",
    "inspect": "Start a plugin, and show what it says of itself.",
    "call": "Make one call of a plugin, in JSON.",
    "test": "Test a plugin in any language against the rules that Hector relies on.",
    "pack": "Make one file of a plugin's folder.",
    "install": "Put a packed plugin where a config can name it.",
    "doctor": "Say what this machine can confine plugins with.",
    "protos": "Write the contracts into a folder, for gRPC code generators.",
}
"""Name and purpose; `list` is in plugin_list.py, and so on."""
TOGETHER = {"reload": "renew", "restart": "renew"}
"""Commands that share a module, and its name."""


class LazyPluginCommands(click.Group):
    """A group whose commands live in modules plugin_NAME.py, under `command` or their own name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".plugin_{TOGETHER.get(cmd_name, cmd_name)}", __package__)
        found: click.Command = getattr(module, cmd_name if cmd_name in TOGETHER else "command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group("plugin", cls=LazyPluginCommands)
def command() -> None:
    """Make, try, test and look after plugins."""
