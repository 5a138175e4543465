"""Notices that a plugin's program has become another one, and replaces what runs once the file is written."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from hector_mesh import HectorError

from .clock import Clock
from .fingerprint import Fingerprint, fingerprint
from .plan import PluginPlan
from .redacting import redacted
from .supervisor import Supervisor

log = logging.getLogger(__name__)

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


class RenewedPrograms:
    """Looks after the programs of all plugins of a host."""

    def __init__(self, clock: Clock, supervisors: Callable[[], Iterable[Supervisor]]) -> None:
        """Prepare.

        Args:
            clock: Tells the time.
            supervisors: Returns the plugins that there are now.
        """
        self._clock, self._supervisors = clock, supervisors
        self._seen: dict[Supervisor, _Seen] = {}
        self._replacing: dict[Supervisor, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look again and again. A plugin that is slow to be replaced keeps no other one waiting."""
        try:
            while True:
                await self.look()
                await self._clock.sleep(EVERY_S)
        finally:
            tasks = tuple(self._replacing.values())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def look(self) -> None:
        """Look at all of them, and begin to replace those whose program is another one and is written."""
        present = tuple(self._supervisors())
        self._seen = {one: seen for one, seen in self._seen.items() if one in present}
        for supervisor in present:
            if supervisor.plan.starts_a_process and supervisor not in self._replacing:
                await self._look(supervisor)

    async def _look(self, supervisor: Supervisor) -> None:
        now = await asyncio.to_thread(fingerprint, supervisor.plan)
        running = supervisor.fingerprint()
        seen = self._seen.setdefault(supervisor, _Seen(now if running is None else running))
        if now == running:
            seen.tried = now  # as it crashed, say, and was started again
        if now == seen.tried or len(now) < len(seen.tried):  # on its way: some write to nothing
            seen.found = None
            return
        found = (now, await asyncio.to_thread(_sums, supervisor.plan))
        if found != seen.found:
            seen.found = found
            return
        seen.tried, seen.found = now, None
        task = asyncio.get_running_loop().create_task(
            _replace(supervisor), name=f"plugin-{supervisor.plan.name}-program"
        )
        self._replacing[supervisor] = task
        task.add_done_callback(lambda _: self._replacing.pop(supervisor, None))


async def _replace(supervisor: Supervisor) -> None:
    facts: dict[str, object] = {"plugin": supervisor.plan.name}
    try:
        await supervisor.reload()
    except HectorError as error:
        facts["error"] = redacted(str(error), supervisor.plan.secrets)
        log.error("plugin was not replaced by its new program", extra=facts)
    else:
        log.info("plugin was replaced by its new program", extra=facts)


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
