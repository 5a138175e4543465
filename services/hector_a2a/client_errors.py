"""What can go wrong between a client and a server, each with what to do about it."""

from collections.abc import Mapping
from typing import Any

from grpc import StatusCode

from hector_mesh import HectorError


class NoServerThere(HectorError):
    """Nobody answers at the address."""

    code = StatusCode.UNAVAILABLE
    reason = "NO_SERVER_THERE"

    def __init__(self, url: str, why: str) -> None:
        why = why.rpartition(": ")[2]  # it names the address too
        if "TLS" in why:
            step = "if it speaks plain HTTP, write http:// in --url"
        elif "closed the connection" in why and url.startswith("http:"):
            step = "if it speaks TLS, write https:// in --url; else look into that server's log"
        else:
            step = "start one with `hector serve`, or name another with --url"
        super().__init__(f"no server answers at {url} ({why}); {step}", url=url)


class ServerNotTrusted(HectorError):
    """The server's certificate is not one that we trust."""

    code = StatusCode.UNAVAILABLE
    reason = "SERVER_NOT_TRUSTED"

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"the certificate of {url} is not trusted ({why.rpartition(': ')[2]}); name the authority that "
            "signed it with --ca-certificate FILE",
            url=url,
        )


class NoSuchAddress(HectorError):
    """What should be a server's address is none."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "NO_SUCH_ADDRESS"

    def __init__(self, url: str) -> None:
        shown = url.rpartition("@")[2]  # a password stands before it
        super().__init__(
            f"{shown!r} is no address of a server; write --url as http://127.0.0.1:8080, without a user name"
        )


class SilentServer(HectorError):
    """Somebody takes the connection and does not answer."""

    code = StatusCode.UNAVAILABLE
    reason = "SILENT_SERVER"

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"{url} took the request and kept silent ({why}); check --url, and at that server its /health "
            "and its log",
            url=url,
        )


class NotAnA2AServer(HectorError):
    """Somebody answers, in another language."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "NOT_AN_A2A_SERVER"

    def __init__(self, url: str, status: int | str) -> None:
        shown = f"HTTP {status}" if isinstance(status, int) else f"gRPC {status}"
        message = f"{url} answers ({shown}), but not as an A2A server does; check --url"
        super().__init__(message, url=url, status=status)


class StrangePlace(HectorError):
    """A card leads to where a stranger's card may not lead."""

    code = StatusCode.PERMISSION_DENIED
    reason = "STRANGE_PLACE"

    def __init__(self, url: str, place: str, why: str) -> None:
        super().__init__(
            f"the card of {url} leads to {place}, which is {why}; name it with --url if that is meant",
            url=url,
        )


class NoPages(HectorError):
    """A gRPC server has no pages."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "NO_PAGES"

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url} speaks gRPC, and this is asked over HTTP: name that port with --url", url=url
        )


class TokenRefused(HectorError):
    """The server wants a credential, or another one."""

    code = StatusCode.UNAUTHENTICATED
    reason = "TOKEN_REFUSED"

    def __init__(self, url: str, *, given: bool, kept: bool = False) -> None:
        said = "does not accept this credential" if given else "wants a credential"
        how = "pass the admin secret or an API key with --token, or in HECTOR_TOKEN"
        if kept:
            how = "a card led there, and yours is for the server that you named: name this one with --url"
        super().__init__(f"{url} {said}; {how}", url=url)


class BrokenAnswer(HectorError):
    """The answer ended before it was whole."""

    code = StatusCode.UNAVAILABLE
    reason = "BROKEN_ANSWER"

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"the answer from {url} broke off: {why}", url=url)


class Refused(HectorError):
    """The server understood and said no; `facts["reason"]` is its own reason, as "TASK_NOT_FOUND"."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "REFUSED_BY_SERVER"


def refused(error: Mapping[str, Any]) -> Refused:
    """Return what an error object of JSON-RPC, or of A2A over HTTP, says."""
    facts: dict[str, object] = {"code": error.get("code", "")}
    details = error.get("data", error.get("details"))
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and str(detail.get("@type", "")).endswith("google.rpc.ErrorInfo"):
            facts["reason"] = detail.get("reason", "")
    return Refused(str(error.get("message") or "the server refused, and does not say why"), **facts)
