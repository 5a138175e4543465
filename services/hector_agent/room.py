"""Puts the agent service together."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import hector_a2a as a2a
from hector.agent.v1 import add_AgentServiceServicer_to_server, add_HistoryServiceServicer_to_server
from hector_mesh import Mesh, Prepared, Renewal, Room, Server, Whereabouts
from hector_store import Database, RunLog, StorageSection, Workers, blobs_of, opened

from .a2a_servicer import A2AServicer
from .agent import Agent
from .agent_servicer import AgentServicer
from .commands.gauging import gauging
from .config import AgentSection
from .history_servicer import HistoryServicer
from .housekeeping import Housekeeping
from .push.config import PushSection
from .push.push import Push
from .push.signing import signer_of
from .roster import Roster
from .runs import Runs
from .sessions.rebuilding import build_states_once
from .tools import Toolbox


class Config(AgentSection, StorageSection, PushSection):
    """What `build` reads: the agents, where runs are kept, and how others are told of them."""


def build(config: Config, mesh: Mesh, *, revision: str = "", whereabouts: Whereabouts | None = None) -> Room:
    """Return the agent service: A2A, and what A2A does not cover.

    It opens the database when it starts running, and goes on with runs whose process is gone.

    Args:
        config: The agents, and where runs are kept.
        mesh: What agents ask.
        revision: The config's id, which runs keep; empty: as calls say.
        whereabouts: How others reach this process; None: they do not.
    """
    roster = Roster(agents_of(config, mesh, revision))
    offered = config.server.a2a
    push = Push(offered.push, signer_of(offered.push, offered.signing))
    storage = config.storage
    runs = Runs(
        roster,
        push,
        lease_s=storage.lease,
        checkpoint=storage.checkpoint,
        queue=storage.queue,
        whereabouts=whereabouts,
    )
    databases = list[Database]()
    housekeeping = Housekeeping(config.storage.retention)

    def register(server: Server) -> None:
        a2a.add_A2AServiceServicer_to_server(A2AServicer(roster, runs, push), server)
        add_AgentServiceServicer_to_server(AgentServicer(roster, runs, push), server)
        add_HistoryServiceServicer_to_server(HistoryServicer(databases), server)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with opened(config.storage.database) as database:
            databases.append(database)
            database.blobs = blobs_of(storage.blobs)
            database.artifact_bytes = storage.artifacts.max_size
            await build_states_once(database)
            log = RunLog(database)
            elsewhere = runs.waiting.running(log, mesh.peers, database.hints)
            pushing = push.running(database, log, lambda: runs.worker, runs.waiting)
            keeping = housekeeping.running(database)
            working = runs.running(database)
            async with log.states.followed(), elsewhere, working, pushing, keeping, gauging(database):
                yield

    async def database_is_well() -> bool:
        return all([await database.is_well() for database in databases])

    async def bereaved(parent: str) -> None:
        for database in databases:
            await Workers(database).release_children(parent)

    async def prepare(renewal: Renewal) -> Prepared:
        # In a thread: code of custom agents is read, and may do what it likes.
        agents = await to_thread(agents_of, renewal.config, mesh, renewal.revision)
        pushing = renewal.config.server.a2a
        signer = await to_thread(signer_of, pushing.push, pushing.signing)

        def commit() -> None:
            roster.replace(agents, renewal)
            runs.checkpoint = renewal.config.storage.checkpoint
            runs.queue = renewal.config.storage.queue
            push.renew(pushing.push, signer)
            housekeeping.config = renewal.config.storage.retention

        before = roster.agents
        changes = [
            f"the code of agents.{name} changed"
            for name, agent in agents.items()
            if name in before
            and agent.config.handler is not None
            and before[name].config.handler == agent.config.handler
            and before[name].handler is not agent.handler
        ]
        return Prepared(commit, tuple(changes))

    return Room(
        register=register,
        running=running,
        checks={"database": database_is_well},
        prepare=prepare,
        drain=runs.drain,
        bereaved=bereaved,
    )


def agents_of(config: AgentSection, mesh: Mesh, revision: str) -> dict[str, Agent]:
    """Return the agents of a config, ready to work.

    Raises:
        HandlerNotUsable: The code behind one cannot be loaded.
    """
    toolbox = Toolbox(mesh)
    return {name: Agent(name, agent, mesh, toolbox, revision) for name, agent in config.agents.items()}
