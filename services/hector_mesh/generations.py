"""What serves calls, by the revision of the config that they go by."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from .room import Renewal

T = TypeVar("T")


def _nothing() -> None:
    """Be told that something is over, and need not do anything."""


class Generations(Generic[T]):
    """Serves new runs by the newest config, and those that began before by the one that they began with."""

    def __init__(self, newest: T, forgotten: Callable[[], None] = _nothing) -> None:
        """Serve everything by `newest`; call `forgotten` when something older is not needed any more."""
        self.newest = newest
        self._older: dict[str, T] = {}
        self._forgotten = forgotten

    def of(self, revision: str) -> T:
        """Return what serves calls of a revision; one that is not known is taken for the newest."""
        return self._older.get(revision, self.newest) if self._older else self.newest

    def replace(self, newest: T, renewal: Renewal) -> None:
        """Serve by `newest` from now on, but calls of the revision before as they were, while they last."""
        before = self.newest
        self._older.pop(renewal.revision, None)
        if renewal.before and renewal.before != renewal.revision:
            self._older[renewal.before] = before
            asyncio.get_running_loop().call_later(renewal.lasting_s, self._forget, renewal.before, before)
        self.newest = newest

    def all(self) -> list[T]:
        """Return everything that may still be called."""
        return [self.newest, *self._older.values()]

    def _forget(self, revision: str, known: T) -> None:
        if self._older.get(revision) is known:
            del self._older[revision]
            self._forgotten()
