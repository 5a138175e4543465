"""What one HTTP request says, and its answer in words."""

import asyncio
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

import orjson

from hector_a2a.codes import Profile
from hector_a2a.errors import InvalidParams
from hector_a2a.parameters import EXTENSIONS, IDEMPOTENCY_KEY, NAMES, OLD_EXTENSIONS, Pairs, extensions_in
from hector_mesh import Principal

from .addresses import is_loopback
from .cycle import ClientLeft, Cycle
from .errors import BodyTooLarge, BodyTooSlow, Headers
from .ids import request_id_of, traceparent_of

if TYPE_CHECKING:
    from .capabilities import Offer

__all__ = ["JSON", "ClientLeft", "Exchange"]

JSON = b"application/json"

LINGER = 8
"""How many times of what a body may have is read, and thrown away, before its sender is cut off."""

_EXTENSIONS = (EXTENSIONS.encode(), OLD_EXTENSIONS.encode())
_PARAMETERS = {name.encode(): name for name in NAMES}

NOBODY = Principal()
_PLAIN = b"x-content-type-options: nosniff\r\nx-request-id: %b\r\n"
_OF_JSON = b"content-type: application/json\r\n" + _PLAIN
_OF_EVENTS = (
    b"content-type: text/event-stream\r\ncache-control: no-store\r\nx-accel-buffering: no\r\n" + _PLAIN
)
"""Headers of most answers, as they are sent."""


