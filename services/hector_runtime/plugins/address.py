"""Where a plugin may be said to listen: a socket, or a host and its port."""

import re

_TARGET = re.compile(
    r"(?:(?:dns|ipv4|ipv6):)?(?://[^/]*/)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_.*-]*):(?P<port>\d+)"
)
FORMS = '"unix:/run/up.sock", "127.0.0.1:8081" or "dns:///embed.internal:7443"'


def problem_with(address: str, *, has_host: bool = True) -> str:
    """Return what is wrong with an address, in words that follow it; empty if it is one.

    Args:
        address: As somebody wrote it.
        has_host: Whether it has to name a host; to listen, a port is enough.
    """
    if address.startswith("unix:"):
        return "" if address.removeprefix("unix:").strip("/") else f"names no socket: write {FORMS}"
    if re.match(r"https?://", address):
        return f"is a web address, and plugins speak gRPC: write {FORMS}"
    found = _TARGET.fullmatch(address)
    if found is None:
        return f"is no address: write {FORMS}"
    if not 1 <= int(found["port"]) <= 65535:
        return "has no port between 1 and 65535"
    if has_host and not found["host"]:
        return f"names no host: write 127.0.0.1:{found['port']}"
    return ""
