"""An HTTP server that does what a test tells it, byte by byte if need be."""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

REASONS = {200: "OK", 302: "Found", 307: "Temporary Redirect", 400: "Bad Request", 429: "Too Many Requests"}


@dataclass(frozen=True)
class Received:
    """A request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Line:
    """The connection that a reply writes to."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until_left(self) -> None:
        """Wait until the client closes its side."""
        while await self.reader.read(65536):
            pass

    def cut(self) -> None:
        """Close, whatever was promised."""
        self.writer.close()


Reply = Callable[[Received, Line], Awaitable[None]]


@dataclass
class ScriptedServer:
    """Answers requests with the replies it was given, in order; the last one is repeated.

    `left` is set when a client closes its connection before it has got its whole answer.
    """

    replies: deque[Reply] = field(default_factory=deque)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first request."""
    port: int = 0
    scheme: str = "http"
    open: dict["asyncio.Task[None]", asyncio.StreamWriter] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def then(self, *replies: Reply) -> "ScriptedServer":
        self.replies.extend(replies)
        return self

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.open[task] = writer
        line = Line(reader, writer)
        try:
            while (received := await _read(reader)) is not None:
                self.received.append(received)
                self.asked.set()
                reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
                await self._answer(reply, received, line)
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            del self.open[task]

    async def close(self) -> None:
        """Close every connection and wait for the replies to end."""
        tasks = list(self.open)
        for writer in self.open.values():
            writer.close()
        if tasks:
            await asyncio.wait(tasks, timeout=10)

    async def _answer(self, reply: Reply, received: Received, line: Line) -> None:
        try:
            await reply(received, line)
        except ConnectionError:
            self.left.set()
        else:
            if line.reader.at_eof():
                self.left.set()


@asynccontextmanager
async def scripted(*replies: Reply, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    """Run a server on a free port of this machine."""
    script = ScriptedServer(scheme="https" if tls else "http").then(*replies)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0, ssl=tls)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        await script.close()
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, path, headers, body)


def head(status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"


def whole(body: bytes | str | object = b"", status: int = 200, **headers: str) -> Reply:
    """Answer with a body of known length; what is neither bytes nor text becomes JSON."""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers.setdefault("content_type", "application/json")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = head(status, {"Content-Length": str(len(body)), **named}) + body

    async def reply(received: Received, line: Line) -> None:
        await line.send(data)

    return reply


def raw(*pieces: bytes, cut: bool = True) -> Reply:
    """Send exactly these bytes, each piece by itself, and close the connection or keep it."""

    async def reply(received: Received, line: Line) -> None:
        for piece in pieces:
            await line.send(piece)
            await asyncio.sleep(0.01)  # so that each is read by itself
        if cut:
            line.cut()

    return reply


def hangs(before: bytes = b"") -> Reply:
    """Send something, or nothing, and then nothing more until the client gives up."""

    async def reply(received: Received, line: Line) -> None:
        await line.send(before)
        await line.until_left()

    return reply


async def drops(received: Received, line: Line) -> None:
    """Close the connection without a word."""
    line.cut()
