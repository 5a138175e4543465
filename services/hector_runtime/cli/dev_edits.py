"""What an author has edited in a plugin's folder, told from what builds, servers and plugins write there."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from hector_runtime.plugins.folder import walk

LEFT_OUT = frozenset(
    {
        *("target", "build", "dist", "out", "node_modules", "__pycache__", "venv"),
        *(
            "package-lock.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "Cargo.lock",
            "go.sum",
            "uv.lock",
            "poetry.lock",
        ),
    }
)
"""Folders of what is built, and files that a build writes itself."""
DATA = (".db", ".sqlite", ".sqlite3", ".db-wal", ".db-shm", ".db-journal", ".sqlite3-wal", ".log", "~")
"""How files end that a running plugin writes, or an editor."""


class _Seen(NamedTuple):
    modified_ns: int
    size_bytes: int
    digest: bytes


class Edits:
    """Compares what a folder's sources hold with what they held when it was last asked."""

    def __init__(self, folder: Path) -> None:
        """Look at them for the first time."""
        self._folder, self._built = folder, frozenset[str]()
        self._seen: dict[str, _Seen] = {}
        self.since()

    def since(self) -> set[str]:
        """Return the names of sources that hold something else than the last time, are new, or are gone."""
        before, self._seen = self._seen, self._look(self._seen)
        return {
            name
            for name in {*before, *self._seen}
            if name not in before or name not in self._seen or before[name].digest != self._seen[name].digest
        }

    def leave_out(self, built: frozenset[str]) -> None:
        """From now on, these are no sources."""
        self._built = built
        for name in built:
            self._seen.pop(name, None)

    def _look(self, before: dict[str, _Seen]) -> dict[str, _Seen]:
        found: dict[str, _Seen] = {}
        for name, path in walk(self._folder, LEFT_OUT):
            if name in self._built or name.endswith(DATA):
                continue
            try:
                status = path.stat()
                known = before.get(name)
                if known is None or known[:2] != (status.st_mtime_ns, status.st_size):
                    digest = hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""
                    known = _Seen(status.st_mtime_ns, status.st_size, digest)
            except OSError:  # gone since the folder was read, or nobody may read it
                continue
            found[name] = known
        return found


def built_in(folder: Path) -> frozenset[str]:
    """Return what a build has made of what the manifest starts: programs that are no scripts."""
    from hector_config import ConfigInvalid
    from hector_runtime.plugins import manifest

    file = manifest.beside(folder)
    try:
        says = manifest.read(file).says if file else None
    except ConfigInvalid:  # to be said when it is to be started
        return frozenset()
    commands = [place.command for place in says.platforms.values()] + [says.command] if says else []
    found = set()
    for path in (folder / command[0] for command in commands if command):
        if path.is_file() and path.is_relative_to(folder) and not _is_script(path):
            found.add(path.relative_to(folder).as_posix())
    return frozenset(found)


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"
