"""One process per folder."""

import fcntl
import os
from pathlib import Path

from hector_vector.errors import VectorStoreInUse


class FolderLock:
    """Holds a folder for this process until released, or until the process dies, however it dies."""

    def __init__(self, store: str, folder: Path) -> None:
        """Take the folder, making it if need be.

        Raises:
            VectorStoreInUse: Somebody else has it.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise VectorStoreInUse(store, str(folder), _named(holder)) from None
        # Only a hint for people: what counts is the lock, which the kernel takes back from the dead.
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._file)


def _named(holder: str) -> str:
    if holder == str(os.getpid()):
        return f"this process ({holder}) under another name"
    return f"process {holder}" if holder else "another process"
