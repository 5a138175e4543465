"""What of the files is left to a plugin where there are no namespaces: rules of the kernel's Landlock."""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from .syscalls import processor

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _DEVICE_IOCTL = 1 << 14, 1 << 15
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _DEVICE_IOCTL

READ = EXECUTE | READ_FILE | READ_DIR
_VERSION_ONLY = 1
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1, 2

CONTROLS_TCP = 4
"""The first version of Landlock that knows TCP."""
CONTROLS_SCOPE = 6
"""The first one that keeps signals, and sockets without a file, inside."""

Rule = tuple[str, int]
"""A path, and what may be done below it."""


def version() -> int:
    """Return the kernel's version of Landlock.

    Raises:
        OSError: It has none, or it is switched off.
    """
    here = processor()
    if here is None:
        raise OSError(0, "no filter is written for this processor")
    libc = ctypes.CDLL(None, use_errno=True)
    found: int = libc.syscall(here.numbers["landlock_create_ruleset"], None, 0, _VERSION_ONLY)
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found


def files_handled(abi: int) -> int:
    """Return all rights to files that this version of Landlock knows, so that what has no rule is refused."""
    bits = 13
    bits += abi >= 2  # to move between folders
    bits += abi >= 3  # to truncate
    bits += abi >= 5  # to speak to devices
    return (1 << bits) - 1


def ruleset(abi: int, *, tcp: bool) -> bytes:
    """Return what is refused unless a rule allows it, as struct landlock_ruleset_attr.

    Args:
        abi: The version of Landlock.
        tcp: Whether connecting by TCP is refused too; listening is not.
    """
    fields = [files_handled(abi)]
    if abi >= CONTROLS_TCP:
        fields.append(_CONNECT_TCP if tcp else 0)
    if abi >= CONTROLS_SCOPE:
        fields.append(_SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS)
    return struct.pack(f"={len(fields)}Q", *fields)


def abstract_sockets_alone() -> bytes:
    """Return, as `ruleset`, that nothing is refused but other people's sockets without a file."""
    return struct.pack("=3Q", 0, 0, _SCOPE_ABSTRACT_SOCKETS)


def rules(abi: int, readable: Iterable[Path], writable: Iterable[Path]) -> list[Rule]:
    """Return a rule for each path that is there."""
    everything = files_handled(abi)
    found: list[Rule] = []
    for paths, wanted in ((readable, READ), (writable, everything)):
        for path in paths:
            try:
                mode = path.stat().st_mode
            except OSError:
                continue
            rights = wanted & everything if stat.S_ISDIR(mode) else wanted & everything & _OF_FILES
            found.append((str(path), rights))
    return found
