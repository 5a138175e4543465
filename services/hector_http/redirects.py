"""Where a redirect leads, and what may go along."""

from dataclasses import replace
from typing import TYPE_CHECKING

from hector_http.errors import BadUrl
from hector_http.request import Request

if TYPE_CHECKING:
    from yarl import URL

REDIRECTS = frozenset({301, 302, 303, 307, 308})

# All that a stranger may get to see of a request that was meant for somebody else.
_IMPERSONAL = frozenset({"accept", "accept-language", "content-type", "user-agent"})


def redirected(request: Request, here: "URL", location: str) -> Request:
    """Return the request that follows a redirect other than 307 and 308, or with their method and body kept.

    Raises:
        BadUrl: The location is no http or https URL, or leads from https to http.
    """
    try:
        there = here.join(type(here)(location))
    except ValueError:
        raise BadUrl(f"{here.origin()} redirects to something that is no URL", origin=here.origin()) from None
    if there.scheme not in ("http", "https") or not there.raw_host or there.raw_user:
        raise BadUrl(f"{here.origin()} redirects to no http or https address", origin=here.origin())
    if here.scheme == "https" and there.scheme == "http":
        raise BadUrl(f"{here.origin()} redirects from https to http", origin=here.origin())
    request = replace(request, url=str(there))
    if there.origin() == here.origin():
        return request
    kept = {name: value for name, value in request.headers.items() if name.lower() in _IMPERSONAL}
    return replace(request, headers=kept)


def method_after(status: int, request: Request) -> Request:
    """Return the request as the redirect's status wants it repeated: with its body, or as a GET."""
    if status in (307, 308) or request.method == "HEAD":
        return request
    if status == 303 or request.method == "POST":
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-type"}
        return replace(request, method="GET", body=None, headers=headers)
    return request
