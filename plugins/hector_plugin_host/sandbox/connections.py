"""Connections that the host keeps for one plugin: each with a task of its own, and not more than so many."""

import asyncio
from collections.abc import Awaitable, Callable

from hector_plugin_host.security_events import report

MOST = 200
"""At once. Each takes two descriptors of the host, which has others to serve: 1,024 as a rule."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Connections:
    """Those of one plugin."""

    def __init__(self, plugin: str) -> None:
        self._plugin = plugin
        self._tasks: set[asyncio.Task[None]] = set()

    def served_by(self, serve: Serve) -> Serve:
        """Return what serves a connection in this way, as long as there are not too many."""

        async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._tasks) >= MOST:
                report("limit_hit", self._plugin, limit="connections", allowed=MOST, fatal=False)
                writer.transport.abort()
                return
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await serve(reader, writer)
            except asyncio.CancelledError:
                writer.close()  # the plugin is gone, and nobody waits for this task
            finally:
                self._tasks.discard(task)

        return kept

    async def close(self) -> None:
        """Serve none of them any more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
