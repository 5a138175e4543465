"""Where checks are tried: plugins started for one check, and one that the gentle checks share."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from google.protobuf.message import DecodeError
from grpc import StatusCode

from hector.plugin.v1 import Diagnostic, PluginKind

from .checks import Broken, NotApplicable, Unconfigured
from .connected import Plugin
from .kinds import KINDS, detected
from .launching import Process, launched
from .log_lines import log_lines
from .samples import sample_of, schema_in
from .subject import Subject

EXCLUSIVE = "exclusive"
"""What GetInfo's features say of a plugin of which no two can run at once."""


LOG_TAKES_S = 0.05
"""Until what a plugin logged before its answer has been read."""


@dataclass
class Stage:
    """What a check gets."""

    subject: Subject
    kinds: tuple["PluginKind.ValueType", ...] = ()
    """What the plugin is; known after `meet`."""
    bare: bool = False
    """It serves no hector.plugin.v1.Plugin."""
    name: str = ""
    version: str = ""
    last: Plugin | None = None
    """The plugin that was called last, for the report."""
    hopeless: str = ""
    """Why nothing more can be tried; empty: it can."""
    _first: Process | None = None
    _shared: Plugin | None = None
    _closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def meet(self) -> None:
        """Find out what the plugin is; a plugin that cannot be reached stays unknown."""
        with suppress(Broken, NotApplicable, grpc.aio.AioRpcError, DecodeError):
            plugin = await self.shared()
            if plugin.info is not None:
                self.name, self.version = plugin.info.name, plugin.info.version
            self.bare = plugin.info is None
            self.kinds = self.subject.kinds or tuple(
                kind for kind in dict.fromkeys(plugin.component_kinds()) if kind in KINDS
            )
            if not self.kinds:
                self.kinds = await detected(plugin)
        self.kinds = self.kinds or self.subject.kinds

    async def shared(self) -> Plugin:
        """Return a configured plugin that other checks use too; started anew if it is gone."""
        if self._shared is not None:
            found = await self._shared.healthy()
            if found.code in (StatusCode.OK, StatusCode.UNIMPLEMENTED):
                self.last = self._shared
                return self._shared
            await self.close()
        if self.subject.endpoint:
            self._shared = await self._closing.enter_async_context(self.connected())
            return self._shared
        try:
            self._shared = await self._closing.enter_async_context(self._reached(await self.first()))
        except BaseException:
            await self.close()
            raise
        return self._shared

    async def first(self) -> Process:
        """Return a process that has printed its line, for several checks; the shared plugin will be in it."""
        if self._first is None or self._first.ended:
            await self.close()
            self._first = await self._closing.enter_async_context(self.listening())
        return self._first

    @asynccontextmanager
    async def process(self, **how: Any) -> AsyncIterator[Process]:
        """Start it, and wait for nothing."""
        if not self.subject.command:
            raise NotApplicable("needs a command to start it, not an endpoint")
        async with launched(self.subject, **how) as process:
            yield process

    @asynccontextmanager
    async def listening(self, **how: Any) -> AsyncIterator[Process]:
        """Start it, and wait for its line."""
        async with self.process(**how) as process:
            await self.said(process)
            yield process

    async def said(self, process: Process) -> None:
        """Wait for the line.

        Raises:
            Broken: It does not come.
        """
        try:
            async with asyncio.timeout(self.subject.start_timeout_s):
                await process.said.wait()
        except TimeoutError:
            pass
        if process.handshake is None:
            ended = await process.wait(0.3)
            await asyncio.sleep(0)
            first = (
                process.before[0][:200]
                if process.before
                else bytes(process.printed[:200]).decode("utf-8", "replace")
            )
            how = (
                f"it ended with {ended}"
                if ended is not None
                else f"no such line within {self.subject.start_timeout_s:g} s"
            )
            printed = f"; the first line it printed is {first!r}" if first else "; it printed nothing"
            raise Broken(f"{how}{printed}; {process.tail()}", "started it with the host's environment")

    @asynccontextmanager
    async def connected(self, *, configure: bool = True, **how: Any) -> AsyncIterator[Plugin]:
        """Start it, wait until it is well, and configure it. One that is exclusive runs alone."""
        if self._shared is not None and self._shared.info and EXCLUSIVE in self._shared.info.features:
            await self.close()
        if self.subject.endpoint:
            plugin = self._at(self.subject.endpoint, self.subject.token, None)
            try:
                await self._ready(plugin, configure=configure)
                yield plugin
            finally:
                await plugin.close()
            return
        async with self.listening(**how) as process, self._reached(process, configure=configure) as plugin:
            yield plugin

    @asynccontextmanager
    async def _reached(self, process: Process, *, configure: bool = True) -> AsyncIterator[Plugin]:
        assert process.handshake is not None
        plugin = self._at(process.handshake.target, process.token, process)
        try:
            await self._ready(plugin, configure=configure)
            yield plugin
        finally:
            await plugin.close()

    def _at(self, target: str, token: str, process: Process | None) -> Plugin:
        self.last = Plugin(target, token, self.subject.call_timeout_s, process)
        return self.last

    async def _ready(self, plugin: Plugin, *, configure: bool) -> None:
        try:
            async with asyncio.timeout(self.subject.start_timeout_s):
                while (found := await plugin.healthy()).code is StatusCode.UNAVAILABLE:
                    if plugin.process is not None and plugin.process.ended:
                        break
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass
        if found.code not in (StatusCode.OK, StatusCode.UNIMPLEMENTED):
            tail = f"; {plugin.process.tail()}" if plugin.process else ""
            raise Broken(
                f"its health is {found}{tail}", 'asked for the health of "plugin" until start_timeout'
            )
        info = await plugin.get_info()
        if configure and info.code is StatusCode.OK:
            wrong = await plugin.configure(self.config_json(plugin), self.entry_json())
            if errors := [one for one in wrong if one.severity != Diagnostic.SEVERITY_WARNING]:
                problem = f"{errors[0].path or 'it'}: {errors[0].summary}"
                raise Unconfigured(
                    f"it does not take its configuration ({problem}): give one that works with --config"
                )

    def config(self, plugin: Plugin) -> dict[str, Any]:
        """Return a configuration that works: the author's, or one made of the schema."""
        if self.subject.config is not None:
            return dict(self.subject.config)
        made = sample_of(schema_of(plugin))
        return made if isinstance(made, dict) else {}

    def config_json(self, plugin: Plugin) -> str:
        """Return the same as JSON."""
        return json.dumps(self.config(plugin))

    def entry_json(self) -> str:
        """Return the settings of the entry that refers to it."""
        return json.dumps(dict(self.subject.entry))

    def log_begins(self) -> Mapping[int, int]:
        """Return how much the plugin that lives on has logged so far, by its process."""
        process = self._shared.process if self._shared is not None else None
        return {id(process): len(process.logged)} if process is not None else {}

    async def logged_since(self, begins: Mapping[int, int]) -> tuple[str, ...]:
        """Return the last lines that the plugin that was called last has logged since, without secrets."""
        if self.last is None or (process := self.last.process) is None:
            return ()
        await asyncio.sleep(LOG_TAKES_S)
        text = process.logged[begins.get(id(process), 0) :].decode(errors="replace")
        secrets = {process.token, *map(str, self.subject.env.values())}
        secrets |= set(_secret_values(self.config(self.last), schema_of(self.last)))
        return log_lines(text, secrets)

    async def close(self) -> None:
        """End what is shared."""
        self._first = self._shared = None
        await self._closing.aclose()


def schema_of(plugin: Plugin) -> Mapping[str, Any]:
    """Return the schema of a plugin's configuration; empty if it has none that can be read."""
    return schema_in(plugin.info.config_schema_json if plugin.info else "")


def _secret_values(config: Any, schema: Any) -> Iterator[str]:
    """Yield what a configuration holds where its schema says `writeOnly`."""
    if not isinstance(schema, Mapping):
        return
    if schema.get("writeOnly"):
        yield config if isinstance(config, str) else json.dumps(config)
    elif isinstance(config, Mapping):
        below = schema.get("properties", {})
        for name, value in config.items():
            yield from _secret_values(value, below.get(name, schema.get("additionalProperties")))
    elif isinstance(config, list):
        for value in config:
            yield from _secret_values(value, schema.get("items"))
