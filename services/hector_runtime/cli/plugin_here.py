"""The plugin of the folder that a command is given in: what its plugin.yaml starts, and what builds it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click


@dataclass(frozen=True, slots=True)
class Here:
    """A plugin as its manifest describes it."""

    name: str
    command: tuple[str, ...]
    folder: Path
    build: tuple[str, ...] = ()
    """Lines for the shell."""


def plugin_here(folder: Path, *, built: bool = True) -> Here:
    """Read a folder's plugin.yaml.

    Args:
        folder: Where it is.
        built: Whether its program has to be there.

    Raises:
        UsageError: There is none, or it starts nothing.
    """
    import yaml

    from hector_config import ConfigInvalid
    from hector_runtime.plugins import manifest
    from hector_runtime.plugins.config import PluginConfig
    from hector_runtime.plugins.discovery import Catalogue
    from hector_runtime.plugins.program import ProgramUnusable, program_of

    file = manifest.beside(folder)
    if file is None:
        message = f"there is no plugin.yaml in {folder.absolute()}: name what starts the plugin, behind --"
        raise click.UsageError(message)
    try:
        said = manifest.read(file)
        command = program_of(said.name, PluginConfig(path=folder), Catalogue()).command if built else ()
    except ConfigInvalid as error:
        raise click.UsageError("; ".join(map(str, error.problems))) from None
    except ProgramUnusable as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise click.UsageError(f"{error}{hint}") from None
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    build = (written.get("plugin") or written).get("build") or ()
    lines = (build,) if isinstance(build, str) else tuple(map(str, build))
    return Here(said.name, tuple(command), folder.absolute(), lines)


def command_of(argv: Sequence[str]) -> tuple[str, ...]:
    """Return what starts the plugin: as said behind --, or as the manifest here says."""
    if not argv:
        return plugin_here(Path()).command
    from hector_runtime.plugins.program import RUNNERS

    program = Path(argv[0])
    is_script = program.suffix in RUNNERS or not os.access(program, os.X_OK)
    is_script = is_script and len(program.parts) > 1 and program.is_file()
    return (*started_by(program), *argv[1:]) if is_script else tuple(argv)


def command_here() -> tuple[str, ...]:
    """Return what starts the plugin of this folder; empty if it has no manifest."""
    from hector_runtime.plugins import manifest

    return plugin_here(Path()).command if manifest.beside(Path()) else ()


def started_by(script: Path) -> tuple[str, ...]:
    """Return what runs a file that is not executable, as it would be run from a config.

    Raises:
        UsageError: Nothing would.
    """
    from hector_runtime.plugins.program import ProgramUnusable, runnable

    try:
        return runnable(script.absolute())
    except ProgramUnusable as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise click.UsageError(f"{error}{hint}") from None
