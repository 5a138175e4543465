"""Where an agent is, and how it is spoken to: by what was typed, or by what its card says."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from grpc import StatusCode

from hector_http import why_refused
from hector_mesh import HectorError

from .client_errors import NoSuchAddress, StrangePlace

Transport = Literal["jsonrpc", "http+json", "grpc"]

TRANSPORTS: tuple[Transport, ...] = ("jsonrpc", "http+json", "grpc")
BINDINGS: Mapping[str, Transport] = {"JSONRPC": "jsonrpc", "HTTP+JSON": "http+json", "GRPC": "grpc"}
SECURE = {"grpc": False, "grpcs": True}
THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
WELL_KNOWN = "/.well-known/agent-card.json"


class TransportNotOffered(HectorError):
    """The card offers nothing of what was asked for."""

    code, reason = StatusCode.FAILED_PRECONDITION, "TRANSPORT_NOT_OFFERED"

    def __init__(self, url: str, wanted: str, offered: Iterable[str]) -> None:
        shown = ", ".join(dict.fromkeys(offered)) or "nothing that this command speaks"
        super().__init__(
            f"the card of {url} offers no {wanted or 'transport that we speak'} (it offers: {shown}); "
            "choose another --transport",
            url=url,
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One interface of an agent."""

    transport: Transport
    url: str
    """Over HTTP without a slash at its end; over gRPC as "grpc://host:port" or "grpcs://host:port"."""
    tenant: str = ""
    """What every request says."""
    version: str = "1.0"
    is_strange: bool = False
    """A card led there, and it is another host than was named: it is not told credentials."""


def by_convention(url: str, agent: str, transport: Transport | None) -> Endpoint | None:
    """Return where a Hector server has an agent; None: only its card can say.

    Raises:
        NoSuchAddress: The URL is none.
    """
    scheme = urlsplit(url).scheme
    if scheme in SECURE:
        return Endpoint("grpc", with_port(url), agent)
    if transport == "grpc":
        return None
    return Endpoint(transport or "jsonrpc", f"{url}/agents/{quote(agent, safe='')}" if agent else url)


def card_url(url: str, agent: str) -> str:
    """Return where an agent's card is."""
    return f"{url}/agents/{quote(agent, safe='')}{WELL_KNOWN}" if agent else f"{url}{WELL_KNOWN}"


def by_card(card: Mapping[str, Any], url: str, transport: Transport | None) -> Endpoint:
    """Return the interface of a card that is wanted, or that it prefers; of A2A 1.0 where there is one.

    Raises:
        TransportNotOffered: It has none that we speak.
    """
    found = [*_offered(card, url)]
    for version in ("1.0", "0.3"):
        for one in found:
            if one.version == version and transport in (None, one.transport):
                return replace(one, is_strange=_host(one.url) != _host(url))
    raise TransportNotOffered(url, transport or "", (f"{one.transport} {one.version}" for one in found))


async def check_public(url: str, place: str) -> None:
    """Let a place pass to which the card of another host leads.

    Raises:
        StrangePlace: It is inside: what a stranger says may lead to strangers only.
    """
    parts = urlsplit(place)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port)
    except OSError:
        return  # whoever connects says so
    for *_, address in found:
        if why := why_refused(str(address[0])):
            raise StrangePlace(url, place, why)


def with_port(url: str) -> str:
    """Return a gRPC address with its port, the usual one if it says none.

    Raises:
        NoSuchAddress: It is none.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise NoSuchAddress(url) from None
    if not host or parts.username or parts.path.strip("/"):
        raise NoSuchAddress(url)
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}:{port or (443 if SECURE[parts.scheme] else 50051)}"


def _offered(card: Mapping[str, Any], url: str) -> Iterable[Endpoint]:
    for one in _objects(card.get("supportedInterfaces")):
        transport = BINDINGS.get(str(one.get("protocolBinding", "")))
        version = ".".join(str(one.get("protocolVersion", "")).split(".")[:2])
        if transport is not None and one.get("url"):
            place = _place(str(one["url"]), transport, url)
            yield Endpoint(transport, place, str(one.get("tenant") or ""), version)
    if card.get("url") and str(card.get("protocolVersion", "0.3")).startswith("0.3"):
        preferred = str(card.get("preferredTransport") or "JSONRPC")
        more = [(one.get("transport"), one.get("url")) for one in _objects(card.get("additionalInterfaces"))]
        for binding, place in [(preferred, card["url"]), *more]:
            if binding == "JSONRPC" and place:  # of 0.3, this is what we speak
                yield Endpoint("jsonrpc", str(place).rstrip("/"), version="0.3")


def _host(url: str) -> str:
    """Return whose a URL is; this machine has many names, and cards like to say another one."""
    host = urlsplit(url).hostname or ""
    return "localhost" if host in THIS_MACHINE else host


def _place(found: str, transport: Transport, url: str) -> str:
    if transport != "grpc":
        return found.rstrip("/")
    scheme, separator, rest = found.partition("://")
    if separator and scheme in SECURE:
        return with_port(found)
    is_secure = scheme == "https" if separator else urlsplit(url).scheme == "https"
    return with_port(f"{'grpcs' if is_secure else 'grpc'}://{rest if separator else found}")


def _objects(found: object) -> Iterable[Mapping[str, Any]]:
    return (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()
