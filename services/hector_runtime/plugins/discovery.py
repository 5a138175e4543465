"""The catalogue: plugins that are there, by their manifests. Being found starts nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hector_config import ConfigInvalid

from . import manifest
from .config import DiscoveryConfig
from .manifest import Manifest
from .trust import untrustworthy

DEEPEST = 5
"""Folders below one that is looked through: nobody means to have a whole disk read."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What was found."""

    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    """By the plugin's name; of several, that in the first folder."""
    problems: Mapping[Path, str] = field(default_factory=dict)
    """Manifests that are of no use, and why. Nobody has asked for them, so they are in nobody's way."""

    def problem_of(self, name: str) -> str:
        """Return why the manifest of a plugin is of no use; empty if there seems to be none."""
        for file, why in self.problems.items():
            if file.name.startswith(f"{name}.") or file.parent.name == name:
                return why
        return ""


def catalogue(config: DiscoveryConfig) -> Catalogue:
    """Look through the folders that discovery names."""
    found: dict[str, Manifest] = {}
    problems: dict[Path, str] = {}
    for folder in config.paths if config.enabled else ():
        for file in _manifests(folder, deep=config.scan_subdirectories):
            if why := untrustworthy(file):
                problems[file] = why
                continue
            try:
                read = manifest.read(file)
            except ConfigInvalid as error:
                problems[file] = "; ".join(map(str, error.problems))
                continue
            if found.setdefault(read.name, read) is not read:
                problems[file] = f"{found[read.name].file} is called {read.name!r} too, and was found first"
    return Catalogue(found, problems)


def _manifests(folder: Path, *, deep: bool, depth: int = 0) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return  # folders that are not there are passed over
    for entry in entries:
        if entry.name in manifest.NAMES or entry.name.endswith(manifest.SUFFIXES):
            if entry.is_file():
                yield entry
        elif deep and depth < DEEPEST and entry.is_dir() and not entry.is_symlink():
            yield from _manifests(entry, deep=deep, depth=depth + 1)
