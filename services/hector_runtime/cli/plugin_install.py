"""`hector plugin install`: put a packed plugin where a config can name it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .documented import Documented, flag
from .running import attempt

if TYPE_CHECKING:
    from hector_runtime.plugins.packages.installing import Installed


@click.command(
    "install",
    cls=Documented,
    examples=(
        ("hector plugin install pdf-tools-1.2.0.tar.gz", "Into ./plugins/pdf-tools; nothing of it is run."),
        ("hector plugin install pdf-tools-1.2.0.tar.gz --key maker.pem", "Only if this maker signed it."),
        (
            "hector plugin install pdf-tools-1.3.0.tar.gz --replace",
            "A newer one in the place of the old one.",
        ),
    ),
)
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@flag(
    "--into",
    metavar="FOLDER",
    default="plugins",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where it gets a folder of its name.",
)
@flag(
    "--key",
    "key_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The public key (Ed25519, PEM) that it must be signed with.",
)
@flag("--replace", is_flag=True, help="Put it in the place of one that is there.")
def command(file: Path, into: Path, key_file: Path | None, replace: bool) -> None:
    """Install a packed plugin, if every file is what its checksums say and it can run on this machine.

    Nothing is started. What to write into the config is printed.
    """
    from hector_runtime.plugins.packages.installing import install

    installed = attempt(lambda: install(file, into, key_file, replace=replace))
    for line in _lines(installed, checked=key_file is not None):
        click.echo(line)


def _lines(installed: "Installed", *, checked: bool) -> list[str]:
    place = str(installed.folder)
    path = place if installed.folder.is_absolute() else f"./{place}"
    instead = f", in the place of {installed.replaced}" if installed.replaced else ""
    if not installed.signer:
        signed = "not signed"
    else:
        signed = f"signed with {installed.signer}" + (
            "" if checked else ", which nobody has vouched for (--key)"
        )
    lines = [f"{place}: {installed.name} {installed.version}{instead}, {signed}", "plugins:"]
    for section in installed.sections:
        lines += [f"  {section}:", f"    {installed.name}: {{path: {path}}}"]
    return lines
