"""One process per folder."""

import os
from pathlib import Path

from hector_store import FileLock, Held
from hector_vector.errors import VectorStoreInUse


def locked(store: str, folder: Path) -> FileLock:
    """Take the folder for this process, making it if need be.

    Raises:
        VectorStoreInUse: Somebody else has it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return FileLock(folder / "lock")
    except Held as held:
        raise VectorStoreInUse(store, str(folder), _named(held.holder)) from None


def _named(holder: str) -> str:
    if holder == str(os.getpid()):
        return f"this process ({holder}) under another name"
    return f"process {holder}" if holder else "another process"
