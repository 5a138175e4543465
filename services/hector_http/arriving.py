"""What a response reads from, whichever way its bytes come."""

from collections.abc import Mapping
from typing import Protocol


class Arriving(Protocol):
    """An answer whose headers have come; its body lies here until somebody takes it."""

    status: int
    url: str
    """What was answered, after redirects."""
    origin: str

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in any case."""

    @property
    def waits(self) -> bool:
        """Something has arrived that nobody has taken."""

    @property
    def over(self) -> bool:
        """All has arrived."""

    async def arrival(self) -> None:
        """Wait until something has arrived, or the end has.

        Raises:
            HttpError: The connection was lost, and all that came before has been taken.
        """

    def taken(self) -> bytes:
        """Return what has arrived; it can be nothing.

        Raises:
            HttpError: It cannot be unpacked.
        """

    def close(self) -> None:
        """Give the connection back if all has arrived, and close it if not."""
