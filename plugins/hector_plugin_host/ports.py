"""Finds the TCP ports on which a process and its descendants listen."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_LISTENS = "0A"


def members(group: int) -> list[int]:
    """Return the processes of a group."""
    found = []
    with suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208  # names are all that is wanted
            if name.isdecimal() and _group_of(int(name)) == group:
                found.append(int(name))
    return found


def listening(pids: Iterable[int]) -> list[int]:
    """Return the ports, in order; nothing where /proc is none of Linux's."""
    found: set[int] = set()
    for pid in pids:
        inodes = _sockets_of(pid)
        for table in ("tcp", "tcp6") if inodes else ():
            with suppress(OSError):
                rows = Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
                found |= {_port(row) for row in rows if _inode(row) in inodes}
    return sorted(found)


def _group_of(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return -1
    return int(stat[stat.rindex(b")") + 2 :].split()[2])


def _sockets_of(pid: int) -> set[str]:
    inodes = set()
    with suppress(OSError):
        for descriptor in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                link = os.readlink(descriptor.path)  # noqa: PTH115  # not every link leads to a path
                if link.startswith("socket:["):
                    inodes.add(link[8:-1])
    return inodes


def _inode(row: str) -> str:
    fields = row.split()
    return fields[9] if fields[3] == _LISTENS else ""


def _port(row: str) -> int:
    return int(row.split()[1].rpartition(":")[2], 16)
