"""Tells a call that was cancelled by its caller from one whose connection was closed under it.

gRPC raises CancelledError for both. Whoever lets the second one pass ends a task that nobody wanted to end.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class ConnectionClosed(Exception):
    """The process that was asked is gone."""


@contextmanager
def connected() -> Iterator[None]:
    """Ask a process something inside the block.

    Raises:
        ConnectionClosed: Its channel was closed meanwhile.
    """
    try:
        yield
    except asyncio.CancelledError:
        if is_being_cancelled():
            raise
        raise ConnectionClosed from None


def is_being_cancelled() -> bool:
    """Say whether it is the present task that somebody cancels."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
