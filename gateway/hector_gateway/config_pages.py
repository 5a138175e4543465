"""`/schema`, `/api/schema`, `/api/config` and `/api/config/revisions`: the config, to read."""

import orjson

from hector_mesh import Principal

from .access import Access
from .caching import cacheable
from .config_source import ConfigSource
from .errors import NoSuchRevision, NotForYou, QueryRefused
from .exchange import JSON, Exchange

SCHEMA = b"application/schema+json"
PAGE, LARGEST_PAGE = 50, 100


class ConfigPages:
    """Shows the config that runs. Changing it is for a later version: every other verb is refused."""

    def __init__(self, access: Access, source: ConfigSource | None) -> None:
        self._access, self._source = access, source

    def has(self, path: str) -> bool:
        """Say whether a path is one of these."""
        known = ("/schema", "/api/schema", "/api/config", "/api/config/revisions")
        path = path.removesuffix("/")
        return self._source is not None and (path in known or path.startswith("/api/config/revisions/"))

    async def serve(self, exchange: Exchange, principal: Principal) -> None:
        """Answer a GET or HEAD.

        Raises:
            Unauthenticated: Somebody must show a credential first.
            NotForYou: The config is for the admin.
            NoSuchRevision: There is none of that number or id.
        """
        assert self._source is not None
        self._access.admit(principal)
        path = exchange.path.removesuffix("/")
        if path.endswith("/schema"):
            await cacheable(exchange, await self._source.schema(), b"private, max-age=300", kind=SCHEMA)
            return
        self._check(exchange, principal)
        if path == "/api/config":
            found: object = await self._source.config()
        elif path == "/api/config/revisions":
            before, limit = _number(exchange, "before"), _number(exchange, "limit")
            page = await self._source.revisions(before, min(limit or PAGE, LARGEST_PAGE))
            found = {"revisions": page}
        else:
            which = path.rpartition("/")[2]
            found = await self._source.revision(which)
            if found is None:
                raise NoSuchRevision(which)
        await cacheable(exchange, orjson.dumps(found), b"private, no-cache", kind=JSON)

    def _check(self, exchange: Exchange, principal: Principal) -> None:
        """Let the admin pass; where nobody needs a credential, whoever is on this machine."""
        if "admin" in principal.roles or (not self._access.required and exchange.from_here):
            return
        raise NotForYou("reading the config", "admin")


def _number(exchange: Exchange, name: str) -> int | None:
    text = exchange.query(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9 or int(text) == 0:
        raise QueryRefused(name, text, "a number above 0")
    return int(text)
