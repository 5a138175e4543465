"""How a plugin learns that it is to end."""

import asyncio
import os
import signal
import threading
from contextlib import suppress


class Ending:
    """Waits for the first who asks for the end: an rpc, a signal, or a host that is gone."""

    def __init__(self, drain_s: float) -> None:
        self._asked = asyncio.Event()
        self.drain_s = drain_s
        """How long calls in flight may take."""

    def ask(self, *, grace_s: float = 0) -> None:
        """Ask for the end, with other than the usual time for calls in flight if `grace_s` is not zero."""
        self.drain_s = grace_s or self.drain_s
        self._asked.set()

    async def wait(self) -> None:
        """Wait until somebody asks."""
        await self._asked.wait()

    def on_signals(self, *, interrupt: bool) -> None:
        """Listen to SIGTERM, and to Ctrl-C where it is not the host's to handle."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.ask)
        loop.add_signal_handler(signal.SIGINT, self.ask if interrupt else lambda: None)

    def on_end_of_stdin(self) -> None:
        """Take the end of standard input for the end of the host, which holds the other end."""
        loop = asyncio.get_running_loop()

        def watch() -> None:
            with suppress(OSError):  # who started it closed it, and is no host then
                while os.read(0, 4096):
                    pass
            with suppress(RuntimeError):  # it is over already, and the loop closed
                loop.call_soon_threadsafe(self.ask)

        threading.Thread(target=watch, name="watch-stdin", daemon=True).start()
