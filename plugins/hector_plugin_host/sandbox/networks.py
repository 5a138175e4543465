"""Where a plugin may connect: the entries of `allowed_networks`, and what they say about one address."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORMS = '"host", "host:port", "*.domain", "10.0.0.0/8", "localhost:port", or "*" for anywhere'
USUAL_PORTS = (443, 80)
"""Those that a host without a port can be reached at by programs that know nothing of proxies."""

_NAME = re.compile(r"(?=.{1,253}$)(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*", re.IGNORECASE)
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254")
)
"""Where clouds tell a machine its own credentials."""
_LOCALHOST = (ipaddress.ip_network("127.0.0.1"), ipaddress.ip_network("::1"))
"""What "localhost" may stand for; who lists one of them gets that one by this name, and no more."""


class NotANetwork(ValueError):
    """An entry has none of the forms."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: a name, all names of a domain, or addresses; and a port, or any."""

    text: str
    name: str = ""
    domain: str = ""
    """As ".example.com"."""
    network: Network | None = None
    loopback: bool = False
    """All of the host's own loopback."""
    port: int | None = None

    def allows_port(self, port: int) -> bool:
        """Say whether a port is meant."""
        return self.port is None or self.port == port


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that one plugin may connect to."""

    anywhere: bool = False
    entries: tuple[Entry, ...] = ()

    @property
    def nowhere(self) -> bool:
        """Whether it may not connect at all."""
        return not self.anywhere and not self.entries

    def allows_name(self, host: str, port: int) -> bool:
        """Say whether a name is on the list; its addresses have to be asked about afterwards."""
        name = host.lower().rstrip(".")
        return any(
            entry.allows_port(port)
            and (
                (entry.name != "" and entry.name == name)
                or (entry.domain != "" and name.endswith(entry.domain))
                or (name == "localhost" and (entry.loopback or entry.network in _LOCALHOST))
            )
            for entry in self.entries
        )

    def lists(self, address: Address, port: int) -> bool:
        """Say whether an address is on the list as itself."""
        plain = _plain(address)
        for entry in self.entries:
            if not entry.allows_port(port):
                continue
            if entry.loopback and plain.is_loopback:
                return True
            if (
                entry.network is not None
                and plain.version == entry.network.version
                and plain in entry.network
            ):
                # Nobody who writes 0.0.0.0/0 means the machine itself, or its credentials.
                return entry.network.num_addresses == 1 or not _is_special(plain) or _is_meant(entry.network)
        return False

    def why_not(self, address: Address, port: int) -> str:
        """Return why an address that an allowed name led to is refused all the same; empty: it is not."""
        plain = _plain(address)
        if self.lists(plain, port) or not _is_special(plain):
            return ""
        return f"{plain} is {_kind(plain)}; list that address itself if it is meant"


def policy(entries: Iterable[str] | None) -> Policy:
    """Return what the configuration allows; None, as nobody said anything, is nowhere.

    Raises:
        NotANetwork: An entry is none.
    """
    read = tuple(_entry(text) for text in entries or ())
    if any(entry.text == "*" for entry in read):
        return Policy(anywhere=True)
    return Policy(entries=read)


def unusual(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return the entries that need a proxy: what can be meant by them is not a list of hosts and ports."""
    return tuple(entry for entry in entries if not _is_listable(entry) or entry.port is None)


def _is_listable(entry: Entry) -> bool:
    if entry.network is not None:
        return entry.network.num_addresses == 1 and entry.network.version == 4
    return bool(entry.name) or (entry.loopback and entry.port is not None)


def _entry(text: str) -> Entry:
    wanted = text.strip().lower()
    if wanted == "*":
        return Entry(text="*")
    if "://" in wanted:
        scheme, _, rest = wanted.partition("://")
        host = rest.split("/", 1)[0]
        usual = {"https": ":443", "http": ":80"}.get(scheme, "") if ":" not in host else ""
        raise NotANetwork(f"{text!r} is an address of a page; write {host + usual!r}")
    network = _network(wanted)
    if network is not None:
        return Entry(text=text, network=network)
    host, port = _split(text, wanted)
    if host == "localhost":
        return Entry(text=text, loopback=True, port=port)
    network = _network(host)
    if network is not None:
        return Entry(text=text, network=network, port=port)
    if host.startswith("*.") and _NAME.fullmatch(host[2:]):
        return Entry(text=text, domain=host[1:], port=port)
    if _NAME.fullmatch(host) and not re.fullmatch(r"[0-9.]+", host):
        return Entry(text=text, name=host, port=port)
    raise NotANetwork(f"{text!r} is none of {FORMS}")


def _split(text: str, wanted: str) -> tuple[str, int | None]:
    host, colon, port = wanted.rpartition(":")
    if not colon:
        return wanted, None
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise NotANetwork(f"{text!r} has no port between 1 and 65535 behind its colon; write {FORMS}")
    return host, int(port)


def _network(text: str) -> Network | None:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return ipaddress.ip_network(bare, strict=False)
    except ValueError:
        return None


def _plain(address: Address) -> Address:
    """Return the address that is really meant: IPv6 has ways to write one of IPv4."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _is_special(address: Address) -> bool:
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (isinstance(address, ipaddress.IPv4Address) and address in ipaddress.ip_network("0.0.0.0/8"))
        or address in _METADATA
    )


def _is_meant(network: Network) -> bool:
    """Say whether a network is a special one as a whole, so that whoever wrote it knew."""
    return network.is_loopback or network.is_link_local or network.is_multicast


def _kind(address: Address) -> str:
    if address in _METADATA:
        return "where the cloud keeps this machine's credentials"
    if address.is_loopback:
        return "this machine's loopback"
    return "link-local" if address.is_link_local else "no address of another machine"