class Exchange(Cycle):
    """What a client asks, and the means to answer it once."""

    json = JSON
    """What JSON is called in the answer."""
    version = ""
    """A2A's version, where a client speaks HTTP+JSON."""
    profile: Profile | None = None
    """Which edition of A2A decides the codes of errors, once it is known which agent is meant."""
    offer: "Offer | None" = None
    """What that agent offers."""
    traceparent = ""
    """The client's trace, if it sends one that makes sense."""
    started = False
    """The answer has begun, so it cannot become another one."""
    more_headers: Headers = ()
    """What is said with every answer of this request."""
    status = 0
    """Of the answer; 0 before there is one."""
    principal: Principal = NOBODY
    what = agent = reason = ""
    """For the log: for what it asks, of which agent, and why it failed."""

    request_id: str
    """Names the request in logs and errors; the client's own, if it sends one."""
    said: dict[bytes, bytes]
    """The headers; of one that is there several times, the last."""

    def look(self) -> None:
        """Find out what the headers say of the request itself."""
        said = self.said = dict(self.headers)
        if b"traceparent" in said:
            self.traceparent = traceparent_of(self.header(b"traceparent"))
        self.request_id = request_id_of(self.header(b"x-request-id") if b"x-request-id" in said else None)

    @property
    def steps(self) -> list[str]:
        """What stands between the path's slashes. A slash within an id comes encoded."""
        raw = self.raw_path
        if b"%2F" not in raw and b"%2f" not in raw:
            return self.path.removesuffix("/").split("/")[1:]
        return [unquote(step) for step in raw.decode("ascii").removesuffix("/").split("/")[1:]]

    @property
    def from_here(self) -> bool:
        """The connection comes from this machine."""
        client = self.connection.client
        return client is not None and is_loopback(client[0])

    @property
    def caller(self) -> str:
        """Whose share of the server this takes: the principal's, or without a credential the address's."""
        return self.principal.id or (self.connection.client or ("",))[0]

    @property
    def time_s(self) -> float:
        """The time that the answer's Date will say, which may be a second behind the clock."""
        for name, value in self.always:
            if name == b"date":
                return parsedate_to_datetime(value.decode()).timestamp()
        return time.time()

    def header(self, name: bytes) -> str | None:
        """Return a header by its name in lower case."""
        value = self.said.get(name)
        return None if value is None else value.decode("latin-1").strip()

    def parameters(self) -> Pairs:
        """Return what the client says beside its request, as the mesh carries it.

        Raises:
            InvalidParams: There is something in it that metadata cannot hold.
        """
        headers = self.said
        if headers.keys().isdisjoint(_PARAMETERS):
            return ()
        pairs = tuple((name, self._list(key)) for key, name in _PARAMETERS.items() if key in headers)
        wrong = {
            name: "visible ASCII characters are needed here" for name, text in pairs if not _fits(name, text)
        }
        if wrong:
            raise InvalidParams(wrong)
        return pairs

    def extensions(self) -> tuple[str, ...]:
        """Return the URIs of the extensions that the client names."""
        headers = self.said
        if _EXTENSIONS[0] not in headers and _EXTENSIONS[1] not in headers:
            return ()
        return tuple(extensions_in(*(self._list(name) for name in _EXTENSIONS)))

    def _list(self, name: bytes) -> str:
        """Return all values of a header that may be there several times."""
        return ", ".join(value.decode("latin-1").strip() for key, value in self.headers if key == name)

    def version_said(self) -> str | None:
        """Return the version of A2A that the client names, in a header or in the query.

        Raises:
            InvalidParams: It names two.
        """
        said = self.header(b"a2a-version")
        text = self.query_string
        if not text or b"version" not in text.lower():
            return said
        asked = self.query("A2A-Version")
        if said and asked and said.split(".")[:2] != asked.strip().split(".")[:2]:
            wrong = (
                f"the header says {said[:40]!r} and the query {asked[:40]!r}; leave one out, or say the same"
            )
            raise InvalidParams({"A2A-Version": wrong})
        return said or asked

    def query(self, name: str) -> str | None:
        """Return a query parameter, of any case, as the last one is written."""
        text = self.query_string
        if not text:
            return None
        found = {key.lower(): values[-1] for key, values in parse_qs(text.decode("latin-1")).items()}
        return found.get(name.lower())

    def body_here(self, limit: int) -> bytes | None:
        """Return the whole body if it came with its headers, as most do; None: it is to be waited for.

        Raises:
            BodyTooLarge: It has more than `limit` bytes.
        """
        if not self.is_arrived or self.disconnected or self._flow.read_paused:
            return None
        body, self._body = self._body, b""
        if len(body) > limit:
            raise BodyTooLarge(limit)
        return body

    async def body(self, limit: int, *, within_s: float) -> bytes:
        """Return the whole body.

        Raises:
            BodyTooLarge: It has more than `limit` bytes.
            BodyTooSlow: It took longer than `within_s` seconds.
            ClientLeft: The client left in the middle of it.
        """
        body = self.body_here(limit)
        if body is not None:
            return body
        try:
            async with asyncio.timeout(within_s):
                return await self._pieces(limit)
        except TimeoutError:
            raise BodyTooSlow(within_s) from None

    async def _pieces(self, limit: int) -> bytes:
        length = self.said.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            if int(length) <= LINGER * limit and not self.header(b"expect"):
                await self._discard(LINGER * limit)
            raise BodyTooLarge(limit)
        body = await self.piece()
        pieces, size = [body], len(body)
        while size <= limit:
            if self.is_arrived:
                return b"".join(pieces)
            pieces.append(await self.piece())
            size += len(pieces[-1])
        await self._discard(LINGER * limit)
        raise BodyTooLarge(limit)

    async def _discard(self, most: int) -> None:
        """Read on, for those who hear a refusal only when they have sent everything: most clients do."""
        while not self.is_arrived and most > 0:
            most -= len(await self.piece())

    async def reply(self, status: int, body: bytes, *, kind: bytes = JSON, headers: Headers = ()) -> None:
        """Answer as a whole. A HEAD request gets the headers only."""
        self.started, self.status = True, status
        if kind != JSON and kind:
            headers = ((b"content-type", kind), *headers)
        known = (_OF_JSON if kind == JSON else _PLAIN) % self.request_id.encode()
        await self.answer(status, self.more_headers + headers, body, known)

    async def reply_json(self, status: int, found: object, headers: Headers = ()) -> None:
        await self.reply(status, orjson.dumps(found), kind=self.json, headers=headers)

    async def start_events(self) -> None:
        """Begin an answer of events, which follow."""
        self.started, self.status = True, 200
        await self.begin(200, self.more_headers, _OF_EVENTS % self.request_id.encode())

    def tell_of_leaving(self, tell: Callable[[], None]) -> None:
        """Call `tell` when the client closes the connection, until `tell_no_more`."""
        self.connection.leaving.append(tell)
        if self.transport.is_closing():
            asyncio.get_running_loop().call_soon(tell)

    def tell_no_more(self, tell: Callable[[], None]) -> None:
        leaving = self.connection.leaving
        if tell in leaving:
            leaving.remove(tell)

    def drop(self) -> None:
        """Cut the connection, whatever is still on its way."""
        self.transport.abort()


def _fits(name: str, text: str) -> bool:
    """Say whether metadata can hold what a header says; an empty key is none that anybody means."""
    return text.isascii() and text.isprintable() and (bool(text) or name != IDEMPOTENCY_KEY)
