"""The one writer of a SQLite database: a thread that takes all that waits, and commits it at once.

Runs and events in memory are written on the event loop where nobody else uses the connection: there is no
disk to wait for, and going to a thread and back costs more than the write.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from operator import attrgetter

from sqlalchemy import Connection, Engine

from hector_mesh import HectorError

from .errors import StorageGone
from .group_commit import Fault, commit, each
from .measuring import committed
from .sqlite import Identity, Transaction, explained, fault_of, identity
from .url import Place
from .work import AnyWork, urgent_first

log = logging.getLogger(__name__)

RETRY_PAUSE_S = 0.05
_many_of, _size_of = attrgetter("many"), attrgetter("size_bytes")

QUICK_WORKS, QUICK_BYTES = 256, 64 * 1024
"""How many are written on the event loop in one go, a few milliseconds of work, and how large each may be."""


class WriterThread:
    """Writes batches in the order they are put; `settle` is called on the event loop for each."""

    def __init__(
        self,
        place: Place,
        engine: Engine,
        settle: Callable[[Sequence[AnyWork]], None],
        *,
        busy_s: float,
        turn: "threading.Lock | None",
    ) -> None:
        """Prepare to write; `turn` is whose turn it is on a connection in memory, and None for a file."""
        self._place, self._engine, self._busy_s = place, engine, busy_s
        self._settle, self._turn = settle, turn
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[list[AnyWork] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hector-store-writer", daemon=True)
        self._ended = self._loop.create_future()
        self._connection: Connection | None = None
        self._file: Identity = None
        self._handed_over = 0
        """Batches that the thread has and the loop has not heard of: none may overtake them."""

    def start(self) -> None:
        """Begin to write. The database must be prepared."""
        self._file = identity(self._place)
        self._thread.start()

    def put(self, works: list[AnyWork]) -> None:
        """Take a batch; never blocks for long."""
        turn = self._turn
        if turn is not None and not self._handed_over and _are_quick(works) and turn.acquire(blocking=False):
            try:
                self._write(works)
            finally:
                turn.release()
                self._settle(works)
            return
        self._handed_over += 1
        self._queue.put(works)

    async def close(self) -> None:
        """Write what was put so far, and end."""
        self._queue.put(None)
        await asyncio.shield(self._ended)

    def _run(self) -> None:
        more = True
        while more:
            works, batches, more = self._waiting()
            urgent, others = urgent_first(works)
            if urgent:  # alone: it is not to take as long as the others
                self._write_and_tell(urgent, 0 if others else batches)
            if others:
                self._write_and_tell(others, batches)
        self._disconnect()
        self._tell(self._ended.set_result, None)

    def _write_and_tell(self, works: list[AnyWork], batches: int) -> None:
        try:
            with self._turn or nullcontext():
                self._write(works)
        finally:  # whatever befell this thread, nobody waits for ever
            self._tell(self._written, (works, batches))

    def _written(self, done: tuple[list[AnyWork], int]) -> None:
        works, batches = done
        self._handed_over -= batches
        self._settle(works)

    def _waiting(self) -> tuple[list[AnyWork], int, bool]:
        """Wait for work and return all there is, of how many batches, and whether more may come."""
        works: list[AnyWork] = []
        batches = 0
        batch = self._queue.get()
        while batch is not None:
            works += batch
            batches += 1
            try:
                batch = self._queue.get_nowait()
            except queue.Empty:
                return works, batches, True
        return works, batches, False

    def _write(self, works: list[AnyWork]) -> None:
        begun = time.perf_counter()
        try:
            self._commit(works)
        except Exception as error:  # the border: whatever happens to a batch, the next one is written
            for work in works:
                work.outcome = error
            failure = explained(error, self._place)
            for work in works:
                work.outcome = failure
            committed(works, begun, failure)
            ours = isinstance(failure, HectorError)  # what others say may quote what was to be written
            facts = {"database": self._place.name, "writes": len(works)}
            log.error(
                "batch was not written",
                exc_info=None if ours else error,
                extra=facts | {"error": str(failure) if ours else type(failure).__name__},
            )
            if self._place.file is not None:  # what is in memory is in this connection
                self._disconnect()
        else:
            committed(works, begun)

    def _commit(self, works: Sequence[AnyWork]) -> None:
        gives_up = time.monotonic() + self._busy_s
        if self._place.file is not None and identity(self._place) != self._file:
            # A file that was deleted takes writes as well as any, and keeps none of them.
            raise StorageGone(self._place.name)
        while True:
            try:
                if self._connection is None:
                    self._connection = self._engine.connect()
                commit(self._connection, works, fault_of, Transaction)
            except Exception as error:
                if fault_of(error) is not Fault.RETRY or time.monotonic() >= gives_up:
                    raise
                log.debug("database was locked", extra={"database": self._place.name})
                time.sleep(RETRY_PAUSE_S)
            else:
                return

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()

    def _tell(self, function: Callable[..., object], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:
            log.debug("event loop was closed before the store", extra={"database": self._place.name})


def _are_quick(works: Sequence[AnyWork]) -> bool:
    """Say whether they are few, and written alike: other functions may take as long as they like."""
    return (
        len(works) <= QUICK_WORKS
        and max(map(_size_of, works)) <= QUICK_BYTES
        and each not in map(_many_of, works)
    )
