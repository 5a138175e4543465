"""Starts a program that may write below one folder only and use no TCP, by landlock: FOLDER COMMAND...

Run as a file, by any Python, before anything else is imported. Leaves with 77 where landlock is missing.
"""

import ctypes
import os
import sys

CREATE, ADD, RESTRICT = 444, 445, 446
"""Linux's calls; the numbers are the same on every machine."""
VERSION_ONLY = 1
BENEATH = 1
NO_NEW_PRIVILEGES = 38
WRITING = sum(1 << bit for bit in (1, *range(4, 13)))
"""Writing a file, removing and making anything."""
REFER, TRUNCATE = 1 << 13, 1 << 14
TCP = 0b11
"""Binding and connecting."""
MISSING = 77


class Rules(ctypes.Structure):
    """struct landlock_ruleset_attr: what needs permission from now on."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


class Below(ctypes.Structure):
    """struct landlock_path_beneath_attr: what is permitted in a folder."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("files", ctypes.c_uint64), ("folder", ctypes.c_int32))


def confine(folders: tuple[str, ...]) -> str:
    """Let this process, and what it becomes, write below these folders only; return why that cannot be."""
    kernel = ctypes.CDLL(None, use_errno=True)
    version = kernel.syscall(CREATE, None, ctypes.c_size_t(0), VERSION_ONLY)
    if version < 1:
        return f"this kernel has no landlock: {os.strerror(ctypes.get_errno())}"
    files = WRITING | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    rules = Rules(files, TCP if version >= 4 else 0)
    size = ctypes.sizeof(rules) if version >= 4 else 8
    ruleset = kernel.syscall(CREATE, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    for folder in folders:
        opened = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        allowed = Below(files, opened)
        if not os.path.isdir(folder):  # noqa: PTH112  a thin start: nothing more is imported
            allowed.files &= (1 << 1) | TRUNCATE
        if kernel.syscall(ADD, ruleset, BENEATH, ctypes.byref(allowed), 0):
            return f"landlock refuses {folder}: {os.strerror(ctypes.get_errno())}"
        os.close(opened)
    kernel.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if kernel.syscall(RESTRICT, ruleset, 0):
        return f"landlock refuses: {os.strerror(ctypes.get_errno())}"
    return ""


if __name__ == "__main__":
    folder, *command = sys.argv[1:]
    if why := confine((folder, "/dev/null")):
        sys.stderr.write(f"{why}\n")
        sys.exit(MISSING)
    os.execvp(command[0], command)
