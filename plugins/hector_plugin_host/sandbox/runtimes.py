"""Where an interpreter's own files are, and how runtimes are told how much memory there is."""

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .places import SYSTEM, is_too_wide

_SHEBANG_BYTES = 256
MEBIBYTE = 1024 * 1024
FLOORS = {"java": 512 * MEBIBYTE, "python": 96 * MEBIBYTE, "node": 64 * MEBIBYTE}
"""The least that each must be able to reserve to start at all, which is more than it uses."""
OTHER_FLOOR = 64 * MEBIBYTE
_INTERPRETERS = (
    *(
        "beam",
        "bun",
        "dart",
        "deno",
        "dotnet",
        "java",
        "julia",
        "lua",
        "node",
        "perl",
        "php",
        "pypy",
        "python",
    ),
    *("R", "ruby", "wish"),
)
"""What has a home of its own that is worth showing to whoever is run by it."""
_NODE_YOUNG = 48
"""Mebibytes that Node has for what is new, beside what it is told."""


def homes_of(command: Sequence[str], path: str, folder: Path) -> tuple[Path, ...]:
    """Return the folders without which a command's interpreter cannot run, and our own, which starts it.

    What a plugin brought along, as its first line, a link or an environment, names an interpreter, and shows
    it nothing but that.

    Args:
        command: The plugin's.
        path: Where programs that are named without a folder are looked for.
        folder: The plugin's.
    """
    scripts = scripts_of(command)
    own = (folder, *(script.parent for script in scripts))
    found: dict[Path, None] = {}
    _add_homes(Path(sys.executable), found, ())
    _add_homes(Path(command[0]), found, own)
    for script in scripts:
        interpreter = _interpreter(script, path)
        if interpreter is not None:
            _add_homes(interpreter, found, own, is_named_by_it=not _is_in(script, SYSTEM))
    return tuple(found)


def runtime_of(command: Sequence[str], path: str) -> str:
    """Return "java", "python", "node", or "" for what is none of them or does not show it."""
    programs = [Path(command[0])]
    programs += [found for script in scripts_of(command) if (found := _interpreter(script, path)) is not None]
    for program in programs:
        for name in (program.name, program.resolve().name):
            for runtime in FLOORS:
                if name.startswith(runtime):
                    return runtime
    return ""


def told(memory_bytes: int, env: Mapping[str, str]) -> dict[str, str]:
    """Return variables that keep runtimes below a limit by themselves, without those that the plugin sets."""
    mebibytes = memory_bytes // MEBIBYTE
    words = {
        "GOMEMLIMIT": str(memory_bytes * 9 // 10),
        "NODE_OPTIONS": f"--max-old-space-size={max(16, mebibytes * 3 // 4 - _NODE_YOUNG)}",
        "JAVA_TOOL_OPTIONS": f"-XX:MaxRAM={mebibytes}m -XX:+UseSerialGC",
    }
    return {name: value for name, value in words.items() if name not in env}


def _add_homes(
    program: Path, found: dict[Path, None], own: Sequence[Path], *, is_named_by_it: bool = False
) -> None:
    """Add the home of a program as it is named, and of each link on the way to the file."""
    for _ in range(16):
        _add_home(program, found, is_named_by_it=is_named_by_it)
        _add_environment(program, found, own)
        if not program.is_symlink():
            break
        is_named_by_it = is_named_by_it or _is_in(program, own)
        program = Path(os.path.normpath(program.parent / program.readlink()))
    _add_home(program.resolve(), found, is_named_by_it=is_named_by_it)


def _add_home(program: Path, found: dict[Path, None], *, is_named_by_it: bool) -> None:
    if _is_in(program, SYSTEM):
        return
    home = program.parent.parent if program.parent.name == "bin" else None
    if home is None:
        return  # the program is its own, or lies beside the plugin
    is_alone = is_too_wide(home) or (is_named_by_it and not program.name.startswith(_INTERPRETERS))
    found[program if is_alone else home] = None


def _add_environment(program: Path, found: dict[Path, None], own: Sequence[Path]) -> None:
    """Add what a virtual environment of Python's refers to: the interpreter, and packages linked into it."""
    root = program.parent.parent
    settings = root / "pyvenv.cfg"
    if not settings.is_file():
        return
    for line in settings.read_text(errors="replace").splitlines():
        key, _, value = line.partition("=")
        interpreter = Path(value.strip(), "python3")
        if key.strip() == "home" and value.strip() and interpreter.is_file():
            _add_home(interpreter, found, is_named_by_it=_is_in(root, own))
    if _is_in(root, own):
        return  # the plugin's own: its links would show it whatever they name
    for link in root.glob("lib/python*/site-packages/*.pth"):
        for line in link.read_text(errors="replace").splitlines():
            place = Path(line.strip())
            if line.startswith("/") and place.is_dir() and place != Path("/"):
                found[place] = None


def _is_in(path: Path, places: Iterable[Path]) -> bool:
    return any(path.is_relative_to(place) for place in places)


def scripts_of(command: Sequence[str]) -> list[Path]:
    """Return the files in a command that may name an interpreter in their first line."""
    return [Path(word) for word in command[:2] if word.startswith("/") and Path(word).is_file()]


def _interpreter(script: Path, path: str) -> Path | None:
    try:
        with script.open("rb") as file:
            line = file.read(_SHEBANG_BYTES).split(b"\n", 1)[0]
    except OSError:
        return None
    if not line.startswith(b"#!"):
        return None
    words = line[2:].decode(errors="replace").split()
    if words and Path(words[0]).name == "env":
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        found = shutil.which(words[0], path=path) if words else None
        return Path(found) if found else None
    return Path(words[0]) if words else None
