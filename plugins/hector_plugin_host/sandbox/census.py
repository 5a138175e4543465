"""Which processes belong to a plugin, and what they use: read from /proc."""

import os
from collections.abc import Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Stat:
    """One process, as the kernel shows it."""

    state: str
    parent: int
    session: int
    cpu_s: float
    """Its own, and that of children that it has waited for."""
    threads: int
    begun: int
    """When it began, in ticks since the machine did: with its number, its identity."""


def stat_of(pid: int) -> Stat | None:
    """Return what the kernel says of a process; None: there is none."""
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    words = line[line.rindex(b")") + 2 :].split()
    ticks = sum(int(word) for word in words[11:15])
    return Stat(
        words[0].decode(), int(words[1]), int(words[3]), ticks / TICKS, int(words[17]), int(words[19])
    )


def children_of(pid: int) -> list[int]:
    """Return the processes that a process's threads have begun and that still are its own."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += [int(word) for word in (thread / "children").read_bytes().split()]
    return found


def descendants_of(pid: int) -> list[int]:
    """Return a process's children, and theirs."""
    found: dict[int, None] = {}
    waiting = [pid]
    while waiting and len(found) < _MOST:
        for child in children_of(waiting.pop()):
            if child not in found:
                found[child] = None
                waiting.append(child)
    return list(found)


def in_sessions(sessions: Iterable[int]) -> dict[int, int]:
    """Return all processes of some sessions, with their sessions. Looks at every process there is."""
    wanted = frozenset(sessions)
    found: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            stat = stat_of(int(place.name))
            if stat is not None and stat.session in wanted:
                found[int(place.name)] = stat.session
    return found


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has, what it shares with others counted in full."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def proportional_bytes(pid: int) -> int:
    """Return a process's share of memory, in RAM and swapped out: pages of several processes are divided."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().split(b"\n")
    except OSError:
        return resident_bytes(pid)
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith((b"Pss:", b"SwapPss:")))


class Census:
    """The processes of one plugin, from its beginning on."""

    def __init__(self, root: int, plugin: int, *, filtered: bool = False) -> None:
        """Begin with the process that was started.

        Args:
            root: The child of this process: the plugin, or bubblewrap.
            plugin: The plugin's own process.
            filtered: Whether its system calls are filtered, and so are those of all that it starts.
        """
        self._filtered = filtered
        self._new_sessions: set[int] = set()
        self._around = {} if root == plugin else _between(root, plugin)
        """Processes of bubblewrap's, with when they began, as of all that are kept here."""
        self._sessions = {stat.session for pid in (root, plugin) if (stat := stat_of(pid)) is not None}
        self._known = _alive((plugin,))
        self._is_closed = bool(self._around)
        """Whether nothing can leave the tree, as in a process namespace."""

    def joined(self, pid: int) -> None:
        """Take note of a process that begins a session of its own, and would be lost when its parent ends."""
        self._sessions.add(pid)
        self._new_sessions.add(pid)

    def members(self, *, thoroughly: bool = True) -> list[int]:
        """Return what lives, bubblewrap itself left out.

        Args:
            thoroughly: Whether to look for processes whose parents have ended, at the cost of a look at all.
        """
        found: dict[int, None] = {}
        for pid, begun in (self._around | self._known).items():
            if pid not in found and (stat := stat_of(pid)) is not None and stat.begun == begun:
                found |= dict.fromkeys((pid, *descendants_of(pid)))
        if thoroughly and not self._is_closed:
            found |= dict.fromkeys(self._elsewhere(found))
        self._known = _alive(pid for pid in found if pid not in self._around)
        return list(self._known)

    def still_there(self) -> int:
        """Return how many of those that were found last are left: a lower bound, and quickly counted."""
        return sum(_alive((pid,)).get(pid) == begun for pid, begun in self._known.items())

    def _elsewhere(self, found: Container[int]) -> list[int]:
        """Return processes that are in the plugin's sessions and not below it any more.

        The number of a session that has ended can become that of somebody else's: sessions without processes
        are forgotten, and what is not filtered as the plugin is, is not the plugin's.
        """
        there = in_sessions(self._sessions)
        self._sessions &= {*there.values(), *self._new_sessions}
        self._new_sessions.clear()
        return [pid for pid in there if pid in found or not self._filtered or _is_filtered(pid)]


def _is_filtered(pid: int) -> bool:
    try:
        return b"\nSeccomp:\t2\n" in Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return False


def _alive(pids: Iterable[int]) -> dict[int, int]:
    """Return those that live, with when they began."""
    return {pid: stat.begun for pid in pids if (stat := stat_of(pid)) is not None and stat.state not in "ZX"}


def _between(root: int, plugin: int) -> dict[int, int]:
    """Return the processes from a root down to the plugin, without it, and when they began."""
    found = [root]
    pid = plugin
    while (stat := stat_of(pid)) is not None and stat.parent not in (0, root):
        pid = stat.parent
        found.append(pid)
    return _alive(found)
