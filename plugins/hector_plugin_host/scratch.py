"""The private folder of one life of a plugin: its sockets stand there, and nobody else gets in."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import guard

PREFIX = "hp-"
LONGEST_PARENT = 40
"""Bytes: a socket's path may have 107, and plugins choose long names."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make the folder, with mode 0700 and a short path; with everything in it, it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_parent()))
    try:
        yield folder
    finally:
        guard.remove(str(folder))


def _parent() -> Path:
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) <= LONGEST_PARENT else Path("/tmp")
