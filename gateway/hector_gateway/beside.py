"""What the border asks about other processes that answer at the same ports."""

from collections.abc import Mapping, Sequence
from typing import Protocol

Shown = Mapping[str, object]


class Beside(Protocol):
    """The other workers of a server that has several."""

    async def waiting(self) -> Sequence[str]:
        """Return in words why some of those that get requests should get none."""

    async def workers(self) -> Sequence[Shown]:
        """Return what /health shows of every worker, this one included."""

    def missing(self) -> Sequence[str]:
        """Return in words which workers are not there."""
