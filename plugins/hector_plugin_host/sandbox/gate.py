"""The proxy of a plugin that may connect to more than a list of hosts: HTTP and SOCKS5 at one port."""

import asyncio
import ipaddress
import struct
from contextlib import suppress
from urllib.parse import urlsplit

from .networks import Policy
from .outward import Refused, Unreachable, connect, hang_up, splice

_HEAD_BYTES = 64 * 1024
_HEAD_S = 30.0
_SOCKS = 5
_SOCKS_OK, _SOCKS_REFUSED, _SOCKS_UNREACHABLE, _SOCKS_NO_SUCH_COMMAND = 0, 2, 4, 7
_SOCKS_IPV4, _SOCKS_NAME, _SOCKS_IPV6 = 1, 3, 4

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Nonsense(Exception):
    """What came is no request that a proxy knows."""


class Gate:
    """Serves connections of one plugin."""

    def __init__(self, plugin: str, policy: Policy) -> None:
        self._plugin, self._policy = plugin, policy

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        try:
            async with asyncio.timeout(_HEAD_S):
                first = await reader.readexactly(1)
                serve = self._socks if first[0] == _SOCKS else self._http
                beyond = await serve(first, (reader, writer))
            if beyond is not None:
                await splice((reader, writer), beyond)
        except (_Nonsense, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError):
            pass  # it asked for nothing, or is gone
        finally:
            await hang_up(writer)

    async def _http(self, first: bytes, client: Streams) -> Streams | None:
        reader, writer = client
        head = first + await reader.readuntil(b"\r\n\r\n")
        line, _, headers = head.decode("latin-1").partition("\r\n")
        method, target, version = _words(line)
        if method == "CONNECT":
            host, port = _place(target, 443)
            beyond = await self._connect_http(writer, host, port)
            if beyond is not None:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            return beyond
        scheme, name, port, path = _page(target)
        if scheme != "http" or not name:
            await _answer(writer, 400, "this is a proxy; ask for http://HOST/PATH, or CONNECT HOST:PORT")
            return None
        beyond = await self._connect_http(writer, name, port)
        if beyond is not None:
            # One request for each connection: the next one might be meant for another host.
            kept = [one for one in headers.split("\r\n") if one and not _is_between_hops(one)]
            lines = [f"{method} {path} {version}", *kept, "Connection: close", "", ""]
            beyond[1].write("\r\n".join(lines).encode("latin-1"))
        return beyond

    async def _connect_http(self, writer: asyncio.StreamWriter, host: str, port: int) -> Streams | None:
        try:
            return await connect(self._plugin, self._policy, host, port)
        except Refused as refused:
            await _answer(writer, 403, f"{refused} of plugin {self._plugin}")
        except Unreachable as unreachable:
            await _answer(writer, 502, str(unreachable))
        return None

    async def _socks(self, first: bytes, client: Streams) -> Streams | None:
        reader, writer = client
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(bytes([_SOCKS, 0 if 0 in methods else 0xFF]))
        _, command, _, kind = await reader.readexactly(4)
        if kind == _SOCKS_NAME:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode("latin-1")
        elif kind in (_SOCKS_IPV4, _SOCKS_IPV6):
            host = _address(await reader.readexactly(4 if kind == _SOCKS_IPV4 else 16))
        else:
            raise _Nonsense
        (port,) = struct.unpack(">H", await reader.readexactly(2))
        answer = _SOCKS_NO_SUCH_COMMAND
        beyond = None
        if command == 1:
            try:
                beyond = await connect(self._plugin, self._policy, host, port)
                answer = _SOCKS_OK
            except Refused:
                answer = _SOCKS_REFUSED
            except Unreachable:
                answer = _SOCKS_UNREACHABLE
        writer.write(bytes([_SOCKS, answer, 0, _SOCKS_IPV4, 0, 0, 0, 0, 0, 0]))
        return beyond


async def _answer(writer: asyncio.StreamWriter, code: int, why: str) -> None:
    body = f"{why}\n".encode()
    words = {400: "Bad Request", 403: "Forbidden", 502: "Bad Gateway"}[code]
    lines = (
        f"HTTP/1.1 {code} {words}",
        "Content-Type: text/plain",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    head = "\r\n".join((*lines, "", ""))
    with suppress(OSError):
        writer.write(head.encode("latin-1") + body)
        await writer.drain()


def _words(line: str) -> tuple[str, str, str]:
    words = line.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise _Nonsense
    return words[0], words[1], words[2]


def _place(target: str, usual: int) -> tuple[str, int]:
    host, colon, port = target.rpartition(":")
    if not colon or target.endswith("]"):
        return target.strip("[]"), usual
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise _Nonsense
    return host.strip("[]"), int(port)


def _page(address: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path."""
    try:
        url = urlsplit(address)
        port = url.port or 80
    except ValueError:
        raise _Nonsense from None
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return url.scheme, url.hostname or "", port, path


def _is_between_hops(header: str) -> bool:
    return header.split(":", 1)[0].lower() in (
        "connection",
        "proxy-connection",
        "proxy-authorization",
        "keep-alive",
    )


def _address(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))
