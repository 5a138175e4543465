"""A file that one process at a time holds, until it lets go or dies, however it dies."""

import fcntl
import os
from pathlib import Path


class Held(Exception):
    """Somebody else holds the file; `holder` is the number of the process, if it is known."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class FileLock:
    """Holds `path` for this process. The file stays; what counts is the kernel's lock on it."""

    def __init__(self, path: Path) -> None:
        """Take it.

        Raises:
            Held: Another holder, in this process or elsewhere, was first.
            OSError: The file cannot be made.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise Held(holder) from None
        # A hint for people: whoever is refused can say by whom.
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go."""
        os.close(self._file)
