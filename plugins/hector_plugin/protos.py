"""The contracts as .proto files, for plugins in languages that generate code from them."""

import shutil
from pathlib import Path


class NoProtos(FileNotFoundError):
    """The files did not come with this installation."""

    def __init__(self, place: Path) -> None:
        super().__init__(f"the contracts are not at {place}: install hector-plugin anew")


def folder() -> Path:
    """Return the folder in which `hector/llm/v1/llm.proto` and all others are.

    Raises:
        NoProtos: They are not there.
    """
    here = Path(__file__).resolve()
    for place in (here.with_name("contracts"), here.parents[2] / "proto"):
        if (place / "hector").is_dir():
            return place
    raise NoProtos(here.with_name("contracts"))


def files() -> list[Path]:
    """Return the files, relative to `folder()`."""
    root = folder()
    return sorted(path.relative_to(root) for path in (root / "hector").rglob("*.proto"))


def write_to(target: Path) -> list[Path]:
    """Copy all of them below a folder, and return where they are now."""
    written = []
    for file in files():
        place = target / file
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder() / file, place)
        written.append(place)
    return written
