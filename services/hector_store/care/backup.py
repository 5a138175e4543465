"""Backups of SQLite databases: taken while the server writes, read through before they count, put back."""

import asyncio
import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from hector_store.migrations import HEAD, KNOWN, VERSION_TABLE
from hector_store.sqlite import explained
from hector_store.url import Place

from .errors import BackupExists, BackupFailed, BackupUnusable, NoDatabase, NotInAFile, StillInUse

_BESIDE = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Backup:
    """A file that holds a database as it was at one moment."""

    file: str
    size_bytes: int
    schema: str
    runs: int


async def back_up(place: Place, file: Path) -> Backup:
    """Write a backup, and read it through; there is no file unless it is good.

    The server goes on writing meanwhile. Its log grows until the copy is done.

    Raises:
        HectorError: There is none: NoDatabase, BackupExists, BackupFailed, BackupUnusable.
    """
    return await asyncio.to_thread(_back_up, _file_of(place, "use the server's own tools"), place, file)


async def verified(file: Path) -> Backup:
    """Read a backup through, and say what is in it.

    Raises:
        BackupUnusable: It is damaged, or none.
    """
    return await asyncio.to_thread(_verified, file, file)


async def restore(place: Place, file: Path) -> Path | None:
    """Put a backup in the place of a database, and return where that is now; None when there was none.

    Raises:
        HectorError: Nothing was changed: BackupUnusable, StillInUse, BackupFailed.
    """
    target = _file_of(place, "its server's own tools restore it")
    await verified(file)
    return await asyncio.to_thread(_restore, target, place, file)


def _file_of(place: Place, advice: str) -> Path:
    if place.file is None:
        raise NotInAFile(place.name, advice)
    return place.file


def _back_up(source: Path, place: Place, file: Path) -> Backup:
    if os.path.lexists(file):
        raise BackupExists(str(file))
    if not source.exists():
        raise NoDatabase(place.name)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(source, partial)
        found = _verified(partial, file)
        _sync(partial)
        os.link(partial, file)  # unlike a rename it replaces nothing that came in between
    except FileExistsError:
        raise BackupExists(str(file)) from None
    except sqlite3.Error as error:
        failure = explained(error, place)
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            raise BackupFailed(str(file), f"{error}; see whether its disk is full") from error
        raise failure from error
    except OSError as error:
        raise BackupFailed(str(file), error.strerror or type(error).__name__) from error
    finally:
        _remove(partial)
    _sync(file.parent)
    return found


def _copy(source: Path, target: Path) -> None:
    """Copy one moment of a database, in one step: between several, every write would begin it anew."""
    with (
        closing(sqlite3.connect(f"file:{_quoted(source)}?mode=ro", uri=True, timeout=10)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        writing.execute("PRAGMA synchronous = OFF")  # it is synced as a whole
        reading.backup(writing, pages=-1)
        writing.execute("PRAGMA journal_mode = DELETE")  # one file, and not three


def _verified(file: Path, name: Path) -> Backup:
    if not file.exists():
        raise BackupUnusable(str(name), "there is no such file", "name another one")
    try:
        with closing(sqlite3.connect(f"file:{_quoted(file)}?mode=ro", uri=True)) as connection:
            lines = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            if lines != ["ok"]:
                raise BackupUnusable(str(name), "; ".join(map(str, lines)))
            [schema] = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() or [""]
            [runs] = connection.execute("SELECT count(*) FROM runs").fetchone()
    except sqlite3.Error as error:
        raise BackupUnusable(str(name), str(error)) from error
    if schema not in KNOWN:
        raise BackupUnusable(
            str(name), f"its schema is {schema}, and this version knows {HEAD}", "upgrade hector"
        )
    return Backup(str(name), file.stat().st_size, schema, runs)


def _restore(target: Path, place: Place, file: Path) -> Path | None:
    """Copy first, then swap: at no time is there half a database."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.restoring")
    _refuse_in_use(target, place)
    aside: Path | None = None
    try:
        _copy(file, partial)
        partial.chmod(0o600)
        _sync(partial)
        if target.exists():
            aside = target.with_name(f"{target.name}.before-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
            _move(target, aside)
        try:
            partial.rename(target)
        except OSError:
            if aside is not None:
                _move(aside, target)
            raise
    except OSError as error:
        raise BackupFailed(str(target), error.strerror or type(error).__name__) from error
    finally:
        _remove(partial)
    _sync(target.parent)
    return aside


def _move(database: Path, target: Path) -> None:
    for end in ("", *_BESIDE):
        with suppress(FileNotFoundError):
            database.with_name(database.name + end).rename(target.with_name(target.name + end))


def _refuse_in_use(target: Path, place: Place) -> None:
    """See that nobody has the database open: the file would be taken away under him."""
    if not target.exists():
        return
    try:
        with closing(sqlite3.connect(target, timeout=1)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.rollback()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise StillInUse(place.name) from error
    except sqlite3.DatabaseError:
        return  # damaged: that is why it is replaced


def _remove(partial: Path) -> None:
    for end in ("", "-journal", *_BESIDE):
        with suppress(FileNotFoundError):
            partial.with_name(partial.name + end).unlink()


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _quoted(file: Path) -> str:
    return str(file.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
