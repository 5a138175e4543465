"""Tells whether the files that a plugin runs from are still the same."""

import stat
from pathlib import Path

from .plan import PluginPlan

Fingerprint = tuple[tuple[str, int, int, int], ...]


def fingerprint(plan: PluginPlan) -> Fingerprint:
    """Return what changes when somebody puts another executable, or script, in its place.

    Only arguments that name a file count: what a program loads by itself it keeps to itself.
    """
    if not plan.starts_a_process:
        return ()
    found = []
    for argument in plan.command:
        path = plan.folder / argument
        try:
            about = path.stat()
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(about.st_mode):
            found.append((str(Path(path)), about.st_mtime_ns, about.st_size, about.st_ino))
    return tuple(found)
