"""Values of metrics that somebody else keeps, as plugins do, on the same page as our own."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Protocol


class MetricSource(Protocol):
    """Who knows them."""

    async def refresh(self) -> None:
        """Find out what they are now. Takes no longer than somebody waits for a page, and does not fail."""

    def families(self) -> Iterable[Any]:
        """Return them as they were then: families of prometheus_client's, of names that are nobody else's."""


_sources: list[MetricSource] = []


def join(source: MetricSource) -> None:
    """Show a source's values from now on."""
    _sources.append(source)


def leave(source: MetricSource) -> None:
    """Show them no more."""
    _sources.remove(source)


async def refresh() -> None:
    """Ask all sources for their present values."""
    if _sources:
        await asyncio.gather(*(source.refresh() for source in _sources))


def families() -> Iterator[Any]:
    """Return the values of all sources."""
    for source in _sources:
        yield from source.families()
