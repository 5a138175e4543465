"""What is special about SQLite: its file, its settings, its errors, its lock. Nothing else knows them."""

import errno
import os
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import Pool, QueuePool, StaticPool

from hector_mesh import HectorError

from .errors import (
    StorageBusy,
    StorageCorrupt,
    StorageFailed,
    StorageFolderMissing,
    StorageFull,
    StorageReadOnly,
)
from .group_commit import Fault
from .sqlite_turns import Turnstile
from .url import Place

STATE_FOLDER = ".hector"
_BEGIN = "hector_begin"
"""The engine's option that says how its transactions begin."""

Identity = tuple[int, int] | None
_MAGIC = b"SQLite format 3\0"
_BUSY = {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL"}
_LOST = {
    "SQLITE_AUTH",
    "SQLITE_CANTOPEN",
    "SQLITE_CORRUPT",
    "SQLITE_FULL",
    "SQLITE_INTERRUPT",
    "SQLITE_IOERR",
    "SQLITE_NOMEM",
    "SQLITE_NOTADB",
    "SQLITE_PERM",
    "SQLITE_READONLY",
}
_SETTINGS = (
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "cache_size = -4096",  # 4 MiB: what is written lies together at the end
    # Pages, 16 MiB. A checkpoint holds all writers up; but until the first one the log grows, and a file that
    # grows takes twice as long to sync as one that is written over.
    "wal_autocheckpoint = 4000",
    "journal_size_limit = 67108864",
)
_LEAST_SPACE_BYTES = 64 * 1024
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


# sqlite3 binds these as they are, but not before it has looked in vain for somebody who converts them: that
# takes five times as long as being told. Each of these returns what it is given, without a step of Python.
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(type(None), dict[None, None]().get)


def writer_engine(place: Place, busy_s: float) -> Engine:
    """Return the engine of the one writer: a transaction takes the write lock when it begins."""
    if place.file is None:
        return _engine(place, busy_s, begin=_begin_writing, pool=StaticPool)
    turnstile = Turnstile(place.file, busy_s)
    # It waits by itself: SQLite must not. Last, since the settings may have to wait.
    engine = _engine(place, busy_s, "busy_timeout = 0", begin=turnstile.begin, pool=StaticPool)
    event.listen(engine, "engine_disposed", lambda _: turnstile.close())
    return engine


def _begin_writing(driver: Any) -> None:
    driver.execute("BEGIN IMMEDIATE")


def _begin_reading(driver: Any) -> None:
    driver.execute("BEGIN")


def reader_engine(place: Place, busy_s: float, readers: int) -> Engine:
    """Return the engine of the readers of a file: they see what is committed and can write nothing."""
    return _engine(
        place,
        busy_s,
        "query_only = ON",
        begin=_begin_reading,
        pool=QueuePool,
        pool_size=readers,
        max_overflow=0,
    )


class Transaction:
    """A transaction of a connection, begun and ended on its driver.

    Most of what is written goes there directly, see `compiled`; what SQLAlchemy does around a transaction
    costs several times what SQLite does. Its own joins this one when something is asked through it.
    """

    __slots__ = ("_connection", "_driver")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = connection.connection.dbapi_connection

    def __enter__(self) -> None:
        self._connection.get_execution_options()[_BEGIN](self._driver)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        connection, driver = self._connection, self._driver
        try:
            if kind is None:
                driver.commit()
        finally:
            if connection.in_transaction():
                connection.rollback()  # it has nothing left to undo, and forgets it
            if driver.in_transaction:
                driver.rollback()


def prepare_file(place: Place) -> None:
    """Make sure that there is a file to open, readable by nobody else.

    Raises:
        HectorError: There is none, and there cannot be one; or it is not a database.
    """
    file = place.file
    if file is None:
        return
    folder = file.parent
    try:
        if folder.name == STATE_FOLDER and not folder.exists() and folder.parent.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
        if not folder.is_dir():
            raise StorageFolderMissing(place.name, str(folder), is_file=os.path.lexists(folder))
        if not file.exists():
            # SQLite gives the -wal and -shm files the mode of this one.
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        with file.open("rb") as opened:
            start = opened.read(len(_MAGIC))
        for needed in (file, folder):
            if not os.access(needed, os.W_OK):
                raise StorageReadOnly(place.name, f"no permission to write to {needed}")
    except IsADirectoryError:
        raise StorageCorrupt(place.name, "it is a folder") from None
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise StorageFull(place.name) from error
        raise StorageReadOnly(place.name, error.strerror or type(error).__name__) from error
    if start and start != _MAGIC:
        raise StorageCorrupt(place.name, "the file is something else")


def identity(place: Place) -> Identity:
    """Return which file it is that stands at a database's path; None when there is none, or need not be."""
    try:
        found = place.file.stat() if place.file is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


def fault_of(error: Exception) -> Fault:
    """Say what an exception means for the transaction it happened in."""
    name = _name_of(error)
    if name in _BUSY:
        return Fault.RETRY
    return Fault.OF_STORAGE if name in _LOST else Fault.OF_ITEM


def explained(error: Exception, place: Place) -> Exception:
    """Return the error of ours that says what a driver's error means; others as they are."""
    name, detail = _name_of(error), str(getattr(error, "orig", error))
    found: HectorError
    if name in _BUSY:
        found = StorageBusy(place.name)
    elif name == "SQLITE_FULL" or (name == "SQLITE_IOERR" and _is_full(place)):
        found = StorageFull(place.name)
    elif name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        found = StorageCorrupt(place.name, detail)
    elif name in ("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"):
        found = StorageReadOnly(place.name, detail)
    elif name in _LOST:
        found = StorageFailed(place.name, detail)
    else:
        return error
    found.__cause__ = error
    return found


def _is_full(place: Place) -> bool:
    """Tell whether there is no space: SQLite says "disk I/O error" when its shared memory finds none."""
    try:
        found = os.statvfs(place.file.parent) if place.file else None
    except OSError:
        return False
    return found is not None and found.f_bavail * found.f_frsize < _LEAST_SPACE_BYTES


def _name_of(error: Exception) -> str:
    """Return SQLite's own name of an error, without what extends it: SQLITE_IOERR_FSYNC is SQLITE_IOERR."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", None) or ""
    return "_".join(str(name).split("_")[:2])


def _engine(
    place: Place,
    busy_s: float,
    *settings: str,
    begin: Callable[[Any], None],
    pool: type[Pool],
    **options: Any,
) -> Engine:
    engine = create_engine(
        "sqlite://",  # a URL would need the path escaped: sqlite3 gets it as it is
        creator=lambda: _connect(place, busy_s, settings),
        hide_parameters=True,  # errors must not quote what is written
        poolclass=pool,
        execution_options={_BEGIN: begin},
        **options,
    )

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        if not driver.in_transaction:  # see `Transaction`
            begin(driver)

    return engine


def _connect(place: Place, busy_s: float, settings: Sequence[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        place.file or ":memory:",
        timeout=busy_s,
        isolation_level=None,  # sqlite3 begins nothing by itself: the engine's listener does
        check_same_thread=False,
        cached_statements=512,
    )
    try:
        for setting in (f"synchronous = {place.synchronous}", *_SETTINGS, *settings):
            connection.execute(f"PRAGMA {setting}")
        if place.file is not None and connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
