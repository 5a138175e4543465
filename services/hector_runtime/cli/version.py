"""`hector version`: which Hector this is, from which commit, built when."""

import json

import click

from hector_runtime.build import build_facts

from .documented import Documented
from .options import format_option


@click.command(
    "version",
    cls=Documented,
    examples=(
        ("hector version", ""),
        ("hector version --format json", "Version, commit, build date, Python, system: one object."),
    ),
)
@format_option("text", "json")
def command(form: str) -> None:
    """Print the version, the commit it was built from, and when."""
    facts = build_facts()
    if form == "json":
        click.echo(json.dumps(facts, indent=2))
        return
    told = [f"Python {facts['python']}", facts["system"]]
    if facts["commit"]:
        told.insert(0, f"commit {facts['commit'][:12]}")
    if facts["built"]:
        told.insert(1, f"built {facts['built']}")
    click.echo(f"hector {facts['version']} ({', '.join(told)})")
