"""Runs the plugins that a process needs, and replaces them as the config changes."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import grpc.aio

from hector_config.version import VERSION
from hector_mesh import Mesh, Prepared, Renewal, Room

from .references import references

if TYPE_CHECKING:
    from hector_plugin_host.host import PluginHost
    from hector_plugin_host.plan import PluginPlan
    from hector_plugin_host.premises import Premises
    from hector_runtime.config import Config
    from hector_store import PluginValues


log = logging.getLogger(__name__)


class Plugins(Mapping[str, grpc.aio.Channel]):
    """The plugins of a process, as channels by name. Where nothing refers to one, no host is even imported.

    A channel is there before its plugin is ready, and stays while the plugin is replaced.
    """

    def __init__(self, roles: Collection[str]) -> None:
        self._roles = tuple(roles)
        self.host: PluginHost | None = None
        """None while nothing refers to a plugin."""
        self._vouched = False
        """Whether only programs with a badge may be started."""
        self.passed_over: tuple[str, ...] = ()
        """What discovery cannot use, and why."""
        self._running = AsyncExitStack()
        self._renewing: set[asyncio.Task[None]] = set()

    def __getitem__(self, name: str) -> grpc.aio.Channel:
        if self.host is None:
            raise KeyError(name)
        return self.host.channels[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.host.channels if self.host else ())

    def __len__(self) -> int:
        return len(self.host.channels) if self.host else 0

    def room(self, config: "Config", mesh: Mesh) -> Room:
        """Return what the process runs beside its rooms: it is entered before them, and left after them."""
        has_plugins = config.plugins.discovery.enabled or any(True for _ in config.plugins.entries())
        return Room(
            register=lambda server: None,
            running=partial(self.running, config, mesh),
            checks={"plugins": self.are_well} if has_plugins else {},
            prepare=partial(self.prepare, mesh),
            drain=self.drain,
        )

    @asynccontextmanager
    async def running(self, config: "Config", mesh: Mesh) -> AsyncIterator[None]:
        """Start what roles of this process refer to, and wait for none of it; end all of it on the way out.

        Raises:
            PluginUnusable: Something cannot be run as the config has it.
        """
        try:
            await self._look(config)
            if self._needed(config):
                from .plans import plans_of

                await self._begin(config, plans_of(config, self._roles), mesh)
            yield
        finally:
            for task in self._renewing:
                task.cancel()
            if self._renewing:
                await asyncio.wait(self._renewing)
            await self._running.aclose()

    async def prepare(self, mesh: Mesh, renewal: Renewal) -> Prepared:
        """Make ready for another config.

        Raises:
            PluginUnusable: Something cannot be run as that config has it.
        """
        config: Config = renewal.config
        await self._look(config)
        if self.host is None and not self._needed(config):
            return Prepared(_nothing)
        from .plans import plans_of

        plans = await asyncio.to_thread(plans_of, config, self._roles)
        if self.host is None:
            await self._begin(config, (), mesh)

        def commit() -> None:
            assert self.host is not None
            self._vouched = config.plugins.require_conformance
            task = self.host.renew(plans)
            self.host.watch(on=config.plugins.watch)
            self._renewing.add(task)
            task.add_done_callback(self._renewing.discard)

        return Prepared(commit)

    async def are_well(self) -> bool:
        """Return whether all plugins answer as they should."""
        return self.host is None or not self.host.degraded()

    async def drain(self, limit_s: float) -> None:
        """Wait until no plugin has anything under way."""
        if self.host is not None:
            await self.host.drain(limit_s)

    async def _look(self, config: "Config") -> None:
        """Take note of what discovery finds and cannot use: nobody else might ever hear of it."""
        before, self.passed_over = self.passed_over, ()
        if not config.plugins.discovery.enabled:
            return
        from .discovery import catalogue

        found = await asyncio.to_thread(catalogue, config.plugins.discovery)
        self.passed_over = tuple(one.why for one in found.rejected)
        for why in self.passed_over:
            if why not in before:
                log.warning("discovery passed over a plugin", extra={"why": why})

    def _vouch(self, plan: "PluginPlan") -> None:
        """See that a program that is started anew, as after a crash, is what its badge was given for."""
        if not self._vouched:
            return
        from hector_plugin_host.start_failed import PluginStartFailed

        from .program import Program, ProgramUnusable, require_badge

        try:
            require_badge(plan.name, Program(plan.mode, plan.command))
        except ProgramUnusable as error:
            raise PluginStartFailed(plan.name, str(error), error.hint, final=True) from None

    def _needed(self, config: "Config") -> bool:
        return any(one.place.role in self._roles for one in references(config))

    async def _begin(self, config: "Config", plans: Collection["PluginPlan"], mesh: Mesh) -> None:
        from hector_plugin_host.host import PluginHost

        self._vouched = config.plugins.require_conformance
        place = replace(premises(config), vouch=self._vouch)
        watches = config.plugins.watch
        self.host = PluginHost(plans, place, host_version=VERSION, mesh=mesh, watches=watches)
        await self._running.enter_async_context(self.host.running())


def premises(config: "Config", environ: Mapping[str, str] = os.environ) -> "Premises":
    """Return what all plugins of a process have in common."""
    from hector_plugin_host.premises import ATTACH, Premises, attachments

    return Premises(
        state_dir=config.plugins.folder.absolute(),
        values=partial(plugin_values, config.storage.database),
        log_level=config.logger.level,
        telemetry={name: value for name, value in environ.items() if name in TELEMETRY},
        attach=attachments(environ.get(ATTACH, "")),
    )


@asynccontextmanager
async def plugin_values(url: str) -> "AsyncIterator[PluginValues]":
    """Open where plugins keep things: the database of everything else.

    A process may have no other use for it, so what reads and writes it is imported here, and not on the loop.
    """
    store = await asyncio.to_thread(import_module, "hector_store.plugin_values")
    opening = await asyncio.to_thread(import_module, "hector_store.opening")
    async with opening.opened(url) as database:
        yield store.PluginValues(database)


TELEMETRY = frozenset(
    {
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_SDK_DISABLED",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
    }
)
"""What plugins learn of the environment's OpenTelemetry; headers are left out, since keys stand in them."""


def _nothing() -> None:
    """Have nothing to change."""
