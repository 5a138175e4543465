"""Fails when two wheels hold the same file, or a package of ours is in none: check_contents.py WHEEL..."""

import sys
import zipfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["services", "gateway", "plugins", "proto/gen"]
MADE = {"hector_runtime/build.json"}
"""Written by the build itself (build_hook.py)."""
BROUGHT = {"hector_plugin/contracts/": "proto/", "hector_runtime/kits/": "plugins/"}
"""What build hooks bring in from rooms that are no packages, and where it stands in the tree."""


def main() -> None:
    """Compare what the wheels hold with what the rooms hold."""
    held: Counter[str] = Counter()
    for wheel in sys.argv[1:]:
        with zipfile.ZipFile(wheel) as archive:
            held.update(name for name in archive.namelist() if ".dist-info/" not in name)
    problems = [f"{name} is in {count} wheels" for name, count in held.items() if count > 1]
    problems += [f"{name} is not in any wheel" for name in sorted(sources() - held.keys())]
    problems += [
        f"{name} is in a wheel, but is no source of ours"
        for name in sorted(held.keys() - sources() - MADE)
        if not was_brought(name)
    ]
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(held)} files in {len(sys.argv) - 1} wheels, none twice, none missing")


def was_brought(name: str) -> bool:
    """Tell whether a file comes from a room that is no package."""
    return any(
        name.startswith(place) and (ROOT / name.replace(place, room, 1)).is_file()
        for place, room in BROUGHT.items()
    )


def sources() -> set[str]:
    """Give every file of every package, named as it is imported, and the modules that stand alone."""
    alone = {path.name for room in ROOMS for path in (ROOT / room).glob("hector*.py")}
    return alone | {
        path.relative_to(ROOT / room).as_posix()
        for room in ROOMS
        for package in (ROOT / room).glob("hector*")
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


if __name__ == "__main__":
    main()
