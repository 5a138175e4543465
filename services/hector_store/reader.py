"""Short reads of a SQLite database: a thread that does all that wait in one go.

Going to a thread and back costs more than what such a read takes there, so those of one turn of the event
loop go together. In memory, where there is no disk to wait for, they are done on the event loop, unless
somebody else uses the connection.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from .sqlite import explained
from .url import Place

log = logging.getLogger(__name__)

QUICK_READS = 256
"""How many are done on the event loop in one go: a few milliseconds of work."""

T = TypeVar("T")


class _Read:
    """One read on its way to the thread and back."""

    __slots__ = ("function", "future", "outcome")

    def __init__(self, function: Callable[[Connection], Any], future: "asyncio.Future[Any]") -> None:
        self.function, self.future = function, future
        self.outcome: Any = None


class ReaderThread:
    """Reads for callers on the event loop it was made on. Each sees one moment; those in one go, the same."""

    def __init__(self, place: Place, engine: Engine, turn: "threading.Lock | None") -> None:
        """Prepare to read; `turn` is whose turn it is on a connection in memory, and None for a file."""
        self._place, self._engine, self._turn = place, engine, turn
        self._connection: Connection | None = None
        """Kept from one read to the next: to get one from the engine costs as much as a read."""
        self._loop = asyncio.get_running_loop()
        self._pending: list[_Read] = []
        self._queue: queue.SimpleQueue[list[_Read] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hector-store-short-reads", daemon=True)
        self._ended = self._loop.create_future()

    def start(self) -> None:
        """Begin to read. The database must be prepared."""
        self._thread.start()

    async def read(self, function: Callable[[Connection], T]) -> T:
        """Call `function` in the thread. A caller that is cancelled leaves at once."""
        read = _Read(function, self._loop.create_future())
        self._pending.append(read)
        if len(self._pending) == 1:
            self._loop.call_soon(self._flush)
        found: T = await read.future
        return found

    async def close(self) -> None:
        """Do what was asked for so far, and end."""
        self._flush()
        self._queue.put(None)
        if self._thread.is_alive():
            await asyncio.shield(self._ended)
        self._disconnect()

    def _flush(self) -> None:
        if not self._pending:
            return
        reads, self._pending = self._pending, []
        turn = self._turn
        if turn is None or len(reads) > QUICK_READS or not turn.acquire(blocking=False):
            self._queue.put(reads)
            return
        try:
            self._read(reads)
        finally:
            turn.release()
            _settle(reads)

    def _run(self) -> None:
        while (reads := self._queue.get()) is not None:
            try:
                with self._turn or nullcontext():
                    self._read(reads)
            finally:  # whatever befell this thread, nobody waits for ever
                self._tell(_settle, reads)
        self._tell(self._ended.set_result, None)

    def _read(self, reads: Sequence[_Read]) -> None:
        try:
            connection = self._connection = self._connection or self._engine.connect()
            if self._turn is None:
                with connection.begin():
                    self._answer(reads, connection)
            else:  # in memory, whose turn it is sees one moment without a transaction
                self._answer(reads, connection)
                if connection.in_transaction():  # SQLAlchemy has begun one by itself
                    connection.rollback()
        except Exception as error:  # the border: no transaction, nothing was read
            failure = _Failed(explained(error, self._place))
            for read in reads:
                read.outcome = failure
            self._disconnect()

    def _answer(self, reads: Sequence[_Read], connection: Connection) -> None:
        for read in reads:
            try:
                read.outcome = read.function(connection)
            except Exception as error:  # the border: a read's failure is its caller's alone
                read.outcome = _Failed(explained(error, self._place))

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _tell(self, function: Callable[..., object], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:
            log.debug("event loop was closed before the store", extra={"database": self._place.name})


class _Failed:
    """Why a read came to nothing."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def _settle(reads: Sequence[_Read]) -> None:
    for read in reads:
        if read.future.done():  # its caller has left
            continue
        if isinstance(read.outcome, _Failed):
            read.future.set_exception(read.outcome.error)
        else:
            read.future.set_result(read.outcome)
