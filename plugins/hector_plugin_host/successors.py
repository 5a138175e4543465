"""What takes a plugin's place once it is there: looked for again and again, and put in its place."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, Generic, TypeVar

from hector_mesh import HectorError

from .clock import Clock
from .redacting import redacted
from .supervisor import Supervisor

log = logging.getLogger(__name__)

Seen = TypeVar("Seen")
"""What is kept of a plugin from one look to the next."""


class Successors(ABC, Generic[Seen]):
    """Looks for one kind of successors, for all plugins of a host."""

    every_s: ClassVar[float]
    """How often it is looked for them."""
    kind: ClassVar[str]
    """Names the tasks that replace."""
    replaced: ClassVar[str]
    not_replaced: ClassVar[str]
    """What the log says afterwards."""

    def __init__(self, clock: Clock, supervisors: Callable[[], Iterable[Supervisor]]) -> None:
        """Prepare.

        Args:
            clock: Tells the time.
            supervisors: Returns the plugins that there are now.
        """
        self._clock, self._supervisors = clock, supervisors
        self._seen: dict[Supervisor, Seen] = {}
        self._replacing: dict[Supervisor, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look again and again. A plugin that is slow to be replaced keeps no other one waiting."""
        try:
            while True:
                await self.look()
                await self._clock.sleep(self.every_s)
        finally:
            tasks = tuple(self._replacing.values())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def look(self) -> None:
        """Look at all of them, and begin to replace those that have a successor."""
        present = tuple(self._supervisors())
        self._seen = {one: seen for one, seen in self._seen.items() if one in present}
        for supervisor in present:
            if supervisor not in self._replacing and await self._has_one(supervisor):
                self._begin(supervisor)

    @abstractmethod
    async def _has_one(self, supervisor: Supervisor) -> bool:
        """Tell whether there is a successor that was not tried yet; from now on it was."""

    def _begin(self, supervisor: Supervisor) -> None:
        task = asyncio.get_running_loop().create_task(
            self._replace(supervisor), name=f"plugin-{supervisor.plan.name}-{self.kind}"
        )
        self._replacing[supervisor] = task
        task.add_done_callback(lambda _: self._replacing.pop(supervisor, None))

    async def _replace(self, supervisor: Supervisor) -> None:
        facts: dict[str, object] = {"plugin": supervisor.plan.name}
        try:
            await supervisor.reload()
        except HectorError as error:
            facts["error"] = redacted(str(error), supervisor.plan.secrets)
            log.error(self.not_replaced, extra=facts)
        else:
            log.info(self.replaced, extra=facts)
