"""Asks an address for a JSON page, quickly and without a client: is it there, and what does it say?"""

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

LIMIT_BYTES = 1 << 20


async def json_at(url: str, timeout_s: float) -> object:
    """Return what GET answers with status 200; None when nobody answers in time, or with anything else."""
    place = urlsplit(url)
    secure = _trust() if place.scheme == "https" else None
    request = f"GET {place.path or '/'} HTTP/1.0\r\nHost: {place.netloc}\r\nAccept: application/json\r\n\r\n"
    try:
        async with asyncio.timeout(timeout_s):
            port = place.port or (443 if secure else 80)
            reader, writer = await asyncio.open_connection(place.hostname, port, ssl=secure)
            try:
                writer.write(request.encode())
                head = await reader.readuntil(b"\r\n\r\n")
                body = await _body(reader, head)
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
        first = head.split(b"\r\n", 1)[0].split()
        return json.loads(body) if first[1:2] == [b"200"] else None
    except (OSError, TimeoutError, ValueError, EOFError, asyncio.LimitOverrunError):
        return None


def _trust() -> "ssl.SSLContext":
    import ssl

    return ssl.create_default_context()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    lines = head.decode("latin-1").lower().split("\r\n")
    lengths = [line.partition(":")[2] for line in lines if line.startswith("content-length:")]
    if lengths:  # some keep the connection open, though they were not asked to
        return await reader.readexactly(min(int(lengths[0]), LIMIT_BYTES))
    pieces = bytearray()
    while len(pieces) < LIMIT_BYTES and (piece := await reader.read(65536)):
        pieces += piece
    return bytes(pieces)
