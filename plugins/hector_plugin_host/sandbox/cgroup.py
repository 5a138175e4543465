"""Limits by the kernel itself: a control group for each plugin, where we were given the right to make some.

That is so under systemd with `Delegate=yes`, and for root outside of containers. Only version 2 is used.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_WANTED = ("cpu", "memory")
_PERIOD_US = 100_000
_HOST = "hector-host"


@dataclass(frozen=True, slots=True)
class Group:
    """The control group of one plugin."""

    path: Path

    def add(self, pid: int) -> None:
        """Put a process into it; what it starts will be in it too."""
        (self.path / "cgroup.procs").write_text(str(pid))

    def ran_out_of_memory(self) -> bool:
        """Say whether the kernel has ended processes for using too much."""
        with suppress(OSError):
            for line in (self.path / "memory.events").read_text().splitlines():
                name, _, count = line.partition(" ")
                if name in ("oom_kill", "oom_group_kill") and int(count):
                    return True
        return False

    def members(self) -> list[int]:
        """Return all processes in it."""
        try:
            return [int(line) for line in (self.path / "cgroup.procs").read_text().split()]
        except OSError:
            return []

    def remove(self) -> None:
        """Take it away, with whoever is still in it."""
        with suppress(OSError):
            (self.path / "cgroup.kill").write_text("1")
        with suppress(OSError):
            self.path.rmdir()


def parent(root: Path = ROOT, own: str | None = None) -> Path | None:
    """Return the group in which groups for plugins can be made, with all controllers that are needed.

    Args:
        root: Where control groups are mounted.
        own: The line of /proc/self/cgroup for version 2; read if left out.

    Returns:
        None if there is none.
    """
    if not (root / "cgroup.controllers").is_file():
        return None  # version 1, or both
    mine = root / (own if own is not None else _own()).lstrip("/")
    for candidate in (mine.parent, mine):
        # Beside ourselves, if systemd keeps the service's own processes in a group below what is delegated.
        if (
            candidate.is_relative_to(root)
            and candidate != root
            and _enabled(candidate)
            and _is_writable(candidate)
        ):
            return candidate
    if mine != root and _is_writable(mine) and _available(mine) and _make_room(mine):
        return mine
    return None


def is_delegated(root: Path = ROOT, own: str | None = None) -> bool:
    """Say whether `parent` would find a place, and change nothing."""
    if not (root / "cgroup.controllers").is_file():
        return False
    mine = root / (own if own is not None else _own()).lstrip("/")
    if mine == root:
        return False
    above = mine.parent != root and _enabled(mine.parent) and _is_writable(mine.parent)
    return above or ((_enabled(mine) or _available(mine)) and _is_writable(mine))


def make(place: Path, name: str, *, memory_bytes: int, cores: float) -> Group:
    """Make a group with limits; 0: none.

    Raises:
        OSError: It cannot be made.
    """
    group = Group(place / name)
    group.path.mkdir()
    try:
        if memory_bytes:
            (group.path / "memory.max").write_text(str(memory_bytes))
            (group.path / "memory.oom.group").write_text("1")
            with suppress(OSError):  # not there without swap
                (group.path / "memory.swap.max").write_text("0")
        if cores:
            (group.path / "cpu.max").write_text(f"{int(cores * _PERIOD_US)} {_PERIOD_US}")
    except OSError:
        group.remove()
        raise
    return group


def _own() -> str:
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return line[3:]
    return "/"


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _enabled(group: Path) -> bool:
    return set(_WANTED) <= set(_words(group / "cgroup.subtree_control"))


def _available(group: Path) -> bool:
    return set(_WANTED) <= set(_words(group / "cgroup.controllers"))


def _is_writable(group: Path) -> bool:
    return os.access(group, os.W_OK) and os.access(group / "cgroup.procs", os.W_OK)


def _make_room(group: Path) -> bool:
    """Move what is in a group into one below it: with limits below it, it may hold no processes itself."""
    try:
        leaf = group / _HOST
        leaf.mkdir(exist_ok=True)
        for pid in _words(group / "cgroup.procs"):
            (leaf / "cgroup.procs").write_text(pid)
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in _WANTED))
    except OSError:
        return False
    return True
