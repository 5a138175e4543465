"""What a worker does because it is one: it hears its supervisor, and ends with it."""

import logging
import os
import signal
import threading
from asyncio import Event, TaskGroup
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from hector_mesh import HectorError

from .line import Told, WorkerLine
from .member import Member

log = logging.getLogger(__name__)


class Commit(Protocol):
    """Another config that is ready to be gone by."""

    def __call__(self) -> None:
        """Go by it from now on."""


Problems = tuple[str, ...]
Take = Callable[[Any], Awaitable[Commit | Problems]]
"""Makes ready for a proposal, or says why not."""


class Hearing:
    """Does what the supervisor says."""

    def __init__(self, member: Member, line: WorkerLine, stop: Event, take: Take, group: TaskGroup) -> None:
        self._member, self._line, self._stop, self._take = member, line, stop, take
        self._group = group
        self._ready: tuple[int, Commit] | None = None

    async def hear(self, told: Told) -> None:
        """Do one thing."""
        match told:
            case ("standings", standings):
                self._member.standings = standings
            case ("died", name):
                await self._bereave(name)
            case ("take", number, proposal):
                self._group.create_task(self._make_ready(number, proposal))
            case ("commit", number) if self._ready is not None and self._ready[0] == number:
                self._ready[1]()
                self._ready = None
            case ("drop", _):
                self._ready = None
            case ("stop",):
                self._member.leaves_last = True
                self._stop.set()
            case ("alone",):
                self._member.alone.set()

    async def started(self, bereave: Callable[[str], Awaitable[None]]) -> None:
        """Take what gives to others what a process had that died, and do so for those that died before."""
        self._member.bereave = bereave
        for name in self._member.orphans:
            await self._bereave(name)

    async def _bereave(self, name: str) -> None:
        if self._member.bereave is None:  # not running yet; it hears of it when it is
            self._member.orphans = (*self._member.orphans, name)
            return
        try:
            await self._member.bereave(name)
        except HectorError as error:
            facts = {"died": name, "problem": str(error)}
            log.warning("what a worker had could not be given to others, its lease must end", extra=facts)

    async def _make_ready(self, number: int, proposal: object) -> None:
        taken = await self._take(proposal)
        if isinstance(taken, tuple):
            self._line.say("refused", number, taken)
        else:
            self._ready = number, taken
            self._line.say("prepared", number)


def end_with(lifeline: int, limit_s: float) -> None:
    """Stop in order when the supervisor is gone, and in any case after so many seconds."""

    def wait() -> None:
        os.read(lifeline, 1)  # nobody writes: it returns when the other end is closed
        log.warning("the supervisor is gone, so this worker stops", extra={"limit_s": limit_s})
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(limit_s)
        os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
