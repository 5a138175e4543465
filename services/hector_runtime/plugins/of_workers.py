"""The plugins of all workers of a server, from whichever of them is asked: each worker runs its own."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from grpc import StatusCode

from hector_mesh import HectorError
from hector_runtime.workers.neighbours import Neighbours

from .showing import Shown, ShownPlugins

REPLACE_S = 120.0
"""How long the other workers may take to have other processes ready: start_timeout is 30 s as a rule."""

_LIST, _LINES, _RELOAD, _RESTART = "plugins", "plugin-lines", "plugin-reload", "plugin-restart"


class NotEverywhere(HectorError):
    """Some of the workers could not do with a plugin what was asked for; the others have."""

    code, reason = StatusCode.FAILED_PRECONDITION, "PLUGIN_NOT_EVERYWHERE"

    def __init__(self, plugin: str, why: Mapping[int, str]) -> None:
        told = "; ".join(f"worker {number}: {said}" for number, said in sorted(why.items()))
        super().__init__(f"plugin {plugin!r} is as it was in some of the workers: {told}", plugin=plugin)


class PluginsOfWorkers:
    """As `ShownPlugins`, for all workers: each entry and each line says whose it is."""

    def __init__(self, own: ShownPlugins, neighbours: Neighbours) -> None:
        """Answer the other workers for this one's plugins, too."""
        self._own, self._neighbours = own, neighbours
        neighbours.answers(_LIST, self._told_of_all)
        neighbours.answers(_LINES, self._told_of_lines)
        neighbours.answers(_RELOAD, lambda name: _done(own.reload(name)), limit_s=REPLACE_S)
        neighbours.answers(_RESTART, lambda name: _done(own.restart(name)), limit_s=REPLACE_S)

    async def plugins(self) -> Sequence[Shown]:
        """Return how each of them is, in each worker."""
        others = self._neighbours.ask(_LIST)
        own, asked = await asyncio.gather(self._own.plugins(), others)
        found = [{**one, "worker": self._neighbours.number} for one in own]
        found += [{**one, "worker": number} for number, told in asked.items() for one in told or ()]
        return sorted(found, key=lambda one: (str(one["name"]), one["worker"]))

    def passed_over(self) -> Sequence[str]:
        """Return what discovery cannot use, each in a sentence; it is the same for all workers."""
        return self._own.passed_over()

    def unwell(self) -> Mapping[str, str]:
        """Return the state of those of this worker that are not well."""
        return self._own.unwell()

    async def lines(self, name: str, most: int) -> Sequence[Shown] | None:
        """Return what one printed last, in all workers; None: there is none of that name."""
        others = self._neighbours.ask(_LINES, f"{name} {most}")
        own, asked = await asyncio.gather(self._own.lines(name, most), others)
        told = {number: lines for number, lines in asked.items() if lines is not None}
        if own is not None:
            told[self._neighbours.number] = own
        found = [{**line, "worker": number} for number, lines in told.items() for line in lines]
        found.sort(key=lambda line: (line["time"], line["worker"], line["number"]))
        return found[-most:] if told else None

    async def reload(self, name: str) -> Shown | None:
        """Replace a plugin's processes in all workers; None: there is none of that name.

        Raises:
            NotEverywhere: In some of them a new one is no good, and what there was stays.
        """
        return await self._ordered(_RELOAD, name, self._own.reload)

    async def restart(self, name: str) -> Shown | None:
        """End a plugin's processes in all workers, and start others; None: there is none of that name.

        Raises:
            NotEverywhere: In some of them it did not start.
        """
        return await self._ordered(_RESTART, name, self._own.restart)

    async def _ordered(
        self, order: str, name: str, own: Callable[[str], Awaitable[Shown | None]]
    ) -> Shown | None:
        asked = self._neighbours.ask(order, name, limit_s=REPLACE_S)
        mine, told = await asyncio.gather(_answered(own(name)), asked)
        answers = {self._neighbours.number: mine, **told}
        silent = {"error": "it did not answer"}
        failed = {number: (said or silent)["error"] for number, said in answers.items() if _failed(said)}
        if failed:
            raise NotEverywhere(name, failed)
        done = {number: said["done"] for number, said in answers.items() if said and said["done"] is not None}
        if not done:
            return None
        first = min(done)
        return {**done[first], "worker": first, "workers": sorted(done)}

    async def _told_of_all(self, _: str) -> bytes:
        return json.dumps(list(await self._own.plugins())).encode()

    async def _told_of_lines(self, asked: str) -> bytes:
        name, _, most = asked.partition(" ")
        lines = await self._own.lines(name, int(most))
        return json.dumps(lines if lines is None else list(lines)).encode()


async def _done(doing: Awaitable[Shown | None]) -> bytes:
    return json.dumps(await _answered(doing)).encode()


async def _answered(doing: Awaitable[Shown | None]) -> dict[str, Any]:
    try:
        return {"done": await doing}
    except HectorError as error:
        return {"error": str(error)}


def _failed(said: Mapping[str, Any] | None) -> bool:
    return said is None or "error" in said
