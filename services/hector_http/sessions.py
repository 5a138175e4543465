"""Everything that is not plain, by aiohttp. Imports it (150 ms): only for modules that are imported late."""

import ssl
from collections.abc import Collection

import aiohttp

from hector_http.addresses import Network
from hector_http.connecting import guarded_sockets
from hector_http.failures import translated
from hector_http.incoming import Incoming
from hector_http.request import Request
from hector_http.resolving import Lookups
from hector_http.targets import Target, parsed


class Session:
    """Sends requests to addresses that an operator wrote down, or to everybody else's."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, request: Request, target: Target) -> Incoming:
        """Send a request, and return its answer once the headers are there.

        Raises:
            HttpError: There is no answer.
        """
        url = parsed(target.url)
        try:
            answer = await self._session.request(
                request.method,
                url,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=request.timeouts.connect_s),
            )
        except (aiohttp.ClientError, OSError) as error:
            raise translated(error, url) from error
        return Incoming(answer)

    async def close(self) -> None:
        await self._session.close()


def trusted_session(context: ssl.SSLContext | None) -> Session:
    """Return a session for addresses that an operator wrote down."""
    return _session(aiohttp.TCPConnector(limit=0, resolver=aiohttp.ThreadedResolver(), ssl=context or True))


def guarded_session(allowed: Collection[Network]) -> Session:
    """Return a session for everybody else's addresses."""
    connector = aiohttp.TCPConnector(
        limit=100,
        resolver=Lookups(),
        use_dns_cache=False,
        socket_factory=guarded_sockets(allowed),
    )
    return _session(connector)


def _session(connector: aiohttp.TCPConnector) -> Session:
    return Session(
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # no proxy and no netrc from the environment
            headers={"User-Agent": "hector"},
            skip_auto_headers=("Content-Type", "Accept-Encoding"),
        )
    )
