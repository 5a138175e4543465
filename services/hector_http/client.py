"""The client: one pool of connections, two doors out of it."""

import asyncio
import importlib
import ipaddress
import logging
import time
from collections.abc import Collection
from functools import partial
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Self

from hector_http.addresses import Network
from hector_http.backoff import Backoff
from hector_http.errors import HttpError, TimedOut, TooManyRedirects
from hector_http.limits import Timeouts
from hector_http.redirects import REDIRECTS, method_after, redirected
from hector_http.request import Request
from hector_http.response import Response
from hector_http.targets import Target, target_of
from hector_http.tls import Tls
from hector_mesh import current_call

if TYPE_CHECKING:
    from aiohttp import ClientSession, ClientTimeout

log = logging.getLogger(__name__)


class HttpClient:
    """Sends requests over pooled connections; open it with `async with`, and share it.

    An origin (scheme, host, port) that an operator wrote into the config is *trusted*: it may be on this
    machine or in a private network. Every other origin, redirects included, is resolved once, checked
    address by address at the moment of connecting, and refused where it is not public. So a client that is
    handed strangers' URLs should trust as little as possible. Proxies, cookies and `.netrc` are not used,
    whatever the environment says. aiohttp is imported with the first request.
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
        self._sessions: dict[bool, ClientSession] = {}
        self._opening = asyncio.Lock()
        self._late: ModuleType | None = None
        self._timeouts: dict[Timeouts, ClientTimeout] = {}
        self._targets: dict[str, Target] = {}
        self._closed = True

    async def __aenter__(self) -> Self:
        self._closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
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
            request = method_after(response.status, redirected(request, here.url, location))
        message = f"{here.origin} redirects more than {request.redirects} times"
        raise TooManyRedirects(message, origin=here.origin)

    async def _exchange(self, request: Request, deadline: float) -> Response:
        target = self._target(request.url)
        session = self._sessions.get(target.trusted) or await self._opened(target.trusted)
        assert self._late is not None
        url, translated = target.url, self._late.translated
        left_s, first_s = deadline - time.monotonic(), request.timeouts.first_byte_s
        try:
            async with asyncio.timeout(min(left_s, first_s)) as limit:
                answer = await session.request(
                    request.method,
                    url,
                    data=request.body,
                    headers=request.headers,
                    allow_redirects=False,
                    timeout=self._timeout(request.timeouts),
                )
        except TimeoutError as error:
            if not limit.expired():
                raise translated(error, url) from error
        except (self._late.aiohttp.ClientError, OSError) as error:
            raise translated(error, url) from error
        else:
            return Response(answer, request, deadline, partial(translated, url=url))
        message = f"{target.origin} did not answer " + (
            "in time" if left_s <= first_s else f"within {first_s:g} s"
        )
        raise TimedOut(message, origin=target.origin, phase="total" if left_s <= first_s else "first_byte")

    async def _opened(self, trusted: bool) -> "ClientSession":
        async with self._opening:
            if self._closed:
                raise RuntimeError("an HttpClient sends only inside its `async with`")
            if trusted not in self._sessions:
                # In a thread: answers that are being streamed need not wait for an import.
                sessions = await asyncio.to_thread(importlib.import_module, "hector_http.sessions")
                self._late = await asyncio.to_thread(importlib.import_module, "hector_http.failures")
                context = await asyncio.to_thread(self._tls.context) if self._tls else None
                self._sessions[trusted] = (
                    sessions.trusted_session(context) if trusted else sessions.guarded_session(self._allowed)
                )
        return self._sessions[trusted]

    def _timeout(self, timeouts: Timeouts) -> "ClientTimeout":
        found = self._timeouts.get(timeouts)
        if found is None:
            assert self._late is not None
            found = self._late.aiohttp.ClientTimeout(total=None, connect=timeouts.connect_s)
            self._timeouts[timeouts] = found
        return found

    def _target(self, url: str) -> Target:
        found = self._targets.get(url)
        if found is None:
            if len(self._targets) >= 256:
                self._targets.clear()  # a few are asked for again and again, the rest once
            found = self._targets[url] = target_of(url, self._trusted)
        return found


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
