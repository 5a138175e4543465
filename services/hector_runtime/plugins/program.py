"""What starts a plugin: its program as an argument list, by its entry in the config or its manifest."""

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from hector_config import ConfigInvalid
from hector_config.problem import Path as KeyPath
from hector_config.version import VERSION
from hector_config.words import did_you_mean, nearest
from hector_plugin_host import Mode

from . import manifest as manifests
from .config import PluginConfig
from .discovery import Catalogue
from .manifest import Manifest
from .trust import untrustworthy

RUNNERS = {
    ".py": (),
    ".js": ("node",),
    ".mjs": ("node",),
    ".cjs": ("node",),
    ".ts": ("node",),  # from Node 22.18 on, which strips the types
    ".jar": ("java", "-jar"),
}
"""What runs a file that is not executable, or only by its mode; a Python file runs with the Python that runs
Hector."""


class ProgramUnusable(Exception):
    """There is nothing to start as the config says; the message says why."""

    def __init__(self, message: str, *, at: KeyPath = (), hint: str = "") -> None:
        super().__init__(message)
        self.at, self.hint = at, hint


@dataclass(frozen=True, slots=True)
class Program:
    """How a plugin comes to run, or is reached."""

    mode: Mode
    command: tuple[str, ...] = ()
    folder: Path = Path("/")
    """Where it runs."""
    manifest: Manifest | None = None


def program_of(name: str, entry: PluginConfig, found: Catalogue, *, vouched: bool = False) -> Program:
    """Return what starts a plugin; it has to be `vouched` for where the config says so.

    Raises:
        ProgramUnusable: Nothing can, or nothing should.
    """
    program = _program(name, entry, found)
    if program.manifest is not None:
        _check(program.manifest)
    _check_place(entry, program)
    if program.command and not entry.python:
        started = [Path(word) for word in program.command[:3] if Path(word).is_absolute()]
        for file in started:
            if why := untrustworthy(file):
                raise ProgramUnusable(why, at=("path",) if entry.path else ())
    if vouched:
        require_badge(name, program)
    return program


def _program(name: str, entry: PluginConfig, found: Catalogue) -> Program:
    args = tuple(entry.args)
    where = entry.working_directory and entry.working_directory.absolute()
    if entry.path is not None:
        said = _manifest(entry.path)
        if said is not None and (said.command or entry.path.is_dir()):
            return Program(_mode(entry), (*_of_manifest(said), *args), where or said.file.parent, said)
        folder = where or entry.path.absolute().parent
        return Program(_mode(entry), (*runnable(entry.path), *args), folder, said)
    if entry.python:
        return Program(_mode(entry), (sys.executable, "-m", entry.python, *args), where or Path.cwd())
    if entry.address:
        return Program(entry.mode or "attach")
    said = found.manifests.get(name)
    if said is None:
        raise ProgramUnusable(*_not_found(name, found))
    return Program(entry.mode or "spawn", (*_of_manifest(said), *args), where or said.file.parent, said)


def said_of(name: str, entry: PluginConfig, found: Catalogue) -> Manifest | None:
    """Return a plugin's manifest, where it has one that can be used."""
    try:
        return _program(name, entry, found).manifest
    except ProgramUnusable:
        return None


def _mode(entry: PluginConfig) -> Mode:
    return entry.mode or ("listen" if entry.address else "spawn")


def _not_found(name: str, found: Catalogue) -> tuple[str]:
    if why := found.problem_of(name):
        return (f"its manifest cannot be used: {why}",)
    near = did_you_mean(nearest(name, sorted(found.manifests)))
    passed = f"it passed over what may be it: {found.nameless}" if found.nameless else ""
    said = "it says neither path, python nor address, and discovery found no manifest of that name"
    return ("; ".join(filter(None, (said, near, passed))),)


def _manifest(path: Path) -> Manifest | None:
    file = manifests.beside(path)
    if file is None:
        if path.is_dir():
            raise ProgramUnusable(f"{path} is a folder without plugin.yaml", at=("path",))
        return None
    if why := untrustworthy(file):
        raise ProgramUnusable(why, at=("path",))
    try:
        return manifests.read(file)
    except ConfigInvalid as error:
        raise ProgramUnusable("; ".join(map(str, error.problems)), at=("path",)) from None


