"""Notices that a plugin's program has become another one, and replaces what runs once the file is written."""

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

from .fingerprint import Fingerprint, fingerprint
from .plan import PluginPlan
from .successors import Successors
from .supervisor import Supervisor

EVERY_S = 2.0
"""How often programs are looked at. A file counts as written when two looks find the same in it."""

Sums = tuple[str, ...]


@dataclass(slots=True)
class _Seen:
    """What was found of one plugin's program."""

    tried: Fingerprint
    """What runs, or was to run and is no good."""
    found: tuple[Fingerprint, Sums] | None = None
    """Another one, when it was last looked at."""


class RenewedPrograms(Successors[_Seen]):
    """Looks after the programs of all plugins of a host."""

    every_s = EVERY_S
    kind = "program"
    replaced = "plugin was replaced by its new program"
    not_replaced = "plugin was not replaced by its new program"

    async def _has_one(self, supervisor: Supervisor) -> bool:
        if not supervisor.plan.starts_a_process:
            return False
        now = await asyncio.to_thread(fingerprint, supervisor.plan)
        running = supervisor.fingerprint()
        seen = self._seen.setdefault(supervisor, _Seen(now if running is None else running))
        if now == running:
            seen.tried = now  # as it crashed, say, and was started again
        if now == seen.tried or len(now) < len(seen.tried):  # on its way: some write to nothing
            seen.found = None
            return False
        found = (now, await asyncio.to_thread(_sums, supervisor.plan))
        if found != seen.found:
            seen.found = found
            return False
        seen.tried, seen.found = now, None
        return True


def _sums(plan: PluginPlan) -> Sums:
    """Return what is in a program's files now; one that cannot be read is as if it were empty."""
    found = []
    for path, *_ in fingerprint(plan):
        try:
            with Path(path).open("rb") as file:
                found.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError:
            found.append("")
    return tuple(found)
