"""aiohttp sessions as we want them. Imports aiohttp (150 ms): only for modules that are imported late."""

import ssl
from collections.abc import Collection

import aiohttp

from hector_http.addresses import Network
from hector_http.connecting import guarded_sockets


def trusted_session(context: ssl.SSLContext | None) -> aiohttp.ClientSession:
    """Return a session for addresses that an operator wrote down."""
    return _session(aiohttp.TCPConnector(limit=0, resolver=aiohttp.ThreadedResolver(), ssl=context or True))


def guarded_session(allowed: Collection[Network]) -> aiohttp.ClientSession:
    """Return a session for everybody else's addresses."""
    connector = aiohttp.TCPConnector(
        limit=100,
        resolver=aiohttp.ThreadedResolver(),
        use_dns_cache=False,
        socket_factory=guarded_sockets(allowed),
    )
    return _session(connector)


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,  # no proxy and no netrc from the environment
        headers={"User-Agent": "hector"},
        skip_auto_headers=("Content-Type", "Accept-Encoding"),
    )
