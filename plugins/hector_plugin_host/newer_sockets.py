"""Notices that a folder of sockets has a newer one, and replaces the plugin by the one behind it."""

import asyncio
from pathlib import Path

from .modes.watch import EVERY_S, Socket, sockets
from .successors import Successors
from .supervisor import Supervisor


class NewerSockets(Successors[Socket]):
    """Looks after those plugins of a host that are the newest socket of a folder.

    Of each it keeps the newest socket, whether what is behind it took the place or was no good.
    """

    every_s = EVERY_S
    kind = "newer"
    replaced = "plugin was replaced by the one behind a newer socket"
    not_replaced = "plugin was not replaced by the one behind a newer socket"

    async def _has_one(self, supervisor: Supervisor) -> bool:
        if supervisor.plan.mode != "watch":
            return False
        folder = Path(supervisor.plan.address)
        found = await asyncio.to_thread(sockets, folder)
        targets = {life.process.target for life in supervisor.ready() if life.process is not None}
        used = {Path(target.removeprefix("unix:")) for target in targets}
        if not found or not any(path.parent == folder for path in used):
            return False  # it begins with the newest by itself, or a debugger is in its place
        newest = found[-1]
        if newest.path in used or newest == self._seen.get(supervisor):
            return False
        self._seen[supervisor] = newest
        return True
