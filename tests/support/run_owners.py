"""Several processes' worth of `Runs` on one database, in one process: begun and killed as a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy import update
from support.scripted_agent import ADA

import hector_a2a as a2a
from hector_agent.agent import Agent
from hector_agent.roster import Roster
from hector_agent.run import Run
from hector_agent.runs import Runs
from hector_mesh import Call
from hector_store import Database, RunChanges, RunLog, RunRow
from hector_store.schema import workers


class Replica:
    """One process's runs."""

    def __init__(self, runs: Runs, agents: dict[str, Agent]) -> None:
        self.runs, self.agents = runs, agents
        self.commits = 0
        """How many commits its runs have made, the first one of each aside."""
        self.is_dead = False

    @property
    def worker(self) -> str:
        """What it is called at the moment."""
        lease = self.runs._ownership.lease
        return lease.worker if lease else ""

    async def ask(self, text: str, agent: str = "assistant", context: str = "", **more: object) -> Run:
        """Have Ada say something."""
        message = a2a.Message(message_id=text, role=a2a.ROLE_USER, context_id=context)
        message.parts.add(text=text)
        return await self.runs.start(self.agents[agent], message, Call(principal=ADA), **more)

    async def answer(self, task: str, text: str, agent: str = "assistant") -> Run:
        """Have Ada answer what a run waits for."""
        message = a2a.Message(message_id=text, role=a2a.ROLE_USER)
        message.parts.add(text=text)
        return await self.runs.take_up(self.agents[agent], task, message, Call(principal=ADA))

    def die_at(self, commit: int, *, written: bool) -> asyncio.Event:
        """Stop for good at its runs' commit of that number, just before or just after it is written."""
        died = asyncio.Event()
        log = self.runs.log
        append = log.append

        async def until_then(*what: object, **more: object) -> object:
            self.commits += 1
            if self.is_dead or (self.commits == commit and not written):
                await self._dies(died)
            done = await append(*what, **more)
            if self.is_dead or self.commits >= commit:
                await self._dies(died)
            return done

        log.append = until_then
        return died

    def tell_late(self, state: str) -> asyncio.Event:
        """Write that a run is in a state, but say that it is written only when the event is set."""
        may_tell = asyncio.Event()
        log = self.runs.log
        append = log.append

        async def late(
            run_id: str, epoch: int, events: object = (), changes: RunChanges | None = None, **more: object
        ) -> object:
            done = await append(run_id, epoch, events, changes, **more)
            if changes is not None and changes.state == state:
                await may_tell.wait()
            return done

        log.append = late
        return may_tell

    def kill(self) -> None:
        """Let nothing more of it happen: as after kill -9, its lease is there until it is over."""
        self.is_dead = True
        self.runs._claiming.is_stopped = True
        self.runs._ownership._workers = _Nobody()

        async def never(*_: object, **__: object) -> None:
            await asyncio.Event().wait()

        self.runs.log.append = never

    async def _dies(self, died: asyncio.Event) -> None:
        self.kill()
        died.set()
        await asyncio.Event().wait()


class _Nobody:
    """What a dead process says to the database."""

    async def renew(self, *_: object) -> bool:
        await asyncio.Event().wait()
        return False

    async def release(self, *_: object) -> int:
        return 0

    async def alive(self) -> list[object]:
        return []


@asynccontextmanager
async def replica(
    database: Database, agents: dict[str, Agent], *, lease_s: float = 15.0, **more: object
) -> AsyncIterator[Replica]:
    """Run a process's worth of runs until the block ends."""
    from hector_mesh import Mesh

    runs = Runs(Roster(agents), lease_s=lease_s, **more)
    peers = Mesh({}).peers
    async with runs.waiting.running(RunLog(database), peers, database.hints), runs.running(database):
        yield Replica(runs, agents)


async def lease_ends(database: Database, worker: str) -> None:
    """Let the lease of a worker be over."""
    ended = update(workers).where(workers.c.id == worker).values(lease_until=1)
    await database.write(lambda connection: connection.execute(ended))


async def settled(
    log: RunLog, run: str, is_there: Callable[[RunRow], bool] = lambda row: row.finished
) -> RunRow:
    """Return a run when it is over, or as wanted."""
    async with asyncio.timeout(20):
        while True:
            row = await log.get("default", "ada", run)
            if row is not None and is_there(row):
                return row
            await asyncio.sleep(0.01)
