"""Goes through the files below a folder, in order, and never out of it."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hector_tool.folder import Opened
from hector_tool.secret_names import is_secret

EXCLUDED = frozenset({
    ".git", ".hg", ".svn", ".hector", "node_modules", "bower_components", "__pycache__", ".venv", "venv",
    ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".cache", ".gradle", ".terraform", ".next",
    "site-packages",
})  # fmt: skip
"""Folders that are not entered unless they are asked for by name: made by programs, for programs."""
DEEPEST = 64
"""Folders in folders to go into; each takes an open descriptor."""


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file, open until the next one is asked for."""

    fd: int
    path: tuple[str, ...]
    """Names from the tool's root down."""
    size_bytes: int


def files_below(
    folder: Opened, *, recursive: bool, wanted: Callable[[tuple[str, ...]], bool], stopped: Callable[[], bool]
) -> Iterator[Found]:
    """Yield the files of a folder and, if `recursive`, of those in it, by name.

    Links are not followed: what they point to inside the folder is found where it is. Secrets are left out,
    and so is what vanishes or cannot be opened meanwhile.
    """
    if not stopped():
        yield from _below(folder.fd, folder.path, DEEPEST if recursive else 0, wanted, stopped)


def _below(
    fd: int,
    path: tuple[str, ...],
    depth: int,
    wanted: Callable[[tuple[str, ...]], bool],
    stopped: Callable[[], bool],
) -> Iterator[Found]:
    with os.scandir(fd) as scanned:
        entries = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in scanned)
    for name, is_folder in entries:
        if stopped():
            return
        here = (*path, name)
        if is_secret((name,)) or (name in EXCLUDED if is_folder else not wanted(here)):
            continue
        if is_folder and not depth:
            continue
        opened = _opened(name, fd, is_folder)
        if opened is None:
            continue
        try:
            if is_folder:
                yield from _below(opened.fd, here, depth - 1, wanted, stopped)
            else:
                yield Found(opened.fd, here, opened.size_bytes)
        finally:
            os.close(opened.fd)


def _opened(name: str, folder: int, is_folder: bool) -> Found | None:
    kind = stat.S_ISDIR if is_folder else stat.S_ISREG
    try:
        if not kind(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return None
        fd = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=folder
        )
    except OSError:
        return None
    found = os.fstat(fd)
    if kind(found.st_mode):
        return Found(fd, (), found.st_size)
    os.close(fd)
    return None
