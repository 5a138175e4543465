"""The last moment before a connection: the one place that sees every address, however it was found.

A check of names or URLs beforehand can be fooled (odd spellings, a second look-up that answers differently, a
redirect); this cannot, because the address that is checked is the one that is connected to.
"""

import errno
import socket
from collections.abc import Callable, Collection
from typing import Any

from hector_http.addresses import Network, why_refused


class RefusedAddress(OSError):
    """An OSError so that the next address of the same name is tried."""

    def __init__(self, address: str, why: str) -> None:
        # The same text for every address: several failures of one text come out as the first of them.
        super().__init__(errno.EACCES, "refused by the address policy")
        self.address = address
        self.why = why


def guarded_sockets(allowed: Collection[Network]) -> Callable[[Any], socket.socket]:
    """Return a maker of sockets (aiohttp's `socket_factory`) that makes none for a forbidden address."""

    def make(found: Any) -> socket.socket:
        family, kind, protocol, _, address = found
        why = why_refused(address[0], allowed)
        if why:
            raise RefusedAddress(address[0], why)
        return socket.socket(family, kind, protocol)

    return make
