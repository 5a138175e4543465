"""`hector plugin pack`: make one file of a plugin's folder."""

from pathlib import Path

import click

from .documented import Documented, flag
from .running import attempt

LARGE_BYTES = 100 << 20
_HINT = "that is much: --dry-run lists it, and `files` in plugin.yaml says what of it is to be packed"


@click.command(
    "pack",
    cls=Documented,
    examples=(
        (
            "hector plugin pack ./pdf-tools",
            "The plugin of the folder, with checksums: pdf-tools-1.2.0.tar.gz.",
        ),
        ("hector plugin pack --dry-run", "What would be packed of this folder, and how much it is."),
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
@flag("--dry-run", "dry", is_flag=True, help="List what would be in it, and write nothing.")
def command(folder: Path, output: Path | None, key_file: Path | None, dry: bool) -> None:
    """Pack a plugin's folder: its plugin.yaml, what that starts, and what it names under `files`.

    Without `files` it is whatever lies there that .gitignore does not leave out. Hidden files and earlier
    packages never are, nor is hector.yaml; links, private keys and other secrets are refused. The same files
    make the same package.
    """
    from hector_runtime.plugins.packages.packing import pack

    packed = attempt(lambda: pack(folder, output, key_file, dry=dry))
    if dry:
        for name, size_bytes in packed.files.items():
            click.echo(f"{_size(size_bytes):>10}  {name}")
    signed = f", signed with {packed.signer}" if packed.signer else ", not signed"
    many = f"{len(packed.files)} files, {_size(packed.holds_bytes)}"
    made = "" if dry else f", packed {_size(packed.size_bytes)}"
    click.echo(f"{packed.file}: {packed.name} {packed.version}, {many}{made}{signed}")
    if packed.holds_bytes > LARGE_BYTES:
        click.echo(_HINT, err=True)


def _size(size_bytes: int) -> str:
    if size_bytes < 1000:
        return f"{size_bytes} B"
    return f"{size_bytes / 1e3:.1f} kB" if size_bytes < 1e6 else f"{size_bytes / 1e6:.1f} MB"
