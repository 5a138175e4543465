"""`hector protos`: the contracts, for who has no clone of Hector."""

from pathlib import Path

import click

from .documented import Documented
from .running import attempt


@click.command(
    "protos",
    cls=Documented,
    examples=(
        ("hector protos ./proto", "hector/llm/v1/llm.proto and all others, below ./proto."),
        (
            "hector protos ./proto && protoc -I ./proto --go_out=. hector/tool/v1/tool.proto",
            "Then make code of them.",
        ),
    ),
)
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path, file_okay=False))
def command(folder: Path) -> None:
    """Write the contracts of this version into a folder; files of the same names are replaced.

    They import nothing but each other and google/protobuf/*.proto, which every code generator has.
    """

    def work() -> int:
        from hector_plugin.protos import write_to

        return len(write_to(folder))

    click.echo(f"{folder}: {attempt(work)} files")
