"""One attempt to tell a receiver, and what its answer means."""

from dataclasses import dataclass

from hector_http import AddressRefused, BadUrl, HttpClient, HttpError, Request

GONE = 410
REST_S = 1.0  # for the end of an answer that nobody reads, so that its connection can be used again
HOPELESS = (AddressRefused, BadUrl)
"""What no attempt will change: somebody has to see to it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a receiver has not confirmed."""

    reason: str
    """In a word that never varies."""
    message: str
    """For whoever reads the list of configs. Says nothing of what the receiver answered but its status."""
    is_final: bool = False
    """Trying again is no use."""
    retry_after_s: float = 0.0
    """What the receiver asks for."""


async def attempt(http: HttpClient, request: Request) -> Failure | None:
    """Send a notification; None: it is confirmed, by any status of 2xx.

    A receiver that says it is gone (410) is not tried again, nor is an address that is not allowed.
    Everything else is: a wrong status may be a deployment under way. Redirects are not followed.
    """
    try:
        async with http.send(request) as response:
            status, headers = response.status, response.headers
            await response.finish(REST_S)
    except HttpError as error:
        return Failure(error.reason, str(error), is_final=isinstance(error, HOPELESS))
    if 200 <= status < 300:
        return None
    if status == GONE:
        return Failure("HTTP_410", "the receiver says that it is gone (HTTP 410)", is_final=True)
    if 300 <= status < 400:
        return Failure(f"HTTP_{status}", f"the receiver redirects (HTTP {status}), which is not followed")
    from hector_http.backoff import retry_after_s

    return Failure(
        f"HTTP_{status}",
        f"the receiver answered HTTP {status}",
        retry_after_s=retry_after_s(headers) or 0.0,
    )
