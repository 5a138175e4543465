"""One open database: everything is written by one writer in groups, and read beside it."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from .errors import StorageClosed
from .group_commit import Fault, each
from .migrate import migrate
from .sqlite import explained, fault_of, prepare_file, reader_engine, writer_engine
from .url import Place
from .work import QUEUE_BYTES, QUEUE_ROWS, AnyWork, Many, WriteQueue
from .writer import RETRY_PAUSE_S, WriterThread

READERS = 4
BUSY_S = 10.0
"""How long another process's lock is waited for."""

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741


class Database:
    """Made by `opened`. Belongs to the event loop it was opened on.

    Functions given to it get a SQLAlchemy connection inside a transaction, run in a thread, and must have no
    effect but on the database: they may be called again.
    """

    def __init__(
        self,
        place: Place,
        *,
        busy_s: float = BUSY_S,
        queue_rows: int = QUEUE_ROWS,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self.name = place.name
        """What messages call it: the file, for example."""
        self._place, self._busy_s = place, busy_s
        self._write_engine = writer_engine(place, busy_s)
        # In memory there is one connection: readers share it, and take turns with the writer.
        in_memory = place.file is None
        self._read_engine = self._write_engine if in_memory else reader_engine(place, busy_s, READERS)
        self._turn = threading.Lock() if in_memory else nullcontext()
        self._readers = ThreadPoolExecutor(
            1 if in_memory else READERS, thread_name_prefix="hector-store-reader"
        )
        self._queue = WriteQueue(self._put, place.name, queue_rows, queue_bytes)
        self._writer = WriterThread(
            place, self._write_engine, self._queue.settle, busy_s=busy_s, exclusive=self._turn
        )

    @property
    def file(self) -> Path | None:
        """Where it is; None when it is in memory."""
        return self._place.file

    async def open(self) -> None:
        """Make the file if there is none, bring its tables up to date, and start the writer.

        Raises:
            HectorError: The database cannot be used; the message names the file and the next step.
        """
        try:
            await self._in_thread(self._prepare)
        except BaseException:
            self._queue.closed = True
            await asyncio.to_thread(self._readers.shutdown)  # cancelled: the thread is still at it
            self._dispose()
            raise
        self._writer.start()

    async def write(self, function: Callable[[Connection], T], *, rows: int = 1, size_bytes: int = 0) -> T:
        """Call `function` within the next group commit, and return what it returned once that is durable.

        A caller that is cancelled waits for the outcome all the same.

        Args:
            function: What to write.
            rows: About how many rows, for the bound of the queue.
            size_bytes: About how many bytes, likewise.

        Raises:
            HectorError: RESOURCE_EXHAUSTED: the queue is full. See `errors` for the others.
            Exception: Whatever the function raised; what it had written is undone.
        """
        return await self._queue.submit(each, function, rows, size_bytes)

    async def write_together(self, many: Many[I, T], item: I, *, rows: int = 1, size_bytes: int = 0) -> T:
        """Write `item` in one go with all that others write by the same `many`; otherwise like `write`."""
        return await self._queue.submit(many, item, rows, size_bytes)

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Call `function` on one moment of the database, and return what it returned."""
        if self._queue.closed:
            raise StorageClosed(self.name)
        return await self._in_thread(self._read, function)

    async def close(self) -> None:
        """Write what was admitted, and let go of the file. Later calls fail with StorageClosed."""
        if self._queue.closed:
            return
        self._queue.flush()
        self._queue.closed = True
        try:
            # Readers first: in memory they use the writer's connection.
            await asyncio.to_thread(self._readers.shutdown)
        finally:
            await self._writer.close()
            self._dispose()

    def _put(self, works: list[AnyWork]) -> None:
        self._writer.put(works)

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
                    migrate(connection, self.name)
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
