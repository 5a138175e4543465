"""SIGHUP: the config is read again, and takes effect as far as that goes without a restart."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hector_config import Loaded, Sealed
from hector_mesh import HectorError, Renewal
from hector_runtime.config import Config, load_config
from hector_runtime.handlers import check_handlers
from hector_runtime.pages import Pages
from hector_runtime.plugins.checking import check_plugins
from hector_runtime.process import Process
from hector_runtime.renewing import changes, waiting
from hector_runtime.revision import sealed_config

from .proposing import Proposal, problems_of, proposed
from .settings import Overrides, overridden

log = logging.getLogger(__name__)

LATE_S = 60.0
"""Runs that ended may still be written, and those that began a moment before have their whole time."""
LOOK_S = 1.0
"""How often files are looked at that are watched."""
PREPARE_S = 60.0
"""How long all rooms together may take to make ready for another config."""


@dataclass(slots=True)
class Running:
    """The config that a process runs on, and where it came from."""

    loaded: Loaded[Config]
    config: Config
    """All of it: gaps filled, and the command line's own on top."""
    overrides: Overrides
    pages: Pages
    watch: bool = False
    """Look at the files oneself, too."""
    tells: bool = True
    """Write into the log what was changed; of several workers one does."""


class Rereading:
    """Answers SIGHUP, one at a time. A config that is no good changes nothing."""

    def __init__(self, running: Running) -> None:
        self._running = running
        # As the file and the command line say it, before gaps are filled: what the next one is compared with.
        self._said = overridden(running.loaded.config, running.overrides)
        self._process: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        """Once there is something that can take another config."""
        self._one = asyncio.Lock()
        self._tasks = set[asyncio.Task[None]]()

    @asynccontextmanager
    async def on_hangup(self) -> AsyncIterator[None]:
        """Until the block ends, answer each SIGHUP; one that comes before `started` waits for it.

        Without this the signal would end the process, and with it the answers that are being given.
        """
        hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none
        loop = asyncio.get_running_loop()
        if hangup is not None:
            loop.add_signal_handler(hangup, self._told)
        if self._running.watch:
            self._tasks.add(loop.create_task(self._watch()))
        try:
            yield
        finally:
            if hangup is not None:
                loop.remove_signal_handler(hangup)
            for task in self._tasks:
                task.cancel()
            self._process.cancel()

    def started(self, process: Process) -> None:
        """Say what is to take another config."""
        self._process.set_result(process)

    def _told(self) -> None:
        task = asyncio.get_running_loop().create_task(self._reread())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self) -> None:
        seen = await asyncio.to_thread(stamps, self._running.loaded)
        while True:
            await asyncio.sleep(LOOK_S)
            now = await asyncio.to_thread(stamps, self._running.loaded)
            if now != seen:
                seen = now
                self._told()

    async def _reread(self) -> None:
        running = self._running
        if not running.loaded.is_file:
            log.warning("nothing to read again, this server runs without a config file")
            return
        await asyncio.shield(self._process)
        async with self._one:
            try:
                found = await asyncio.to_thread(load_config, Path(running.loaded.file))
                said, overrides = self._said, running.overrides
                commit = await self.prepared(await proposed(found, said, running.config, overrides))
            except (HectorError, TimeoutError) as error:
                for problem in problems_of(error):
                    log.error("config refused, nothing was changed", extra={"problem": problem})
            else:
                commit()

    async def prepared(self, proposal: Proposal) -> Callable[[], None]:
        """Make the process ready for another config, and return what puts it into effect.

        Raises:
            HectorError: Part of the process cannot go by it.
            TimeoutError: It was not ready in time.
        """
        process = await asyncio.shield(self._process)
        found = proposal.found
        try:
            async with asyncio.timeout(PREPARE_S):
                if "agent" in process.roles:
                    await asyncio.to_thread(check_handlers, found)
                await asyncio.to_thread(check_plugins, found, process.roles)
                sealed = await asyncio.to_thread(sealed_config, found)
                return await self._prepared(proposal, sealed, process)
        except TimeoutError:
            raise TimeoutError(f"its parts were not ready within {PREPARE_S:g} s") from None

    async def _prepared(self, proposal: Proposal, sealed: Sealed, process: Process) -> Callable[[], None]:
        running, found, config = self._running, proposal.found, proposal.config
        pages = running.pages
        left = waiting(self._said, proposal.wanted, process.roles)
        lasting_s = max((agent.timeout for agent in running.config.agents.values()), default=0.0)
        prepared = await process.prepare(Renewal(config, sealed.id, pages.id, lasting_s + LATE_S))
        shown = await pages.renewed(config, sealed, left)
        is_same = sealed.id == pages.id
        done = (*changes(running.config, config, process.roles), *prepared.changes)

        def commit() -> None:  # nothing in it waits, and nothing fails
            prepared.commit()
            shown()
            self._said, running.loaded, running.config = proposal.said, found, config
            if running.tells:
                _tell(found, pages, done, left, is_same=is_same)

        return commit


def stamps(loaded: Loaded[Config]) -> list[tuple[int, int]]:
    """Return what shows that a config has changed: its file, `.env`, modules of agents, programs."""
    file = Path(loaded.file).absolute()
    handlers = [agent.handler for agent in loaded.config.agents.values() if agent.handler]
    modules = [
        one.folder.joinpath(*one.module.split(".")).with_suffix(".py") for one in handlers if one.folder
    ]
    programs = [entry.path for _, _, entry in loaded.config.plugins.entries() if entry.path]
    return [_stamp(one) for one in dict.fromkeys((file, file.parent / ".env", *modules, *programs))]


def _stamp(file: Path) -> tuple[int, int]:
    try:
        state = file.stat()
    except OSError:
        return 0, 0
    return state.st_mtime_ns, state.st_size


def _tell(
    found: Loaded[Config], pages: Pages, done: Sequence[str], left: Sequence[str], *, is_same: bool
) -> None:
    for warning in found.warnings:
        log.info("config was read with a warning", extra={"warning": str(warning)})
    facts: dict[str, object] = {"file": found.file, "revision": pages.id[:12]}
    if pages.stored is not None:
        facts["number"] = pages.stored.number
    if is_same and not done:
        log.info("config read again, it has not changed", extra=facts)
    else:
        log.info("config was applied", extra=facts | {"changes": ", ".join(done) or "none"})
    if left:
        log.warning("part of the config waits for a restart", extra={"keys": ", ".join(left)})
