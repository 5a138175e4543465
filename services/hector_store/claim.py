"""One owner of the runs of a database, as long as runs cannot be taken over by lease."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from grpc import StatusCode

from hector_mesh import HectorError

from .file_lock import FileLock, Held


class DatabaseInUse(HectorError):
    """Another process works on the runs of this database."""

    code, reason = StatusCode.FAILED_PRECONDITION, "DATABASE_IN_USE"

    def __init__(self, database: str, holder: str) -> None:
        who = f"process {holder}" if holder else "another process"
        super().__init__(
            f"{who} works on the runs in {database}: stop it, or give this one a database of its own "
            "with --database or `storage.database:` in the config",
            database=database,
        )


@asynccontextmanager
async def claimed_file(file: Path | None) -> AsyncIterator[None]:
    """Own the runs of a database in a file until the block ends. One in memory is its process's alone anyway.

    Raises:
        DatabaseInUse: Another process owns them.
    """
    if file is None:
        yield
        return
    try:
        lock = FileLock(file.with_name(f"{file.name}-owner"))
    except Held as held:
        raise DatabaseInUse(str(file), held.holder) from None
    try:
        yield
    finally:
        lock.release()
