"""`hector version`: which Hector this is."""

import platform
from importlib.metadata import PackageNotFoundError, version

import click


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(
        f"hector {installed_version()} (Python {platform.python_version()}, {platform.system().lower()})"
    )


def installed_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("hector")
    except PackageNotFoundError:
        return "0+unknown"
