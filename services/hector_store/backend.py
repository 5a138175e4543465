"""What a `Database` needs of the database behind it: a file, memory, or a server."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from .work import AnyWork

T = TypeVar("T")


class Backend(Protocol):
    """Reads, and writes what it is given in the order it is given; tells a `WriteQueue` when it has."""

    async def open(self) -> None:
        """Bring the tables up to date, and be ready to read and write.

        Raises:
            HectorError: It cannot be used. What was opened is let go.
        """

    def put(self, works: list[AnyWork]) -> None:
        """Take a batch to write; never blocks."""

    async def read(self, function: Callable[[Connection], T], *, short: bool = False) -> T:
        """Call `function` on one moment of the database; short ones may be done several in one go."""

    async def is_claimed(self) -> bool:
        """Say whether a process of a version without leases owns the runs, which then has no lease."""

    async def close(self) -> None:
        """Write what was put so far, and let go of everything."""
