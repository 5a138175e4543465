"""What plugins keep with their host: a small table in a file of its own, that no plugin can reach.

One file per plugin, so that one that writes much keeps no other waiting; several processes of one machine may
share it. Values are kept apart by app.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from .refusals import KeyNotUsable, StateFull

LONGEST_KEY = 256
MOST_KEYS = 1_000
"""Of one page."""
USUAL_KEYS = 100
ENTRY_BYTES = 64
"""What a value costs beside its key and itself, so that empty ones are not free."""

T = TypeVar("T")

_TABLE = """
create table if not exists kept (
    app text not null, key text not null, value blob not null, until real, primary key (app, key)
) without rowid
"""
_SIZE = f"select coalesce(sum(length(cast(key as blob)) + length(value) + {ENTRY_BYTES}), 0) from kept"


class PluginState:
    """One plugin's."""

    def __init__(
        self, plugin: str, file: Path | None, limit_bytes: int, now: Callable[[], float] = time.time
    ) -> None:
        """Prepare; the file is made when something is kept.

        Args:
            plugin: Its name, for errors.
            file: Where; None: in memory only.
            limit_bytes: How much all values together may take.
            now: Tells the time, in seconds since 1970.
        """
        self._plugin, self._file, self.limit_bytes, self._now = plugin, file, limit_bytes, now
        self._database: sqlite3.Connection | None = None
        self._turn = asyncio.Lock()

    async def get(self, app: str, key: str) -> bytes | None:
        """Return what is kept under a key; None: nothing is.

        Raises:
            KeyNotUsable: It is no key.
        """
        _check(key)

        def read(database: sqlite3.Connection) -> bytes | None:
            row = database.execute("select value from kept where app = ? and key = ?", (app, key)).fetchone()
            return bytes(row[0]) if row else None

        return await self._do(read)

    async def put(self, app: str, key: str, value: bytes, ttl_s: int = 0) -> None:
        """Keep a value.

        Args:
            app: Whose it is.
            key: What it is found by.
            value: What to keep.
            ttl_s: Forget it after so long; 0: never.

        Raises:
            KeyNotUsable: It is no key.
            StateFull: There is no room for it; what was there before is still there.
        """
        _check(key)
        until = self._now() + ttl_s if ttl_s else None

        def write(database: sqlite3.Connection) -> None:
            database.execute(
                "insert into kept values (?, ?, ?, ?) on conflict (app, key) "
                "do update set value = excluded.value, until = excluded.until",
                (app, key, value, until),
            )
            if database.execute(_SIZE).fetchone()[0] > self.limit_bytes:
                raise StateFull(self._plugin, self.limit_bytes)

        await self._do(write)

    async def remove(self, app: str, key: str) -> None:
        """Forget a value, if there is one.

        Raises:
            KeyNotUsable: It is no key.
        """
        _check(key)

        def write(database: sqlite3.Connection) -> None:
            database.execute("delete from kept where app = ? and key = ?", (app, key))

        await self._do(write)

    async def keys(self, app: str, prefix: str, size: int, after: str) -> tuple[list[str], str]:
        """Return a page of keys in order, and what to ask the next one with; empty after the last.

        Args:
            app: Whose.
            prefix: Only those that begin so.
            size: How many at most; 0: a hundred.
            after: What the page before said.
        """
        most = min(size or USUAL_KEYS, MOST_KEYS)

        def read(database: sqlite3.Connection) -> list[str]:
            rows = database.execute(
                "select key from kept where app = ? and key > ? and substr(key, 1, ?) = ? "
                "order by key limit ?",
                (app, after, len(prefix), prefix, most + 1),
            )
            return [row[0] for row in rows]

        found = await self._do(read)
        return found[:most], found[most - 1] if len(found) > most else ""

    async def close(self) -> None:
        """Let go of the file."""
        async with self._turn:
            database, self._database = self._database, None
            if database is not None:
                await asyncio.to_thread(database.close)

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        async with self._turn:
            return await asyncio.to_thread(self._in_transaction, work)

    def _in_transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        database = self._opened()
        with _transaction(database):
            database.execute("delete from kept where until <= ?", (self._now(),))
            return work(database)

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            if self._file is not None:
                self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = self._file if self._file is not None else ":memory:"
            database = sqlite3.connect(place, timeout=10, isolation_level=None, check_same_thread=False)
            database.execute(_TABLE)
            self._database = database
        return self._database


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    with closing(database.cursor()) as cursor:
        cursor.execute("begin immediate")
        try:
            yield
        except BaseException:
            cursor.execute("rollback")
            raise
        cursor.execute("commit")


def _check(key: str) -> None:
    size = len(key.encode())
    if not 0 < size <= LONGEST_KEY:
        raise KeyNotUsable(size)
