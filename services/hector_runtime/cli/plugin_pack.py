"""`hector plugin pack`: make one file of a plugin's folder."""

from pathlib import Path

import click

from .documented import Documented, flag
from .running import attempt


@click.command(
    "pack",
    cls=Documented,
    examples=(
        (
            "hector plugin pack ./pdf-tools",
            "Everything in the folder, with checksums: pdf-tools-1.2.0.tar.gz.",
        ),
        ("hector plugin pack ./pdf-tools --sign key.pem", "Signed, so that others can see who made it."),
    ),
)
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@flag(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default="NAME-VERSION.tar.gz",
    help="The package.",
)
@flag(
    "--sign",
    "key_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Sign it with this private key, which is one of Ed25519 as PEM.",
)
def command(folder: Path, output: Path | None, key_file: Path | None) -> None:
    """Pack a plugin's folder: its plugin.yaml, the programs for each platform, and whatever else lies there.

    Names that begin with a dot are left out. The same files make the same package.
    """
    from hector_runtime.plugins.packages.packing import pack

    packed = attempt(lambda: pack(folder, output, key_file))
    signed = f", signed with {packed.signer}" if packed.signer else ", not signed"
    click.echo(f"{packed.file}: {packed.name} {packed.version}, {packed.files} files{signed}")
