"""`hector plugin new`: a plugin that works at once."""

import re
from pathlib import Path

import click

from .documented import Documented, flag
from .running import attempt

LANGUAGES = ("python", "go", "typescript", "rust", "java")
KINDS = ("tool", "llm", "reasoning", "embedder", "database", "parser", "agent", "guardrail")


class Kind(click.Choice[str]):
    """A kind; what manifests call it is understood, too: tool_provider, document_parser."""

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        return super().convert(re.sub(r"^document_|_(provider|strategy)$", "", value), param, context)


@click.command(
    "new",
    cls=Documented,
    examples=(
        ("hector plugin new my-tools", "Tools in Python, in the folder my-tools."),
        ("hector plugin new my-model --lang go --kind llm", "A language model in Go."),
        ("hector plugin new my-store --kind database", "A vector store, in Python."),
        ("hector plugin new my-tools --into ./plugins/my-tools", "In another place."),
    ),
)
@click.argument("name", metavar="NAME")
@flag("-l", "--lang", type=click.Choice(LANGUAGES), default="python", help="The language to write it in.")
@flag("-k", "--kind", type=Kind(KINDS), default="tool", help="What it is to be.")
@flag(
    "--into",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    show_default="NAME",
    help="Where to make it.",
)
def command(name: str, lang: str, kind: str, folder: Path | None) -> None:
    """Make a plugin of a few lines to begin with, and a config with an agent that uses it.

    A test of it is made as well.
    """
    from hector_runtime.new_plugin import make

    made = attempt(lambda: make(name, lang, kind, folder or Path(name)))
    click.echo(f"made {made.folder}: {', '.join(map(str, made.files))}")
    ask = f'hector call -c hector.yaml "{made.question}"'
    steps = [f"cd {made.folder}", *made.steps, "hector plugin test", ask]
    click.echo("\n".join(["next:", *(f"  {step}" for step in steps)]))
