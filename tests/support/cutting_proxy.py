"""Stands between a client and a server, and cuts the line when it is told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Cut = Callable[[bytes], bool]


class CuttingProxy:
    """Passes everything on. `before` and `after` see what the client sends, and say when the line is cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.port = 0
        self.before: Cut | None = None
        """The line is cut instead of passing this on."""
        self.after: Cut | None = None
        """This is passed on, and the line is cut before the server's answer comes through."""
        self.flowing = asyncio.Event()
        """When it is cleared, nothing is passed on, and nothing is cut."""
        self.flowing.set()
        self.cuts = 0
        self.nobody = asyncio.Event()
        """When it is set, no line is open."""
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["CuttingProxy"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)  # the same, when it is back
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.flowing.set()
            self.cut()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def cut(self) -> None:
        """Cut every line there is."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        both = {writer, there_writer}
        self._writers |= both
        self.nobody.clear()
        try:
            # Whichever ends first ends the other: a line has two ends.
            tasks = [
                asyncio.create_task(self._there(reader, there_writer, writer)),
                asyncio.create_task(self._back(there_reader, writer)),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._writers -= both
            for end in both:
                end.transport.abort()
            if not self._writers:
                self.nobody.set()

    async def _there(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            await self.flowing.wait()
            if self.before is not None and self.before(data):
                self.before, self.cuts = None, self.cuts + 1
                return
            ends = self.after is not None and self.after(data)
            there.write(data)
            await there.drain()
            if ends:
                self.after, self.cuts = None, self.cuts + 1
                client.transport.abort()
                await asyncio.sleep(0.2)  # the server reads what was sent before it sees that nobody is there
                return

    async def _back(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await there.read(65536):
                await self.flowing.wait()
                writer.write(data)
                await writer.drain()
