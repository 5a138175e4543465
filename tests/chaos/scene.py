"""A world, replicas in it and their clients; and what must be true of all of it in the end."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from chaos.clients import Client
from chaos.replicas import Replicas, Store, replicas_at
from chaos.story import check, shown, stories_of, unfinished
from chaos.world import World, world_at

DULL = re.compile(r" INFO |^  |^hector |^Ready|run ended|call was in doubt")
"""Lines of logs that say nothing of what went wrong."""


@dataclass
class Scene:
    """Everything that a test of chaos needs."""

    world: World
    replicas: Replicas
    session: aiohttp.ClientSession
    clients: list[Client] = field(default_factory=list)
    forgiven: set[str] = field(default_factory=set)
    """Runs that a test which failed has left unfinished: the next one is not to blame."""
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def store(self) -> Store:
        return self.replicas.store

    def question(self) -> str:
        return f"q-{next(self._numbers)}"

    def client(self, kind: str = "plain", *, at: int = 0, question: str = "", **more: Any) -> Client:
        """Return a client that begins at one of the replicas."""
        urls = self.replicas.agents(at)
        made = Client(self.session, urls, question or self.question(), kind, **more)
        self.clients.append(made)
        return made

    def watcher(self, of: Client, *, at: int) -> Client:
        """Return a client that reads what another one has asked."""
        made = Client(self.session, self.replicas.agents(at), of.question, of.kind, looks_on=True)
        self.clients.append(made)
        return made

    async def check(self) -> None:
        """Hold every run that clients know of, and the replicas' logs, to what is promised."""
        clients, self.clients = self.clients, []
        stories = await stories_of(self.store, {client.task for client in clients})
        for client in clients:
            check(stories[client.task], client, self.world, await client.get())
        asked: dict[str, set[str]] = {}
        for client in clients:
            asked.setdefault(client.question, set()).add(client.task)
        assert all(len(tasks) == 1 for tasks in asked.values()), f"a message made several runs: {asked}"
        await self.is_all_over()
        assert self.replicas.bad_lines() == []

    async def is_all_over(self) -> None:
        """Fail if any run is left unfinished."""
        found = await unfinished(self.store)
        if left := [(run, state) for run, state in found if run not in self.forgiven]:
            stories = await stories_of(self.store, [run for run, _ in left[:3]])
            told = "\n".join(f"{run}:\n{shown(story)}" for run, story in stories.items())
            raise AssertionError(f"{len(left)} runs are left unfinished: {left}\n{told}")

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tell how it is when the block fails: who waits for what, and what the log has of that."""
        try:
            yield
        except BaseException as error:
            self.world.let_go(doomed=True)
            self.forgiven = {run for run, _ in await unfinished(self.store)}
            clients, self.clients = [one for one in self.clients if not one.is_over], []
            stories = await stories_of(self.store, {client.task for client in clients[:5]})
            for client in clients[:5]:
                seen = f"{client.state or 'nothing'} at {client.place}, {client.streams} streams"
                story = shown(stories[client.task])
                error.add_note(f"{client.question} {client.kind} {seen} {client.refusals[-3:]}\n{story}")
            error.add_note(f"{len(clients)} were not over")
            for replica in self.replicas.all:
                lines = [line for line in replica.output().splitlines() if not DULL.search(line)]
                error.add_note(f"{replica.name}:\n" + "\n".join(lines[-30:]))
            raise


@asynccontextmanager
async def scene_at(folder: Path, store: Store, **more: Any) -> AsyncIterator[Scene]:
    """Make a world and replicas, and start them. See `replicas_at`."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with world_at(folder) as (world, tools), aiohttp.ClientSession(connector=connector) as session:
        with replicas_at(folder, store, model=world.model_url, tools=tools, **more) as replicas:
            await replicas.start()
            yield Scene(world, replicas, session)


@asynccontextmanager
async def asking(clients: Iterable[Client]) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Let clients ask beside the block, and wait for the end of all of them after it."""
    async with asyncio.TaskGroup() as group:
        yield [group.create_task(client.ask()) for client in clients]


@contextmanager
def seeded(*words: object) -> Any:
    """Give chance that depends on these words alone, and tell them when the block fails."""
    name = "/".join(map(str, words))
    try:
        yield random.Random(name)
    except BaseException as error:
        error.add_note(f"seed: {name}")
        raise


def first(clients: Sequence[Client]) -> list[str]:
    return [client.question for client in clients]
