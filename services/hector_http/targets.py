"""A URL, parsed once and by one parser: two that disagree about the host are how checks are fooled.

That parser is yarl's. What is so plain that no two parsers could disagree (lower case, a host of letters and
digits, nothing escaped) is cut by an expression: a model's address is, and yarl costs 13 ms and 2 MB.
"""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from hector_http.errors import BadUrl

if TYPE_CHECKING:
    from yarl import URL

_plain = re.compile(
    r"(https?)://"
    r"([a-z0-9_](?:[a-z0-9_.-]{0,250}[a-z0-9])?)"
    r"(?::([1-9][0-9]{0,4}))?"
    r"((?:/[A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*)*/?)"
).fullmatch


class Target(NamedTuple):
    """Where a request goes."""

    url: str
    origin: str
    """Scheme, host and port, fit for errors and logs."""
    host: str
    port: int
    path: str
    """With the query."""
    trusted: bool = False
    """An operator wrote this origin down."""

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https:")


def target_of(url: str, trusted: Collection[str]) -> Target:
    """Return where `url` leads; it is trusted if one of the trusted URLs has its origin.

    Raises:
        BadUrl: It is not an absolute http or https URL, or holds a name or password.
    """
    found = _target(url)
    return found._replace(trusted=any(_target(known).origin == found.origin for known in trusted))


def parsed(text: str) -> "URL":
    """Return a URL as yarl has it.

    Raises:
        BadUrl: As `target_of`.
    """
    from yarl import URL  # late: see above

    try:
        url = URL(text)
        ok = url.scheme in ("http", "https") and bool(url.raw_host) and not url.raw_user and bool(url.port)
    except ValueError:
        ok = False
    if not ok:
        raise BadUrl("an absolute http:// or https:// URL without a user name is needed")
    return url


def _target(text: str) -> Target:
    plain = _plain(text)
    if plain is None or int(plain[3] or 1) > 65535:
        url = parsed(text)
        assert url.raw_host is not None
        assert url.port is not None
        return Target(str(url), str(url.origin()), url.raw_host, url.port, url.raw_path_qs)
    scheme, host, digits, path = plain.groups()
    usual = 443 if scheme == "https" else 80
    port = int(digits) if digits else usual
    origin = f"{scheme}://{host}" + (f":{port}" if port != usual else "")
    return Target(origin + path, origin, host, port, path or "/")
