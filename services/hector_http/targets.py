"""A URL, parsed once and by one parser: two that disagree about the host are how checks are fooled."""

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from hector_http.errors import BadUrl

if TYPE_CHECKING:
    from yarl import URL


class Target(NamedTuple):
    """Where a request goes."""

    url: "URL"
    origin: str
    """Scheme, host and port, fit for errors and logs."""
    trusted: bool
    """An operator wrote this origin down."""


def target_of(url: str, trusted: Collection[str]) -> Target:
    """Return where `url` leads; it is trusted if one of the trusted URLs has its origin.

    Raises:
        BadUrl: It is not an absolute http or https URL, or holds a name or password.
    """
    parsed = _parsed(url)
    origin = str(parsed.origin())
    return Target(parsed, origin, any(str(_parsed(known).origin()) == origin for known in trusted))


def _parsed(text: str) -> "URL":
    from yarl import URL  # late: it is half of what importing aiohttp costs

    try:
        url = URL(text)
        ok = url.scheme in ("http", "https") and bool(url.raw_host) and not url.raw_user and bool(url.port)
    except ValueError:
        ok = False
    if not ok:
        raise BadUrl("an absolute http:// or https:// URL without a user name is needed")
    return url
