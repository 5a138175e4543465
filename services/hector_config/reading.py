"""Reads a file's bytes, whatever kind of file it is, without waiting for ever."""

import errno
import os
import select
from pathlib import Path

PATIENCE_S = 5.0
"""How long a pipe may be silent: `--config <(make-config)` is one, and one that nobody fills is another."""


def read_bytes(file: Path, most: int) -> bytes:
    """Return what is in a file, but no more than `most` bytes and one.

    Raises:
        OSError: It is not there, may not be read, or is a pipe into which nobody writes.
    """
    with open(file, "rb", buffering=0, opener=_at_once) as stream:  # Path.open has no opener
        pieces: list[bytes] = []
        left = most + 1
        while left:
            if not select.select([stream], [], [], PATIENCE_S)[0]:
                raise TimeoutError(errno.ETIMEDOUT, f"nothing came from it within {PATIENCE_S:g} s")
            piece = stream.read(min(left, 1 << 20))
            if piece is None:
                continue  # somebody else was quicker
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


def _at_once(path: str, flags: int) -> int:
    # A pipe opens without its writer: so there is something to wait for that ends.
    return os.open(path, flags | os.O_NONBLOCK)
