"""The private folder of one life of a plugin: its sockets stand there, and nobody else gets in."""

import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import guard

PREFIX = "hp-1-"
"""The number says that whoever made a folder of this name holds it as long as it lives; see `sweep`."""
LONGEST_PARENT = 40
"""Bytes: a socket's path may have 107, and plugins choose long names."""
YOUNG_S = 60.0
"""A folder that nobody holds may be one that is just being made."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make the folder, with mode 0700 and a short path; with everything in it, it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_parent()))
    try:
        with _held(folder):
            yield folder
    finally:
        guard.remove(str(folder))


def sweep() -> int:
    """Remove what hosts of the same user left that were killed, guard and all; return how many folders.

    The kernel lets go of a folder with the last of the host that held it, in whatever container that ran.
    What a plugin of such a host has still running is ended with its folder.
    """
    count = 0
    for folder in _parent().glob(f"{PREFIX}*"):
        with suppress(OSError):  # it is gone meanwhile, or held by a host at work
            found = folder.lstat()
            is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            if is_own and time.time() - found.st_mtime > YOUNG_S:
                with _held(folder):
                    guard.end_marked({str(folder)})
                    guard.remove(str(folder))
                count += not folder.exists()
    return count


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a folder, which no two can.

    Raises:
        OSError: Somebody else holds it, or it is not there.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(held)


def _parent() -> Path:
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) <= LONGEST_PARENT else Path("/tmp")
