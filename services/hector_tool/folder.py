"""A folder that nothing leads out of: not `..`, not an absolute path, not a symlink, not a race.

Every name is opened relative to the folder that holds it, without following links, and links are
followed by hand. So what was checked is what is open, whoever renames things meanwhile.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hector_tool.errors import ToolDenied, ToolFailed
from hector_tool.secret_names import is_secret
from hector_tool.text import printable

LINKS = 40
"""Links to follow for one path; more is a circle."""
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """A regular file or a folder, open for reading."""

    fd: int
    path: tuple[str, ...]
    """Its real names from the root down; empty is the root itself."""
    is_folder: bool
    size_bytes: int

    @property
    def name(self) -> str:
        """The path as people write it."""
        return printable("/".join(self.path)) or "."


class Folder:
    """The folder that a tool works in."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def opened(self, path: str) -> Iterator[Opened]:
        """Open the file or folder at `path`: relative to the root, or absolute and below it.

        Raises:
            ToolDenied: It is not in the folder, or holds secrets.
            ToolFailed: It is not there, or neither a file nor a folder.
        """
        walk = _Walk(self._root, path)
        try:
            yield walk.to_the_end()
        finally:
            walk.close()


class _Walk:
    """One path on its way, as a stack of what is open: the root, a folder in it, and so on."""

    def __init__(self, root: Path, path: str) -> None:
        self._path = path
        self._names: list[str] = []
        self._open: list[int] = []
        self._links = 0
        try:
            self._roots = [root.absolute(), root.resolve(strict=True)]
            self._todo = self._steps(path)
            self._open.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            raise ToolFailed(f"the tool's working_directory cannot be opened: {_why(error)}") from error

    def to_the_end(self) -> Opened:
        try:
            while self._todo:
                self._step(self._todo.pop())
            found = os.fstat(self._open[-1])
        except OSError as error:
            raise ToolFailed(f"{self._path}: {_why(error)}") from error
        return Opened(self._open[-1], tuple(self._names), stat.S_ISDIR(found.st_mode), found.st_size)

    def close(self) -> None:
        while self._open:
            os.close(self._open.pop())

    def _step(self, name: str) -> None:
        if name == "..":
            if not self._names:
                raise self._outside()
            self._names.pop()
            os.close(self._open.pop())
            return
        mode = os.stat(name, dir_fd=self._open[-1], follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            self._follow(name)
            return
        self._names.append(name)
        if is_secret(self._names):
            raise ToolDenied(f"{self._path} may hold secrets, which no tool shows", path=self._path)
        # The kind is asked for before opening, since opening some devices does something, and after,
        # since it may have been replaced in between.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        self._check(mode)
        self._open.append(os.open(name, flags, dir_fd=self._open[-1]))
        mode = os.fstat(self._open[-1]).st_mode
        self._check(mode)
        if self._todo and not stat.S_ISDIR(mode):
            raise ToolFailed(f"{self._path}: {'/'.join(self._names)} is a file, not a folder")

    def _follow(self, link: str) -> None:
        self._links += 1
        if self._links > LINKS:
            raise ToolFailed(f"{self._path}: its symbolic links go round in a circle")
        target = os.readlink(link, dir_fd=self._open[-1])
        steps = self._steps(target)
        if target.startswith("/"):
            while self._names:
                self._names.pop()
                os.close(self._open.pop())
        self._todo += steps

    def _steps(self, path: str) -> list[str]:
        """Return the names to go through, the first one last; absolute paths begin at the root."""
        if "\0" in path:
            raise ToolFailed("a path holds no NUL character")
        if path.startswith("/"):
            roots = [root for root in self._roots if Path(path).is_relative_to(root)]
            if not roots:
                raise self._outside()
            parts: tuple[str, ...] = Path(path).relative_to(roots[0]).parts
        else:
            parts = tuple(path.split("/"))
        return [name for name in reversed(parts) if name not in ("", ".")]

    def _check(self, mode: int) -> None:
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            kind = KINDS.get(stat.S_IFMT(mode), "neither a file nor a folder")
            raise ToolFailed(f"{self._path} is {kind}; only files can be read")

    def _outside(self) -> ToolDenied:
        return ToolDenied(
            f"{self._path} is outside the tool's folder; paths are relative to it", path=self._path
        )


def _why(error: OSError) -> str:
    """Return why, without the paths of this machine."""
    match error.errno:
        case errno.ENOENT:
            return "there is no such file or folder"
        case errno.ELOOP:
            return "it was replaced by a symbolic link while it was opened"
    return (error.strerror or "it cannot be read").lower()
