"""aiohttp's exceptions in our words. Imports aiohttp: only for modules that are imported late."""

import aiohttp
from yarl import URL

from hector_http.connecting import RefusedAddress
from hector_http.errors import AddressRefused, BadUrl, BrokeOff, HttpError, TimedOut, Unreachable, Untrusted


def translated(error: Exception, url: URL, lost: type[HttpError] = Unreachable) -> HttpError:
    """Return what happened, for people who never heard of aiohttp.

    `lost` is what a lost connection means: before the answer `Unreachable`, in its middle `BrokeOff`.
    """
    origin = str(url.origin())
    refused = _cause(error, RefusedAddress)
    if refused is not None:
        return AddressRefused(
            f"{origin} leads to {refused.address}, which is {refused.why}; only addresses that an operator "
            "wrote into the config may be",
            origin=origin,
            address=refused.address,
        )
    if isinstance(error, aiohttp.InvalidURL):
        return BadUrl(f"not a usable URL at {origin}", origin=origin)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return TimedOut(f"{origin} took too long to accept a connection", origin=origin, phase="connect")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or "no known authority vouches for it"
        return Untrusted(f"the certificate of {origin} is not trusted: {why}", origin=origin, sent=False)
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable(f"cannot connect to {origin}: {_why(error)}", origin=origin, sent=False)
    if isinstance(error, aiohttp.ClientResponseError):
        return HttpError(f"{origin} does not answer in HTTP", origin=origin)
    if lost is BrokeOff:
        return BrokeOff(f"{origin} ended its answer before it was complete", origin=origin)
    return Unreachable(f"{origin} closed the connection without an answer", origin=origin, sent=True)


def _why(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name cannot be looked up"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "it does not speak TLS as we do"
    if isinstance(error.os_error, ConnectionRefusedError):
        return "connection refused"
    return (error.os_error.strerror or "no connection").lower()


def _cause(error: BaseException | None, kind: type[RefusedAddress]) -> RefusedAddress | None:
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__
    return None
