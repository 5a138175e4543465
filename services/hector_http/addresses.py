"""Which addresses a stranger's URL may lead to."""

import ipaddress
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Networks whose addresses carry an IPv4 address: where the packet really ends up.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")

# Global by the registry, and yet where clouds keep credentials for whoever asks from inside.
_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"))
)


def why_refused(address: str, allowed: Collection[Network] = ()) -> str:
    """Return what forbids connecting to an IP address, as "loopback"; empty when nothing does.

    Allowed are public unicast addresses, and whatever lies in `allowed`.
    """
    try:
        found = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return "not an IP address"
    if any(found in network for network in allowed):
        return ""
    if found in _METADATA:
        return "a metadata service"
    if found.is_loopback:
        return "loopback"
    if found.is_link_local:
        return "link-local"
    if found.is_unspecified:
        return "unspecified"
    if found.is_multicast:
        return "multicast"
    if found.is_private:
        return "private"
    # What is left of the registry's special purposes: shared (CGNAT), reserved, documentation, site-local.
    if not found.is_global or found.is_reserved or (isinstance(found, IPv6Address) and found.is_site_local):
        return "reserved"
    return ""


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and (address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)):
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address
