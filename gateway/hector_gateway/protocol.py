"""One HTTP connection: uvicorn's protocol, with limits on what arrives before a request is one."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hector_mesh import status_of
from hector_mesh.flag import Flag
from hector_mesh.metrics import ERRORS

from .config import LimitsConfig
from .errors import Busy, HeadersTooLarge, HeadersTooSlow, NotHttp, Refusal
from .faults import http_error, retry_headers
from .joined import Joined
from .open_files import most_connections

log = logging.getLogger(__name__)

LINGER_S = 0.3
"""How long a connection on which nothing is asked is kept when the server leaves."""


class Protocol(HttpToolsProtocol):
    """A connection that is refused in words when there are too many, or its headers are too large or slow.

    It also lets the application cut it when nobody reads.
    """

    # Beside them, the dictionary of what uvicorn has takes a fifth: up to thirty share their names.
    __slots__ = (
        *("_expects_headers", "_header_timer", "_is_last", "_leaving", "_limits"),
        *("_refused", "_unread_bytes"),
    )

    def __init__(self, *, limits: LimitsConfig, **more: Any) -> None:
        super().__init__(**more)
        self.pipeline = _Pipeline()  # type: ignore[assignment]  # as far as it is used
        self._limits = limits
        self._header_timer: asyncio.TimerHandle | None = None
        self._unread_bytes = 0
        """Of headers that are not complete."""
        self._expects_headers, self._refused = True, False
        self._is_last = False
        """The server leaves: the next answer here is the last one."""
        self._leaving: list[Callable[[], None]] = []
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
        super().connection_lost(exc)
        for tell in tuple(self._leaving):
            tell()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._expects_headers:
            self._unread_bytes += len(data)
        super().data_received(data)
        if self._expects_headers and self._unread_bytes and not self._refused:
            # Nobody knows yet how long the header is that does not end.
            if self._unread_bytes > self._limits.max_header_size:
                self._too_large()
            elif self._header_timer is None:
                self._wait_for_headers()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["hector.transport"] = self.transport  # type: ignore[typeddict-unknown-key]
        self.scope["hector.leaving"] = self._leaving  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        self._expects_headers, self._unread_bytes = False, 0
        self._stop_waiting()
        limits, headers = self._limits, self.headers
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in headers)
        if size > limits.max_header_size:
            self._too_large()
        elif len(headers) > limits.max_headers:
            self._refuse(HeadersTooLarge(f"{limits.max_headers} lines", "max_headers"))
        elif not self._refused:
            before = self.cycle
            super().on_headers_complete()
            if self.cycle is not None and self.cycle is not before:
                if self._is_last:
                    self.cycle.keep_alive = False
                self.cycle.message_event = Flag()  # type: ignore[assignment]  # smaller, and nobody waits yet
                if self.scope["method"] != "HEAD":
                    self.cycle.transport = Joined(self.transport)  # type: ignore[assignment]  # as far as used

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._expects_headers, self._unread_bytes = True, 0
        self.scope["hector.arrived"] = True  # type: ignore[typeddict-unknown-key]
        if not self._refused:
            super().on_message_complete()

    def shutdown(self) -> None:
        """Let the connection end: with its answer, or in a moment, for a request may be on its way.

        Whoever is cut off while he asks cannot know whether he was heard, and would not ask again.
        """
        self._is_last = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LINGER_S, self._close_idle)
        else:
            super().shutdown()

    def _close_idle(self) -> None:
        if not self._unread_bytes and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Say in our own words that this is no request."""
        self._refuse(NotHttp())

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
            of_its_body = cycle.scope is self.scope and not self._expects_headers
            if not of_its_body or cycle.response_started or self.pipeline:
                self.transport.close()  # in the middle of another answer, this would be read as a part of it
                return
            cycle.disconnected = True  # this is the answer
            cycle.message_event.set()
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


class _Pipeline(list[Any]):
    """Requests that wait for the one before them: mostly none, and an empty deque takes 700 bytes."""

    def appendleft(self, waiting: Any) -> None:
        """Let a request wait behind all others; `pop` gives the one that waits longest."""
        self.insert(0, waiting)


def _writable() -> Flag:
    flag = Flag()
    flag.set()
    return flag
