"""The configured models, as they come and go with the config."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from hector.llm.v1 import LLMProviderServicer
from hector_llm.config import LLMConfig, LLMSection
from hector_mesh import Generations, Prepared, Renewal

Providers = Mapping[str, LLMProviderServicer]
Make = Callable[[str, LLMConfig], LLMProviderServicer]


class Models:
    """Every model that a run may still ask: today's, and those that runs of an older config began with."""

    def __init__(self, config: LLMSection, make: Make) -> None:
        """Make the models of a config; `make` returns one by its name and entry."""
        self._make, self._config = make, config
        first = {f"llms.{name}": make(name, entry) for name, entry in config.llms.items()}
        self.generations: Generations[Providers] = Generations(first, self._close_unused)
        self._open: list[LLMProviderServicer] = []
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Own the models' connections."""
        try:
            await self._enter(self.generations.newest)
            yield
        finally:
            while self._open:
                await _leave(self._open.pop())
            if self._closing:
                await asyncio.wait(self._closing)

    async def prepare(self, renewal: Renewal) -> Prepared:
        """Make another config's models; an entry that is the same stays as it is, connections and all."""
        self._close_unused()  # what was made for a config that somebody else refused
        config: LLMSection = renewal.config
        before, known = self._config.llms, self.generations.newest
        new = {
            f"llms.{name}": known[f"llms.{name}"] if before.get(name) == entry else self._make(name, entry)
            for name, entry in config.llms.items()
        }
        await self._enter(new)

        def commit() -> None:
            self._config = config
            self.generations.replace(new, renewal)
            self._close_unused()

        return Prepared(commit)

    async def _enter(self, providers: Providers) -> None:
        for each in providers.values():
            if each not in self._open:
                if isinstance(each, AbstractAsyncContextManager):
                    await each.__aenter__()
                self._open.append(each)

    def _close_unused(self) -> None:
        used = {id(one) for providers in self.generations.all() for one in providers.values()}
        unused = [one for one in self._open if id(one) not in used]
        self._open = [one for one in self._open if id(one) in used]
        for one in unused:
            task = asyncio.get_running_loop().create_task(_leave(one))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _leave(provider: LLMProviderServicer) -> None:
    if isinstance(provider, AbstractAsyncContextManager):
        await provider.__aexit__(None, None, None)
