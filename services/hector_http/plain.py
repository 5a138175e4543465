"""A client for programs that ask one server a question and end."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from hector_http.pool import Pool
from hector_http.request import Request
from hector_http.response import Response, begun
from hector_http.targets import target_of
from hector_http.tls import Tls

PlainResponse = Response


class PlainClient:
    """Sends requests to servers that a person named: no redirects, no retries. Used like HttpClient."""

    def __init__(self, *, tls: Tls | None = None) -> None:
        self._pool = Pool(tls)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def send(self, request: Request) -> AsyncIterator[Response]:
        """Send a request and give its answer, whatever its status; leaving early closes the connection.

        Raises:
            HttpError: There is no answer; the subclass says why.
        """
        target = target_of(request.url, [request.url])
        deadline = time.monotonic() + request.timeouts.total_s
        response = await begun(self._pool.ask(request, target), request, target.origin, deadline)
        try:
            yield response
        finally:
            response.close()
