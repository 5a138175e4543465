"""The client: tries, redirects and deadlines, over one of two ways to send a request."""

import asyncio
import importlib
import ipaddress
import logging
import time
from collections.abc import Collection
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hector_http.addresses import Network
from hector_http.arriving import Arriving
from hector_http.backoff import Backoff
from hector_http.errors import HttpError, TooManyRedirects
from hector_http.heads import is_odd
from hector_http.pool import Pool
from hector_http.redirects import REDIRECTS, method_after, redirected
from hector_http.request import Request
from hector_http.response import Response, begun
from hector_http.targets import Target, parsed, target_of
from hector_http.tls import Tls
from hector_mesh import current_call

if TYPE_CHECKING:
    from hector_http.sessions import Session

log = logging.getLogger(__name__)


class HttpClient:
    """Sends requests over pooled connections; open it with `async with`, and share it.

    An origin (scheme, host, port) that an operator wrote into the config is *trusted*: it may be on this
    machine or in a private network. Every other origin, redirects included, is resolved once, checked
    address by address at the moment of connecting, and refused where it is not public. So a client that is
    handed strangers' URLs should trust as little as possible. Proxies, cookies and `.netrc` are not used,
    whatever the environment says.

    What is plain (to a trusted origin, and no redirects to follow) goes over our own `Pool`, and everything
    else over aiohttp, which is imported with the first such request.
    """

    def __init__(
        self, *, trusted: Collection[str] = (), allowed: Collection[str] = (), tls: Tls | None = None
    ) -> None:
        """Prepare a client.

        Args:
            trusted: URLs whose origins an operator wrote down.
            allowed: Networks, as "10.1.0.0/16", that strangers' URLs may lead to as well.
            tls: How to check the certificates of trusted origins; strangers are always checked as usual.
        """
        self._trusted = trusted
        self._allowed: tuple[Network, ...] = tuple(map(ipaddress.ip_network, allowed))
        self._tls = tls
        self._pool = Pool(tls)
        self._sessions: dict[bool, Session] = {}
        self._opening = asyncio.Lock()
        self._targets: dict[str, Target] = {}
        self._closed = True

    async def __aenter__(self) -> Self:
        self._closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        await self._pool.close()
        while self._sessions:
            _, session = self._sessions.popitem()
            await session.close()

    def send(self, request: Request) -> "_Sending":
        """Send a request and give its answer, whatever its status: for `async with`.

        Leaving early closes the connection.

        Tries again as `request.retries` says, as long as no answer worth reading has come. The deadline of
        the call being served bounds everything.

        Raises:
            HttpError: There is no answer; the subclass says why.
        """
        return _Sending(self, request)

    async def _answered(self, request: Request, deadline: float) -> Response:
        backoff = Backoff(request)
        while True:
            status = 0
            try:
                response = await self._followed(request, deadline)
                status = response.status
                delay_s = backoff.after_answer(status, response.headers)
                if delay_s is None or time.monotonic() + delay_s >= deadline:
                    return response
                response.close()
            except HttpError as error:
                delay_s = backoff.after_failure(error)
                if delay_s is None or time.monotonic() + delay_s >= deadline:
                    raise
            facts = {"origin": self._target(request.url).origin, "delay_s": round(delay_s, 3)}
            log.info("will try an http request again", extra=facts | ({"status": status} if status else {}))
            await asyncio.sleep(delay_s)

    async def _followed(self, request: Request, deadline: float) -> Response:
        for _ in range(request.redirects + 1):
            response = await self._exchange(request, deadline)
            location = response.headers.get("Location", "")
            if not request.redirects or response.status not in REDIRECTS or not location:
                return response
            response.close()
            here = self._target(request.url)
            request = method_after(response.status, redirected(request, parsed(here.url), location))
        message = f"{here.origin} redirects more than {request.redirects} times"
        raise TooManyRedirects(message, origin=here.origin)

    async def _exchange(self, request: Request, deadline: float) -> Response:
        target = self._target(request.url)
        return await begun(self._asked(request, target), request, target.origin, deadline)

    async def _asked(self, request: Request, target: Target) -> Arriving:
        if self._closed:
            raise RuntimeError("an HttpClient sends only inside its `async with`")
        if is_plain(request, target):
            return await self._pool.ask(request, target)
        session = self._sessions.get(target.trusted) or await self._opened(target.trusted)
        return await session.ask(request, target)

    async def _opened(self, trusted: bool) -> "Session":
        async with self._opening:
            if trusted not in self._sessions:
                # In a thread: answers that are being streamed need not wait for an import.
                sessions = await asyncio.to_thread(importlib.import_module, "hector_http.sessions")
                context = await asyncio.to_thread(self._tls.context) if self._tls else None
                self._sessions[trusted] = (
                    sessions.trusted_session(context) if trusted else sessions.guarded_session(self._allowed)
                )
        return self._sessions[trusted]

    def _target(self, url: str) -> Target:
        found = self._targets.get(url)
        if found is None:
            if len(self._targets) >= 256:
                self._targets.clear()  # a few are asked for again and again, the rest once
            found = self._targets[url] = target_of(url, self._trusted)
        return found


def is_plain(request: Request, target: Target) -> bool:
    """Whether our own pool may send it: what is left to do is to write it down and to read the answer."""
    return target.trusted and not request.redirects and not is_odd(request)


class _Sending:
    """One request under way, and then its answer."""

    __slots__ = ("_client", "_request", "_response")

    def __init__(self, client: HttpClient, request: Request) -> None:
        self._client, self._request = client, request
        self._response: Response | None = None

    async def __aenter__(self) -> Response:
        deadline = min(time.monotonic() + self._request.timeouts.total_s, current_call.get().deadline)
        self._response = await self._client._answered(self._request, deadline)
        return self._response

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            self._response.close()