def _of_manifest(said: Manifest) -> tuple[str, ...]:
    """Return what a manifest starts; its first word is a program beside it, or one of the system's."""
    if said.misses_platform:
        there = ", ".join(said.says.platforms)
        message = f"{said.file} has no program for {manifests.this_platform()} (it has: {there})"
        raise ProgramUnusable(message)
    if said.command:
        first, *rest = said.command
        path = said.file.parent / first
        if os.sep in first or path.is_file():
            return (*runnable(path), *rest)
        if (installed := shutil.which(first)) is None:
            raise ProgramUnusable(f"{said.file} starts {first!r}, which is not installed here")
        return (installed, *rest)
    if said.program is None:
        raise ProgramUnusable(f"{said.file} does not say what starts it", hint="write command: [...]")
    return runnable(said.program)


def runnable(path: Path) -> tuple[str, ...]:
    """Return how a file is run.

    Raises:
        ProgramUnusable: It is not there, or is nothing that can be run.
    """
    path = path.absolute()
    if not path.is_file():
        there = sorted(each.name for each in path.parent.iterdir()) if path.parent.is_dir() else []
        hint = did_you_mean(nearest(path.name, there))
        raise ProgramUnusable(f"there is no file {path}", at=("path",), hint=hint)
    if os.access(path, os.X_OK) and (path.suffix not in RUNNERS or _names_its_interpreter(path)):
        return (str(path),)
    if path.suffix not in RUNNERS:
        raise ProgramUnusable(f"{path} is not executable", at=("path",), hint=f"chmod +x {path}")
    if path.suffix == ".py":
        return (sys.executable, str(path))
    runner, *options = RUNNERS[path.suffix]
    if (installed := shutil.which(runner)) is None:
        raise ProgramUnusable(f"{path} needs {runner}, which is not installed here", at=("path",))
    return (installed, *options, str(path))


def _names_its_interpreter(path: Path) -> bool:
    """Say whether a script says what runs it; on some file systems and in images every file is executable."""
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return True  # executable and not readable: no script


def _check_place(entry: PluginConfig, program: Program) -> None:
    """See that a program's folder is there, and a module where Python looks for it."""
    if entry.working_directory is not None and not program.folder.is_dir():
        raise ProgramUnusable(f"there is no folder {program.folder}", at=("working_directory",))
    top = entry.python.partition(".")[0]
    # Of what is in a package only importing it would tell, and a plugin's code is nothing to run here.
    if top and PathFinder.find_spec(top, [str(program.folder)]) is None and find_spec(top) is None:
        hint = f"install it there, or put it into {program.folder}"
        raise ProgramUnusable(f"Hector's Python has no module {top!r}", at=("python",), hint=hint)


def _check(said: Manifest) -> None:
    """See that a manifest is for this version of Hector."""
    wanted = said.says.hector_version
    try:
        if wanted and not manifests.suits(wanted):
            raise ProgramUnusable(
                f"{said.file} says that the plugin needs Hector {wanted}, and this is {VERSION}",
                hint="install a version of one that fits the other",
            )
    except ValueError:
        raise ProgramUnusable(
            f'{said.file}: hector_version {wanted!r} is no range of versions, as ">=1.0,<2"'
        ) from None


def require_badge(name: str, program: Program) -> None:
    """See that the program as it is now has passed its conformance test.

    Raises:
        ProgramUnusable: It has not.
    """
    from hector_plugin.conformance import badge_for, file_of

    how = f"hector plugin test --badge -- {' '.join(program.command)}"
    if not program.command:
        why = (
            f"plugins.require_conformance: {name!r} is no program of this machine, so nothing vouches for it"
        )
        raise ProgramUnusable(why, hint="take require_conformance out, or start it as a program")
    executable = file_of(program.command)
    badge = badge_for(executable)
    if badge is None:
        raise ProgramUnusable(f"plugins.require_conformance: {executable} has no badge", hint=f"run {how}")
    if not badge.stands_for(executable):
        why = f"plugins.require_conformance: {executable} is not what its badge was given for"
        raise ProgramUnusable(why, hint=f"run {how} again")
