"""One HTTP connection: uvicorn's protocol, with limits on what arrives before a request is one."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote

import httptools
import orjson
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hector_mesh import status_of
from hector_mesh.flag import Flag
from hector_mesh.metrics import ERRORS

from .config import LimitsConfig
from .cycle import Cycle
from .errors import Busy, HeadersTooLarge, HeadersTooSlow, NotHttp, Refusal
from .faults import http_error, retry_headers
from .open_files import most_connections

log = logging.getLogger(__name__)

LINGER_S = 0.3
"""How long a connection on which nothing is asked is kept when the server leaves."""


class Place(NamedTuple):
    """What a request's first line says of where it goes."""

    url: bytes
    path: str
    raw_path: bytes
    query_string: bytes


NOWHERE = Place(b"", "", b"", b"")


def _place_of(url: bytes) -> Place:
    found = httptools.parse_url(url)
    path = found.path.decode("ascii")
    return Place(url, unquote(path) if "%" in path else path, found.path, found.query or b"")


class Protocol(HttpToolsProtocol):
    """A connection that is refused in words when there are too many, or its headers are too large or slow.

    It also lets the application cut it when nobody reads.
    """

    # Beside them, the dictionary of what uvicorn has takes a fifth: up to thirty share their names.
    __slots__ = (
        *("_expects_headers", "_header_timer", "_is_last", "_kind", "_limits", "_most_bytes", "_refused"),
        *("_place", "_rested_at", "_unread_bytes", "_waiting", "leaving"),
    )

    cycle: Cycle | None  # type: ignore[assignment]  # ours, as far as uvicorn uses it

    def __init__(self, *, limits: LimitsConfig, kind: type[Cycle] = Cycle, **more: Any) -> None:
        super().__init__(**more)
        self._kind = kind
        self._place = NOWHERE
        """Where the last request went: most of a connection go to the same place."""
        del self.pipeline  # an empty deque takes 700 bytes
        self._waiting: list[Cycle] = []
        """Requests behind the one that is being answered, in their order: mostly none."""
        self._limits = limits
        self._header_timer: asyncio.TimerHandle | None = None
        self._unread_bytes = self._most_bytes = 0
        """Of headers that are not complete; and those that complete ones have at most."""
        self._rested_at = 0.0
        """Since when nothing is asked, in seconds of the loop."""
        self._expects_headers, self._refused = True, False
        self._is_last = False
        """The server leaves: the next answer here is the last one."""
        self.leaving: list[Callable[[], None]] = []
        """Who is told when the client closes the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self.flow._is_writable_event = _writable()  # type: ignore[assignment]  # smaller
        most = most_connections(self._limits.max_connections)
        if len(self.connections) > most:
            self._refuse(Busy("open connections", most, "max_connections"))
        else:
            self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        if self.cycle is not None:
            self.cycle.leave()
            self.cycle = None  # they know each other: a circle that only the collector would break
        self._waiting.clear()
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        self.parser = None  # type: ignore[assignment]  # as uvicorn does; it knows us
        for tell in tuple(self.leaving):
            tell()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._most_bytes = self._unread_bytes + len(data)
        if self._expects_headers:
            self._unread_bytes = self._most_bytes
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(NotHttp())
        except httptools.HttpParserUpgrade:
            log.warning("upgrade of a connection was not granted")
        if self._expects_headers and self._unread_bytes and not self._refused:
            # Nobody knows yet how long the header is that does not end.
            if self._unread_bytes > self._limits.max_header_size:
                self._too_large()
            elif self._header_timer is None:
                self._wait_for_headers()

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._expects_headers, self._unread_bytes = False, 0
        if self._header_timer is not None:
            self._stop_waiting()
        limits, headers = self._limits, self.headers
        if self._most_bytes > limits.max_header_size and _size(self.url, headers) > limits.max_header_size:
            self._too_large()
        elif len(headers) > limits.max_headers:
            self._refuse(HeadersTooLarge(f"{limits.max_headers} lines", "max_headers"))
        elif not self._refused:
            self._begin()

    def _begin(self) -> None:
        """Let a request be answered, or wait until the one before it is."""
        parser, before, place = self.parser, self.cycle, self._place
        if place.url != self.url:
            place = self._place = _place_of(self.url)
        version = parser.get_http_version()
        cycle = self.cycle = self._kind(
            self,
            parser.get_method().decode("ascii"),
            place.path,
            place.raw_path,
            place.query_string,
            version,
            self.headers,
            self.server_state.default_headers,
            version != "1.0" and parser.should_keep_alive() and not self._is_last,
        )
        if before is None or before.response_complete:
            self._answer(cycle)
        else:
            self.flow.pause_reading()
            self._waiting.append(cycle)

    def _answer(self, cycle: Cycle) -> None:
        serve: Any = self.app  # to uvicorn, an ASGI application
        self.tasks.add(self.loop.create_task(cycle.run(serve, self.tasks)))

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if cycle is None or self._refused or cycle.response_complete:
            return
        if cycle.take(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        self._expects_headers, self._unread_bytes = True, 0
        cycle = self.cycle
        if cycle is not None and not self._refused:
            cycle.arrived()

    def on_response_complete(self) -> None:
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self._waiting:
            self._answer(self._waiting.pop(0))
            return
        self._rested_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._close_after(self.timeout_keep_alive)

    def _close_after(self, seconds: float) -> None:
        # One timer for many requests: most are followed by another one before it is over.
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self._close_rested)

    def _close_rested(self) -> None:
        self.timeout_keep_alive_task = None
        left_s = self._rested_at + self.timeout_keep_alive - self.loop.time()
        if self._unread_bytes or self.cycle is None or not self.cycle.response_complete:
            return  # the next answer waits anew
        if left_s > 0:
            self._close_after(left_s)
        else:
            self.transport.close()

    def shutdown(self) -> None:
        """Let the connection end: with its answer, or in a moment, for a request may be on its way.

        Whoever is cut off while he asks cannot know whether he was heard, and would not ask again.
        """
        self._is_last = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LINGER_S, self._close_idle)
        else:
            self.cycle.keep_alive = False

    def _close_idle(self) -> None:
        if not self._unread_bytes and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def _wait_for_headers(self) -> None:
        self._header_timer = self.loop.call_later(self._limits.header_timeout, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _too_slow(self) -> None:
        if self._unread_bytes:
            self._refuse(HeadersTooSlow(self._limits.header_timeout))
        else:  # a connection in reserve; nothing was asked
            self.transport.close()

    def _too_large(self) -> None:
        self._refuse(HeadersTooLarge(f"{self._limits.max_header_size} bytes", "max_header_size"))

    def _refuse(self, error: Refusal) -> None:
        """Say why, and close; the application never hears of it."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._stop_waiting()
        ERRORS.add("gateway", error.reason)
        log.warning("connection was refused", extra={"reason": error.reason, "status": error.status})
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            of_its_body = cycle.headers is self.headers and not self._expects_headers
            if not of_its_body or cycle.response_started or self._waiting:
                self.transport.close()  # in the middle of another answer, this would be read as a part of it
                return
            cycle.leave()  # this is the answer
        status = status_of(error)
        body = orjson.dumps(http_error(status, secrets.token_hex(8), error.status))
        headers = (*error.headers, *retry_headers(status))
        lines = [
            b"HTTP/1.1 %d %s" % (error.status, HTTPStatus(error.status).phrase.encode()),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"connection: close",
            *(b"%s: %s" % header for header in headers if header[0] != b"connection"),
        ]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.transport.close()


def _size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def _writable() -> Flag:
    flag = Flag()
    flag.set()
    return flag
