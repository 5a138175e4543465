"""A database in a file or in memory: a thread that writes, and a few that read."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from .file_lock import FileLock, Held
from .group_commit import Fault
from .measuring import watch_pool
from .migrate import migrate
from .reader import ReaderThread
from .sqlite import explained, fault_of, prepare_file, reader_engine, writer_engine
from .url import Place
from .work import AnyWork, WriteQueue
from .writer import RETRY_PAUSE_S, WriterThread

READERS = 4  # threads, beside the one for short reads

T = TypeVar("T")


class SQLiteBackend:
    """Belongs to the event loop it was made on."""

    def __init__(self, place: Place, queue: WriteQueue, busy_s: float) -> None:
        self._place, self._busy_s = place, busy_s
        self._write_engine = writer_engine(place, busy_s)
        # In memory there is one connection: readers share it, and take turns with the writer.
        in_memory = place.file is None
        self._read_engine = self._write_engine if in_memory else reader_engine(place, busy_s, READERS + 1)
        watch_pool(self._read_engine.pool)
        turn = threading.Lock() if in_memory else None
        self._turn: AbstractContextManager[object] = turn or nullcontext()
        self._readers = ThreadPoolExecutor(
            1 if in_memory else READERS, thread_name_prefix="hector-store-reader"
        )
        self._short_reads = ReaderThread(place, self._read_engine, turn)
        self._writer = WriterThread(place, self._write_engine, queue.settle, busy_s=busy_s, turn=turn)

    async def open(self) -> None:
        """Make the file if there is none, bring its tables up to date, and start the writer."""
        try:
            await self._in_thread(self._prepare)
        except BaseException:
            await asyncio.to_thread(self._readers.shutdown)  # cancelled: the thread is still at it
            self._dispose()
            raise
        self._short_reads.start()
        self._writer.start()

    def put(self, works: list[AnyWork]) -> None:
        """Hand a batch to the writer."""
        self._writer.put(works)

    async def read(self, function: Callable[[Connection], T], *, short: bool = False) -> T:
        """Call `function` in one of the readers' threads, or in the one for short reads."""
        if short:
            return await self._short_reads.read(function)
        return await self._in_thread(self._read, function)

    async def is_claimed(self) -> bool:
        """Look whether somebody holds the lock that earlier versions held."""
        return self._place.file is not None and await self._in_thread(_is_owned, self._place.file)

    async def close(self) -> None:
        """Readers first: in memory they use the writer's connection."""
        try:
            await self._short_reads.close()
            await asyncio.to_thread(self._readers.shutdown)
        finally:
            await self._writer.close()
            self._dispose()

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, function, *arguments)

    def _read(self, function: Callable[[Connection], T]) -> T:
        try:
            with self._turn, self._read_engine.connect() as connection, connection.begin():
                return function(connection)
        except Exception as error:
            failure = explained(error, self._place)
            if failure is error:
                raise
            raise failure from error

    def _prepare(self) -> None:
        gives_up = time.monotonic() + self._busy_s
        prepare_file(self._place)
        while True:
            try:
                with self._write_engine.connect() as connection, connection.begin():
                    migrate(connection, self._place.name)
            except Exception as error:
                if fault_of(error) is Fault.RETRY and time.monotonic() < gives_up:
                    time.sleep(RETRY_PAUSE_S)
                    continue
                failure = explained(error, self._place)
                if failure is error:
                    raise
                raise failure from error
            else:
                return

    def _dispose(self) -> None:
        self._write_engine.dispose()
        self._read_engine.dispose()


def _is_owned(file: Path) -> bool:
    lock = file.with_name(f"{file.name}-owner")
    if not lock.exists():
        return False
    try:
        FileLock(lock).release()
    except Held:
        return True
    return False
