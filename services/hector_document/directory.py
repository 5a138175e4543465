"""The source `directory`: which files there are, and what is in them."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from hector_document.config import SourceConfig
from hector_document.errors import DocumentUnreadable, SourceUnavailable
from hector_document.formats import extension_of, is_text
from hector_document.globs import Globs

_LONGEST_NAME = 200
_LONGEST_SOURCE = 2000


@dataclass(frozen=True, slots=True)
class File:
    """One file of the source, as it was when it was looked at."""

    document: str
    """Its name within the store: the path from the source on, shortened when nobody could store it."""
    source: str
    """How it is cited."""
    path: Path
    size_bytes: int
    modified_us: int


class Directory:
    """A folder and all below it. Links are followed to files inside of it, and nowhere else."""

    def __init__(self, config: SourceConfig) -> None:
        self._config = config
        self._include = Globs(config.include)
        self._exclude = Globs(config.exclude)
        self.more: frozenset[str] = frozenset()
        """Extensions that are read besides text, by parsers that are plugins."""

    @property
    def path(self) -> Path:
        return self._config.path

    def files(self) -> list[File]:
        """Return the files to index, by name.

        Raises:
            SourceUnavailable: The folder is not there, or may not be read.
        """
        try:
            root = self._config.path.resolve(strict=True)
            names = self._config.relative_to.resolve()
            inside = root.relative_to(names).as_posix() if root.is_relative_to(names) else ""
            found = list(self._walk(root, root, "", "" if inside == "." else inside))
        except OSError as error:
            raise SourceUnavailable(
                f"the folder {self._config.path} cannot be read: {error.strerror or error}; what was indexed "
                "stays, and it is tried again: bring the folder back, or correct source.path",
                path=self._config.path,
            ) from error
        return sorted(found, key=lambda file: file.document)

    def concerns(self, path: str) -> bool:
        """Return whether something that happened to a path may change what there is to index."""
        try:
            below = Path(path).relative_to(self._config.path.resolve()).as_posix()
        except ValueError:
            return True
        # Kubernetes swaps whole volumes by a link of this name.
        return "..data" in below or not self._exclude.match_any(below)

    def read(self, file: File) -> bytes:
        """Return what is in a file.

        Raises:
            DocumentUnreadable: It is too large, or no file any more.
            FileNotFoundError: It has gone meanwhile.
            OSError: It may not be read.
        """
        limit = self._config.max_file_size
        # Not waiting for the other end of a pipe, and not following a link that was put there meanwhile.
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as content:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise DocumentUnreadable("it is not a file")
            if found.st_size > limit:
                message = (
                    f"it has {found.st_size} bytes, more than source.max_file_size allows ({limit}); "
                    "raise that, or leave it out with source.exclude"
                )
                raise DocumentUnreadable(message, found=found.st_size, allowed=limit)
            return content.read(limit + 1)

    def _walk(self, root: Path, folder: Path, below: str, named: str) -> Iterator[File]:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{below}/{entry.name}" if below else entry.name
                if self._exclude.match(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    try:
                        yield from self._walk(root, Path(entry.path), name, named)
                    except (PermissionError, FileNotFoundError):
                        continue  # what is in it cannot be known
                elif self._wanted(name):
                    found = self._file(root, entry, name, f"{named}/{name}" if named else name)
                    if found is not None:
                        yield found

    def _wanted(self, name: str) -> bool:
        if self._include:
            return self._include.match(name)
        return is_text(name) or extension_of(name) in self.more

    def _file(self, root: Path, entry: os.DirEntry[str], name: str, source: str) -> File | None:
        try:
            path = Path(entry.path)
            if entry.is_symlink():
                path = path.resolve(strict=True)
                if not path.is_relative_to(root):
                    return None
            found = path.stat()
        except (OSError, RuntimeError):
            return None  # gone, or a link to nowhere
        if not stat.S_ISREG(found.st_mode):
            return None
        return File(
            _shown(name, _LONGEST_NAME),
            _shown(source, _LONGEST_SOURCE),
            path,
            found.st_size,
            found.st_mtime_ns // 1000,
        )


def _shown(name: str, longest: int) -> str:
    """Return a file name as one line of text, not too long to be an id; another name stays another name."""
    if not name.isprintable():
        # Bytes that are no UTF-8, and line feeds: a model would read what follows as something else.
        digest = blake2b(os.fsencode(name), digest_size=6).hexdigest()
        text = os.fsencode(name).decode("utf-8", "replace")
        name = "".join(letter if letter.isprintable() else "\ufffd" for letter in text) + f"~{digest}"
    if len(name) <= longest and len(name.encode()) <= 2 * longest:
        return name
    digest = blake2b(name.encode(), digest_size=12).hexdigest()
    tail = name.encode()[-longest // 2 :].decode("utf-8", "ignore")
    return f"{digest}~{tail}"
