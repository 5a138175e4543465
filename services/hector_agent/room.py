"""Puts the agent service together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import hector_a2a as a2a
from hector.agent.v1 import add_AgentServiceServicer_to_server
from hector_mesh import Mesh, Room, Server
from hector_store import Database, RunLog, StorageSection, opened

from .a2a_servicer import A2AServicer
from .agent import Agent
from .agent_servicer import AgentServicer
from .config import AgentSection
from .roster import Roster
from .runs import Runs
from .tools import Toolbox


class Config(AgentSection, StorageSection):
    """What `build` reads: the agents, and where runs are kept."""


def build(config: Config, mesh: Mesh) -> Room:
    """Return the agent service: A2A, and what A2A does not cover.

    It opens the database when it starts running, and ends the runs that a crash left behind.
    """
    toolbox = Toolbox(mesh)
    roster = Roster({name: Agent(name, agent, mesh, toolbox) for name, agent in config.agents.items()})
    runs, databases = Runs(), list[Database]()

    def register(server: Server) -> None:
        a2a.add_A2AServiceServicer_to_server(A2AServicer(roster, runs), server)
        add_AgentServiceServicer_to_server(AgentServicer(roster, runs), server)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with opened(config.storage.database) as database:
            databases.append(database)
            # Claimed, else this would end, as interrupted, what another process works on.
            async with database.claimed(), runs.running(RunLog(database)):
                yield

    async def database_is_well() -> bool:
        return all([await database.is_well() for database in databases])

    return Room(register=register, running=running, checks={"database": database_is_well})
