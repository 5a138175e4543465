"""`hector completion`: what makes a shell complete commands and flags."""

import sys

import click
from click.shell_completion import get_completion_class

from .documented import Documented

SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    cls=Documented,
    examples=(
        ('eval "$(hector completion bash)"', "In ~/.bashrc."),
        ('eval "$(hector completion zsh)"', "In ~/.zshrc."),
        ("hector completion fish > ~/.config/fish/completions/hector.fish", "Once."),
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a script that makes a shell complete commands, flags and their choices."""
    found = get_completion_class(shell)
    assert found is not None
    root = ctx.find_root()
    script = found(root.command, {}, "hector", "_HECTOR_COMPLETE")
    # Only click's own check of bash's version asks bash, and prints what it thinks.
    sys.stdout.write(script.source_template % script.source_vars() + "\n")
