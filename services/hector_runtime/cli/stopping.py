"""Told to stop: once and it stops in order, twice and it leaves at once."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals() -> Iterator[asyncio.Event]:
    """Give an event that SIGINT and SIGTERM set; the second of them ends the process on the spot."""
    stop = asyncio.Event()

    def told(number: signal.Signals) -> None:
        if stop.is_set():  # asked twice: whoever asks does not want to wait
            os._exit(128 + number)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, told, number)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
