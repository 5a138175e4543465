"""A client for programs that ask one server a question and end: it starts in a tenth of HttpClient's time.

One connection for each request, to an origin that a person named; no pool, no redirects, no retries, no
proxy. It fails in HttpClient's words.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from hector_http.errors import BadUrl, BrokeOff, HttpError, TimedOut, TooLarge, Unreachable, Untrusted
from hector_http.request import Request
from hector_http.tls import Tls

READ_BYTES = 256 * 1024


class PlainClient:
    """Sends requests, each over a connection of its own; used like HttpClient."""

    def __init__(self, *, tls: Tls | None = None) -> None:
        self._tls = tls or Tls()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is kept open."""

    @asynccontextmanager
    async def send(self, request: Request) -> "AsyncIterator[PlainResponse]":
        """Send a request and give its answer, whatever its status; leaving early closes the connection.

        Raises:
            HttpError: There is no answer; the subclass says why.
        """
        place = _place_of(request.url)
        deadline = time.monotonic() + request.timeouts.total_s
        reader, writer = await self._connected(place, request)
        response: PlainResponse | None = None
        try:
            response = PlainResponse(reader, place.origin, request, deadline)
            try:
                writer.write(_head(request, place) + (request.body or b""))
                async with asyncio.timeout(request.timeouts.first_byte_s) as limit:
                    await response.begin()
            except TimeoutError:
                if not limit.expired():
                    raise
                message = f"{place.origin} did not answer within {request.timeouts.first_byte_s:g} s"
                raise TimedOut(message, origin=place.origin, phase="first_byte") from None
            except OSError as error:
                raise _gone(place.origin) from error
            yield response
        finally:
            # Closing politely what is still coming would mean to read all of it.
            writer.close() if response is not None and response.whole else writer.transport.abort()

    async def _connected(
        self, place: "_Place", request: Request
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        trust = self._tls.context() if place.secure else None
        try:
            async with asyncio.timeout(request.timeouts.connect_s):
                return await asyncio.open_connection(place.host, place.port, ssl=trust, limit=READ_BYTES)
        except TimeoutError:
            message = f"{place.origin} took too long to accept a connection"
            raise TimedOut(message, origin=place.origin, phase="connect") from None
        except OSError as error:
            if _is_untrusted(error):
                why = getattr(error, "verify_message", "") or "no known authority vouches for it"
                message = f"the certificate of {place.origin} is not trusted: {why}"
                raise Untrusted(message, origin=place.origin, sent=False) from error
            message = f"cannot connect to {place.origin}: {_why(error)}"
            raise Unreachable(message, origin=place.origin, sent=False) from error


class PlainResponse:
    """Status and headers of an answer, whose body is still on its way."""

    def __init__(self, reader: asyncio.StreamReader, origin: str, request: Request, deadline: float) -> None:
        import httptools

        self.status = 0
        self.headers = _Headers()
        self._reader, self._origin, self._request, self._deadline = reader, origin, request, deadline
        self._parser = httptools.HttpResponseParser(self)
        self._broken: type[Exception] = httptools.HttpParserError
        self._pieces: list[bytes] = []
        self._begun = self._done = self._framed = False
        self._taken_bytes = 0

    @property
    def whole(self) -> bool:
        """All of it has arrived."""
        return self._done

    async def begin(self) -> None:
        """Read until the headers are there.

        Raises:
            Unreachable: The connection ended before that.
            HttpError: What came is not HTTP.
        """
        while not self._begun:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise _gone(self._origin)
            self._feed(data)

    async def read_some(self) -> bytes:
        """Return all bytes that have arrived, waiting for the first; nothing at the end.

        Raises:
            BrokeOff: The connection ended before the body did.
            TimedOut: The server stalled.
            TooLarge: The body has more than the request's `max_body_bytes`.
        """
        while not self._pieces and not self._done:
            data = await self._arrived()
            if data:
                self._feed(data)
            elif self._framed:
                message = f"{self._origin} ended its answer before it was complete"
                raise BrokeOff(message, origin=self._origin)
            else:
                self._done = True  # a body without a length ends with its connection
        piece = b"".join(self._pieces)
        self._pieces.clear()
        self._taken_bytes += len(piece)
        limit = self._request.max_body_bytes
        if self._taken_bytes > limit:
            raise TooLarge(f"{self._origin} sent more than the {limit} bytes that are taken", limit=limit)
        return piece

    async def read(self) -> bytes:
        """Return the rest of the body; raises as `read_some` does."""
        pieces = []
        while piece := await self.read_some():
            pieces.append(piece)
        return b"".join(pieces)

    async def _arrived(self) -> bytes:
        left_s, stall_s = self._deadline - time.monotonic(), self._request.timeouts.stall_s
        try:
            async with asyncio.timeout(min(left_s, stall_s)) as limit:
                return await self._reader.read(READ_BYTES)
        except TimeoutError:
            if not limit.expired():
                raise
            total = left_s <= stall_s
            message = f"{self._origin} " + (
                "did not finish in time" if total else f"sent nothing for {stall_s:g} s"
            )
            raise TimedOut(message, origin=self._origin, phase="total" if total else "stall") from None
        except OSError:
            return b""

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except self._broken:
            raise HttpError(f"{self._origin} does not answer in HTTP", origin=self._origin) from None

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._begun = self.status >= 200
        self._framed = bool({"content-length", "transfer-encoding"} & self.headers.keys())

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        self._done = self._begun


class _Headers(dict[str, str]):
    """Headers by their names in lower case, found by any case."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class _Place(NamedTuple):
    host: str
    port: int
    path: str
    secure: bool
    origin: str


def _place_of(url: str) -> _Place:
    try:
        parts = urlsplit(url)
        host, port, secure = parts.hostname, parts.port, parts.scheme == "https"
    except ValueError:
        host, port, secure = None, None, False
    if not host or parts.scheme not in ("http", "https") or parts.username is not None or port == 0:
        raise BadUrl("an absolute http:// or https:// URL without a user name is needed")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port and port != (443 if secure else 80) else "")
    return _Place(host, port or (443 if secure else 80), path, secure, origin)


def _head(request: Request, place: _Place) -> bytes:
    headers = {
        "Host": place.origin.partition("://")[2],
        **request.headers,
        "Content-Length": str(len(request.body or b"")),
        "Connection": "close",
    }
    lines = [
        f"{request.method} {place.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if any("\r" in line or "\n" in line for line in lines):
        raise BadUrl("a line break cannot be part of a request")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _gone(origin: str) -> Unreachable:
    return Unreachable(f"{origin} closed the connection without an answer", origin=origin, sent=True)


def _is_untrusted(error: OSError) -> bool:
    import ssl

    return isinstance(error, ssl.SSLCertVerificationError)


def _why(error: OSError) -> str:
    import ssl

    if isinstance(error, socket.gaierror):
        return "its name cannot be looked up"
    if isinstance(error, ssl.SSLError):
        return "it does not speak TLS as we do"
    if isinstance(error, ConnectionRefusedError) or "refused" in str(error).lower():
        return "connection refused"
    return (error.strerror or "no connection").lower()
