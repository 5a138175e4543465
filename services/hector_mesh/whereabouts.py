"""Where a process is: how others dial it, on which machine, and whose child it is."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address


def nowhere() -> str:
    """Nobody can dial this process."""
    return ""


def this_host() -> str:
    """Return the name of this machine; a container has one of its own."""
    return socket.gethostname()


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What a process says of itself to those who share a database with it."""

    target: Callable[[], str] = nowhere
    """How others dial its agent role, for `wire_channel`; empty if nobody can. Known when rooms run."""
    host: str = ""
    """Its machine: some targets mean something there only, see `can_dial`."""
    parent: str = ""
    """What a supervisor calls this one process, and none before or after it; empty without a supervisor."""
    number: int = 0
    """Which of a supervisor's workers it is, from 1; 0 without a supervisor."""


def can_dial(target: str, host: str) -> bool:
    """Say whether what a process of another `host` advertises can be dialled from here."""
    if not target:
        return False
    return not stays_on_host(target) or host == this_host()


def stays_on_host(target: str) -> bool:
    """Say whether a target leads nowhere from other machines: a unix socket, a loopback address."""
    if target.startswith("unix:"):
        return True
    name = _host_of(target)
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def is_everywhere(listen: str) -> bool:
    """Say whether an address to listen on is all of a machine's, and so tells nobody where to dial."""
    try:
        return not listen.startswith("unix:") and ip_address(_host_of(listen)).is_unspecified
    except ValueError:
        return _host_of(listen) == ""


def _host_of(address: str) -> str:
    return address.rpartition("/")[2].rpartition(":")[0].strip("[]")
