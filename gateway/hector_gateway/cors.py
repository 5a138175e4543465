"""Which web pages may call, and how browsers are told: cross-origin resource sharing."""

from .cors_config import CorsConfig
from .errors import Headers, OriginNotAllowed
from .exchange import Exchange

_SHOWN = b"x-request-id, a2a-extensions, retry-after, www-authenticate"
_VARY = (b"vary", b"Origin")


class Cors:
    """What browsers are told of the origins that may call."""

    def __init__(self, config: CorsConfig) -> None:
        self._config = config
        self._anybody = "*" in config.allowed_origins
        self._origins = frozenset(config.allowed_origins)
        self.is_on = bool(self._origins)
        """Some pages may call, so that there is something to tell them."""
        self._methods = ", ".join(config.allowed_methods).encode()
        self._credentials: Headers = (
            ((b"access-control-allow-credentials", b"true"),) if config.allow_credentials else ()
        )

    def allows(self, origin: str | None) -> bool:
        """Say whether pages of an origin may call."""
        return origin is not None and (self._anybody or origin.lower() in self._origins)

    def headers(self, origin: str | None) -> Headers:
        """Return what every answer says; to strangers nothing, so that their browser keeps it from them."""
        if not self.allows(origin):
            return () if self._anybody else (_VARY,)
        return (
            *self._for(origin),
            *self._credentials,
            (b"access-control-expose-headers", _SHOWN),
        )

    def is_preflight(self, exchange: Exchange) -> bool:
        """Say whether a browser asks before it sends a page's request."""
        return bool(
            exchange.verb == "OPTIONS"
            and exchange.header(b"origin")
            and exchange.header(b"access-control-request-method")
        )

    async def answer(self, exchange: Exchange) -> None:
        """Answer a preflight.

        Raises:
            OriginNotAllowed: Not from this origin, not with this method, or not with these headers.
        """
        origin = exchange.header(b"origin")
        method = exchange.header(b"access-control-request-method") or ""
        headers = exchange.header(b"access-control-request-headers") or ""
        if not self.allows(origin):
            raise OriginNotAllowed("origin", origin or "", "allowed_origins")
        methods = self._methods
        if method not in self._config.allowed_methods:
            if "*" not in self._config.allowed_methods:
                raise OriginNotAllowed("method", method, "allowed_methods")
            methods = method.encode("latin-1")  # beside credentials browsers do not take the star
        allowed = {name.lower() for name in self._config.allowed_headers}
        for name in filter(None, (name.strip() for name in headers.split(","))):
            wild = "*" in allowed and name.lower() != "authorization"
            if not wild and name.lower() not in allowed:
                raise OriginNotAllowed("header", name, "allowed_headers")
        exchange.more_headers = ()
        await exchange.reply(
            204,
            b"",
            kind=b"",
            headers=(
                *self._for(origin),
                *self._credentials,
                (b"access-control-allow-methods", methods),
                *(((b"access-control-allow-headers", headers.encode("latin-1")),) if headers else ()),
                (b"access-control-max-age", str(round(self._config.max_age)).encode()),
            ),
        )

    def _for(self, origin: str | None) -> Headers:
        if self._anybody:
            return ((b"access-control-allow-origin", b"*"),)
        return ((b"access-control-allow-origin", (origin or "").encode("latin-1")), _VARY)
