"""Notices that a folder of sockets has a newer one, and replaces the plugin by the one behind it."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from hector_mesh import HectorError

from .clock import Clock
from .modes.watch import EVERY_S, Socket, sockets
from .redacting import redacted
from .supervisor import Supervisor

log = logging.getLogger(__name__)


class NewerSockets:
    """Looks after those plugins of a host that are the newest socket of a folder."""

    def __init__(self, clock: Clock, supervisors: Callable[[], Iterable[Supervisor]]) -> None:
        """Prepare.

        Args:
            clock: Tells the time.
            supervisors: Returns the plugins that there are now.
        """
        self._clock, self._supervisors = clock, supervisors
        self._tried: dict[Supervisor, Socket] = {}
        """The newest socket of each, whether what is behind it took the place or was no good."""
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
        """Look at all of them, and begin to replace those that are behind an older socket."""
        present = tuple(self._supervisors())
        self._tried = {one: socket for one, socket in self._tried.items() if one in present}
        for supervisor in present:
            if supervisor.plan.mode == "watch" and supervisor not in self._replacing:
                await self._look(supervisor)

    async def _look(self, supervisor: Supervisor) -> None:
        folder = Path(supervisor.plan.address)
        found = await asyncio.to_thread(sockets, folder)
        targets = {life.process.target for life in supervisor.ready() if life.process is not None}
        used = {Path(target.removeprefix("unix:")) for target in targets}
        if not found or not any(path.parent == folder for path in used):
            return  # it begins with the newest by itself, or a debugger is in its place
        newest = found[-1]
        if newest.path in used or newest == self._tried.get(supervisor):
            return
        self._tried[supervisor] = newest
        task = asyncio.get_running_loop().create_task(
            _replace(supervisor), name=f"plugin-{supervisor.plan.name}-newer"
        )
        self._replacing[supervisor] = task
        task.add_done_callback(lambda _: self._replacing.pop(supervisor, None))


async def _replace(supervisor: Supervisor) -> None:
    facts: dict[str, object] = {"plugin": supervisor.plan.name}
    try:
        await supervisor.reload()
    except HectorError as error:
        facts["error"] = redacted(str(error), supervisor.plan.secrets)
        log.error("plugin was not replaced by the one behind a newer socket", extra=facts)
    else:
        log.info("plugin was replaced by the one behind a newer socket", extra=facts)
