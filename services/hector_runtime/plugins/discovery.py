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
class Rejected:
    """A manifest, or a folder, that is of no use."""

    why: str
    """A sentence that names it."""
    name: str = ""
    """The plugin's, as far as that can be told."""
    folder: int = 0
    """In which of discovery's folders it is, from 0."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What was found."""

    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    """By the plugin's name; of several, that in the first folder."""
    rejected: tuple[Rejected, ...] = ()
    """What is of no use. Where nobody has asked for it, it is in nobody's way."""

    def problem_of(self, name: str) -> str:
        """Return why the manifest of a plugin is of no use; empty if there seems to be none."""
        return next((one.why for one in self.rejected if one.name == name), "")

    @property
    def nameless(self) -> str:
        """What was rejected without anybody knowing which plugins that were; empty if there is nothing."""
        return "; ".join(one.why for one in self.rejected if not one.name)


def catalogue(config: DiscoveryConfig) -> Catalogue:
    """Look through the folders that discovery names."""
    found: dict[str, Manifest] = {}
    rejected: list[Rejected] = []
    for index, folder in enumerate(config.paths if config.enabled else ()):
        for file in _manifests(folder, deep=config.scan_subdirectories):
            if isinstance(file, FileNotFoundError):
                if not config.may_be_missing(folder):
                    rejected.append(Rejected(f"there is no folder {folder}", folder=index))
                continue
            if isinstance(file, OSError):
                why = f"{file.filename} cannot be looked through: {file.strerror}"
                rejected.append(Rejected(why, folder=index))
                continue
            if why := untrustworthy(file):
                rejected.append(Rejected(why, manifest.name_in(file), index))
                continue
            try:
                read = manifest.read(file)
            except ConfigInvalid as error:
                why = "; ".join(map(str, error.problems))
                rejected.append(Rejected(why, manifest.name_in(file), index))
                continue
            first = found.setdefault(read.name, read)
            if first is not read:
                why = f"{file} is passed over: {first.file} is called {read.name!r}, too, and was found first"
                rejected.append(Rejected(why, read.name, index))
    return Catalogue(found, tuple(rejected))


def _manifests(folder: Path, *, deep: bool, depth: int = 0) -> Iterator[Path | OSError]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield error
        return
    for entry in entries:
        if entry.name in manifest.NAMES or entry.name.endswith(manifest.SUFFIXES):
            if entry.is_file():
                yield entry
        elif deep and depth < DEEPEST and entry.is_dir() and not entry.is_symlink():
            yield from _manifests(entry, deep=deep, depth=depth + 1)
