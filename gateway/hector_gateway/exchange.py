"""What one HTTP request says, and its answer in words."""

import asyncio
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
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

__all__ = ["JSON", "ClientLeft", "Exchange"]

JSON = b"application/json"

LINGER = 8
"""How many times of what a body may have is read, and thrown away, before its sender is cut off."""

_EXTENSIONS = (EXTENSIONS.encode(), OLD_EXTENSIONS.encode())
_PARAMETERS = {name.encode(): name for name in NAMES}

NOBODY = Principal()
_PLAIN = (b"x-content-type-options", b"nosniff")


class Exchange:
    """What a client asks, and the means to answer it once."""

    json = JSON
    """What JSON is called in the answer."""
    version = ""
    """A2A's version, where a client speaks HTTP+JSON."""
    profile: Profile | None = None
    """Which edition of A2A decides the codes of errors, once it is known which agent is meant."""

    def __init__(self, cycle: Cycle) -> None:
        self._cycle = cycle
        self.verb, self.path = cycle.verb, cycle.path
        self._headers = headers = dict(cycle.headers)
        self.traceparent = traceparent_of(self.header(b"traceparent")) if b"traceparent" in headers else ""
        """The client's trace, if it sends one that makes sense."""
        self.request_id = request_id_of(self.header(b"x-request-id") if b"x-request-id" in headers else None)
        """Names the request in logs and errors; the client's own, if it sends one."""
        self.started = False
        """The answer has begun, so it cannot become another one."""
        self.more_headers: Headers = ()
        """What is said with every answer of this request."""
        self.status = 0
        """Of the answer; 0 before there is one."""
        self.principal: Principal = NOBODY
        self.what, self.agent, self.reason = "", "", ""
        """For the log: who asked, for what, of which agent, and why it failed."""

    @property
    def steps(self) -> list[str]:
        """What stands between the path's slashes. A slash within an id comes encoded."""
        raw = self._cycle.raw_path
        if b"%2F" not in raw and b"%2f" not in raw:
            return self.path.removesuffix("/").split("/")[1:]
        return [unquote(step) for step in raw.decode("ascii").removesuffix("/").split("/")[1:]]

    @property
    def from_here(self) -> bool:
        """The connection comes from this machine."""
        client = self._cycle.connection.client
        return client is not None and is_loopback(client[0])

    @property
    def caller(self) -> str:
        """Whose share of the server this takes: the principal's, or without a credential the address's."""
        return self.principal.id or (self._cycle.connection.client or ("",))[0]

    @property
    def time_s(self) -> float:
        """The time that the answer's Date will say, which may be a second behind the clock."""
        for name, value in self._cycle.always:
            if name == b"date":
                return parsedate_to_datetime(value.decode()).timestamp()
        return time.time()

    def header(self, name: bytes) -> str | None:
        """Return a header by its name in lower case."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1").strip()

    def parameters(self) -> Pairs:
        """Return what the client says beside its request, as the mesh carries it.

        Raises:
            InvalidParams: There is something in it that metadata cannot hold.
        """
        headers = self._headers
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
        headers = self._headers
        if _EXTENSIONS[0] not in headers and _EXTENSIONS[1] not in headers:
            return ()
        return tuple(extensions_in(*(self._list(name) for name in _EXTENSIONS)))

    def _list(self, name: bytes) -> str:
        """Return all values of a header that may be there several times."""
        return ", ".join(value.decode("latin-1").strip() for key, value in self._cycle.headers if key == name)

    @property
    def names_host(self) -> bool:
        """It says whom it is for, as every request of HTTP/1.1 must."""
        return b"host" in self._headers or self._cycle.http_version != "1.1"

    def version_said(self) -> str | None:
        """Return the version of A2A that the client names, in a header or in the query.

        Raises:
            InvalidParams: It names two.
        """
        said = self.header(b"a2a-version")
        text = self._cycle.query_string
        if not text or b"version" not in text.lower():
            return said
        asked = self.query("A2A-Version")
        if said and asked and said.split(".")[:2] != asked.strip().split(".")[:2]:
            wrong = (
                f"the header says {said[:40]!r} and the query {asked[:40]!r}; leave one out, or say the same"
            )
            raise InvalidParams({"A2A-Version": wrong})
        return said or asked

    @property
    def query_string(self) -> bytes:
        """What stands behind the question mark."""
        return self._cycle.query_string

    def query(self, name: str) -> str | None:
        """Return a query parameter, of any case, as the last one is written."""
        text = self._cycle.query_string
        if not text:
            return None
        found = {key.lower(): values[-1] for key, values in parse_qs(text.decode("latin-1")).items()}
        return found.get(name.lower())

    async def body(self, limit: int, *, within_s: float) -> bytes:
        """Return the whole body.

        Raises:
            BodyTooLarge: It has more than `limit` bytes.
            BodyTooSlow: It took longer than `within_s` seconds.
            ClientLeft: The client left in the middle of it.
        """
        if self._cycle.is_arrived:  # with its headers, as most do: there is nothing to wait for
            body = await self._cycle.piece()
            if len(body) > limit:
                raise BodyTooLarge(limit)
            return body
        try:
            async with asyncio.timeout(within_s):
                return await self._body(limit)
        except TimeoutError:
            raise BodyTooSlow(within_s) from None

    async def _body(self, limit: int) -> bytes:
        cycle = self._cycle
        length = self._headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            if int(length) <= LINGER * limit and not self.header(b"expect"):
                await self._discard(LINGER * limit)
            raise BodyTooLarge(limit)
        body = await cycle.piece()
        pieces, size = [body], len(body)
        while size <= limit:
            if cycle.is_arrived:
                return b"".join(pieces)
            pieces.append(await cycle.piece())
            size += len(pieces[-1])
        await self._discard(LINGER * limit)
        raise BodyTooLarge(limit)

    async def _discard(self, most: int) -> None:
        """Read on, for those who hear a refusal only when they have sent everything: most clients do."""
        while not self._cycle.is_arrived and most > 0:
            most -= len(await self._cycle.piece())

    async def reply(self, status: int, body: bytes, *, kind: bytes = JSON, headers: Headers = ()) -> None:
        """Answer as a whole. A HEAD request gets the headers only."""
        self.started, self.status = True, status
        await self._cycle.answer(status, self._said(kind, headers), body)

    async def reply_json(self, status: int, found: object, headers: Headers = ()) -> None:
        await self.reply(status, orjson.dumps(found), kind=self.json, headers=headers)

    async def start(self, status: int, kind: bytes, headers: Headers = ()) -> None:
        """Send status and headers; the body follows."""
        self.started, self.status = True, status
        await self._cycle.begin(status, self._said(kind, headers))

    async def send(self, body: bytes, *, more: bool) -> None:
        await self._cycle.send(body, more=more)

    def send_at_once(self, body: bytes) -> bool:
        """Send a piece of the body if that takes no waiting; false: the client does not read."""
        return self._cycle.send_at_once(body)

    def _said(self, kind: bytes, headers: Headers) -> Headers:
        asked = (b"x-request-id", self.request_id.encode())
        named = ((b"content-type", kind), asked, _PLAIN) if kind else (asked, _PLAIN)
        return named + self.more_headers + headers

    def tell_of_leaving(self, tell: Callable[[], None]) -> None:
        """Call `tell` when the client closes the connection, until `tell_no_more`."""
        cycle = self._cycle
        cycle.connection.leaving.append(tell)
        if cycle.transport.is_closing():
            asyncio.get_running_loop().call_soon(tell)

    def tell_no_more(self, tell: Callable[[], None]) -> None:
        leaving = self._cycle.connection.leaving
        if tell in leaving:
            leaving.remove(tell)

    def drop(self) -> None:
        """Cut the connection, whatever is still on its way."""
        self._cycle.transport.abort()


def _fits(name: str, text: str) -> bool:
    """Say whether metadata can hold what a header says; an empty key is none that anybody means."""
    return text.isascii() and text.isprintable() and (bool(text) or name != IDEMPOTENCY_KEY)
