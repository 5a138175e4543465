"""One thing to write, and the queue it waits in: bounded, and handed over once per turn of the event loop."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from time import perf_counter
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from hector_mesh import HectorError

from .errors import PayloadTooLarge, StorageClosed, StorageQueueFull

QUEUE_ROWS = 20_000
QUEUE_BYTES = 64 * 1024 * 1024
"""What may wait or be under way at once."""

REST_ROUNDS = 2
"""Turns of the event loop for which a write waits for others, beyond its own. Where nothing else is done they
take some microseconds; of 32 senders at once, each takes a quarter less of the processor."""

URGENT = 0
"""As the number of rows: it is never refused, and goes before what waits. For what few write, and rarely."""

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

Many = Callable[[Connection, Sequence[I]], Sequence[R | Exception]]
"""Writes several items of one kind in a transaction; an item that cannot be written gets an exception.

It may be called again with the same items: it must have no effect but on the database. When it raises, it is
called again for each item alone.
"""


class Work(Generic[I, R]):
    """One item on its way to the database and back."""

    __slots__ = ("_future", "_is_settled", "item", "many", "outcome", "rows", "size_bytes", "submitted_at")

    def __init__(self, many: Many[I, R], item: I, rows: int, size_bytes: int) -> None:
        self.many = many
        self.item = item
        self.rows = rows
        self.size_bytes = size_bytes
        self.outcome: R | Exception | None = None
        self.submitted_at = perf_counter()
        self._is_settled = False
        self._future: asyncio.Future[R] = asyncio.get_running_loop().create_future()

    async def settled(self) -> R:
        """Return the outcome. A caller that is cancelled still waits for it, so that it is never unknown.

        This is why CancelledError is caught here, and here only: it is raised again after the write.
        """
        try:
            return await self._future
        except asyncio.CancelledError:
            if self._future.cancelled() and not self._is_settled:
                self._future = asyncio.get_running_loop().create_future()
            while not self._is_settled:
                try:
                    await asyncio.wait([self._future])
                except asyncio.CancelledError:
                    continue  # the same wish again
            if not self._future.cancelled():
                self._future.exception()  # seen, and of no use to a caller who has left
            raise

    def settle(self) -> None:
        """Tell the caller the outcome; on the event loop."""
        self._is_settled = True
        outcome = self.outcome
        try:
            if isinstance(outcome, Exception):
                self._future.set_exception(outcome)
            else:
                self._future.set_result(outcome)  # type: ignore[arg-type]  # None is a result too
        except asyncio.InvalidStateError:
            return  # the caller's wait was cancelled just now


AnyWork = Work[Any, Any]


def urgent_first(works: Sequence[AnyWork]) -> tuple[list[AnyWork], list[AnyWork]]:
    """Return the urgent ones of these, and the others."""
    return [one for one in works if one.rows == URGENT], [one for one in works if one.rows != URGENT]


class WriteQueue:
    """Admits writes while there is room for them.

    Everything that is submitted within a few turns of the event loop is handed over together: waiters of one
    commit go on in the same turn, so their next writes share the next commit. The more there are, the less
    each costs, and what is done next for all of them is done while the processor has the code at hand.
    """

    def __init__(
        self,
        hand_over: Callable[[list[AnyWork]], None],
        database: str,
        rows: int = QUEUE_ROWS,
        size_bytes: int = QUEUE_BYTES,
    ) -> None:
        self._hand_over, self._database = hand_over, database
        self._max_rows, self._max_bytes = rows, size_bytes
        self._pending: list[AnyWork] = []
        self.closed = False
        self.rows = self.size_bytes = 0
        """Waiting or under way."""
        self.is_corrupt = False
        """Something in the database is damaged; it has to be replaced, and this process started anew."""
        self.failed_at: float | None = None
        """When the last commit failed, by `time.perf_counter`; None if it did not."""

    def submit(self, many: Many[I, R], item: I, rows: int, size_bytes: int) -> Coroutine[Any, Any, R]:
        """Write `item` with others of its kind; what is returned waits for what became of it.

        Raises:
            StorageQueueFull: Nothing was written.
            HectorError: Nothing was written: see `errors`.
        """
        all_rows, all_bytes = self.rows + rows, self.size_bytes + size_bytes
        if self.closed or all_rows > self._max_rows or all_bytes > self._max_bytes:
            self._admit(size_bytes)
        self.rows, self.size_bytes = all_rows, all_bytes
        work = Work(many, item, rows, size_bytes)
        pending = self._pending
        pending.append(work)
        if len(pending) == 1:
            asyncio.get_running_loop().call_soon(self._rest, REST_ROUNDS)
        return work.settled()

    def _admit(self, size_bytes: int) -> None:
        """Refuse what there is no room for. Alone, as many rows as anybody likes fit."""
        if self.closed:
            raise StorageClosed(self._database)
        if size_bytes > self._max_bytes:
            raise PayloadTooLarge(size_bytes, self._max_bytes)
        if self.rows:
            raise StorageQueueFull(self.rows, self.size_bytes)

    def _rest(self, rounds: int) -> None:
        """Hand over what is pending so many turns of the event loop later."""
        if rounds:
            asyncio.get_running_loop().call_soon(self._rest, rounds - 1)
        else:
            self.flush()

    def flush(self) -> None:
        """Hand over what is pending."""
        if self._pending:
            works, self._pending = self._pending, []
            self._hand_over(works)

    def note(self, outcome: object) -> None:
        """Remember damage that was found: it does not go away, though other pages can be read and written."""
        if isinstance(outcome, HectorError) and outcome.reason == "STORAGE_CORRUPT":
            self.is_corrupt = True

    def settle(self, works: Sequence[AnyWork]) -> None:
        """Make room, and tell the callers what became of their writes; on the event loop."""
        self.failed_at = perf_counter() if _is_lost(works[-1].outcome) else None
        self.note(works[-1].outcome)
        rows = size_bytes = 0
        for work in works:
            rows += work.rows
            size_bytes += work.size_bytes
            work.settle()
        self.rows -= rows
        self.size_bytes -= size_bytes


def _is_lost(outcome: object) -> bool:
    """Say whether it was the database that failed, and not what was to be written."""
    return isinstance(outcome, HectorError) and outcome.reason.startswith("STORAGE_")
