"""Which agents there are, and who may know of them."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextvars import Context

from hector.agent.v1 import (
    VISIBILITY_INTERNAL,
    VISIBILITY_PRIVATE,
    VISIBILITY_UNSPECIFIED,
    Agent,
    AgentServiceStub,
    ListAgentsRequest,
    ListRunsRequest,
)
from hector_mesh import Mesh, Principal

from .errors import NoSuchAgent

FRESH_S = 1.0
"""How long the list is good for: an agent that is added can be called this much later."""

ASK_S = 5.0
"""How long the agent service may take to say."""


class Directory:
    """The agents behind this gateway, asked of the agent service and kept for a second."""

    def __init__(self, mesh: Mesh) -> None:
        self._service = AgentServiceStub(mesh)
        self._agents: Mapping[str, Agent] = {}
        self._public: Mapping[str, Agent] = {}
        """Those that everybody may see."""
        self._until = 0.0
        self._asking: asyncio.Task[Mapping[str, Agent]] | None = None

    def forget(self) -> None:
        """Ask anew before anything else is said: the agents of this process have changed."""
        self._until, self._asking = 0.0, None  # whoever waits for an older answer gets that

    def known(self, name: str, principal: Principal) -> Agent | None:
        """Return an agent that the caller may see, where that can be told without asking anybody."""
        if time.monotonic() >= self._until:
            return None
        found = self._public.get(name)
        return found if found is not None else _seen(self._agents, name, principal)

    async def agent(self, name: str, principal: Principal) -> Agent:
        """Return an agent that the caller may see; "" is the default one.

        Raises:
            NoSuchAgent: There is none, or it is not for this caller.
        """
        agents = self._agents if time.monotonic() < self._until else await self._known()
        return _found(agents, name, principal)

    async def agent_or_gone(self, name: str, principal: Principal) -> Agent:
        """Return an agent that the caller may see, or what is left of one that is gone: the caller's tasks.

        It is the current call that asks for the tasks. See `is_gone`.

        Raises:
            NoSuchAgent: There is none, nothing is left of one, or it is not for this caller.
        """
        agents = self._agents if time.monotonic() < self._until else await self._known()
        try:
            return _found(agents, name, principal)
        except NoSuchAgent:
            if not name or name in agents:
                raise
            runs = await self._service.ListRuns(ListRunsRequest(agent=name, page_size=1), timeout=ASK_S)
            if not runs.runs:
                raise
        return Agent(name=name, streaming=True)

    async def visible(self, principal: Principal) -> list[Agent]:
        """Return the agents that the caller may see, in the order of the configuration."""
        agents = self._agents if time.monotonic() < self._until else await self._known()
        return visible(principal, agents.values())

    async def _known(self) -> Mapping[str, Agent]:
        """Ask, with everybody who wants to know at the same time."""
        if self._asking is None or self._asking.done():
            # For everybody who waits: it must not end with the caller who happens to be first.
            self._asking = asyncio.create_task(self._ask(), context=Context())
            self._asking.add_done_callback(_heard)
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Mapping[str, Agent]:
        agents: dict[str, Agent] = {}
        request = ListAgentsRequest()
        while True:
            page = await self._service.ListAgents(request, timeout=ASK_S)
            agents |= {agent.name: agent for agent in page.agents}
            request.page_token = page.next_page_token
            if not page.next_page_token:
                break
        if self._asking is asyncio.current_task():  # else the agents have changed meanwhile
            self._agents, self._until = agents, time.monotonic() + FRESH_S
            self._public = {name: agent for name, agent in agents.items() if may_see(Principal(), agent)}
        return agents


def _found(agents: Mapping[str, Agent], name: str, principal: Principal) -> Agent:
    found = _seen(agents, name, principal)
    if found is None:
        raise NoSuchAgent(name, (one.name for one in agents.values() if may_see(principal, one)))
    return found


def _seen(agents: Mapping[str, Agent], name: str, principal: Principal) -> Agent | None:
    found = agents.get(name) if name else next((one for one in agents.values() if one.default), None)
    return found if found is not None and may_see(principal, found) else None


def _heard(asking: "asyncio.Task[Mapping[str, Agent]]") -> None:
    """Take note of a failure, so that it is not reported as unheard when everybody has left."""
    if not asking.cancelled():
        asking.exception()


def is_gone(agent: Agent) -> bool:
    """Say whether an agent is configured no more: its tasks can be read, and nothing else be asked of it."""
    return agent.visibility == VISIBILITY_UNSPECIFIED


def may_see(principal: Principal, agent: Agent) -> bool:
    """Say whether a caller from outside may see and call an agent."""
    if agent.visibility == VISIBILITY_PRIVATE:
        return False
    return bool(principal.id) or agent.visibility != VISIBILITY_INTERNAL


def visible(principal: Principal, agents: Iterable[Agent]) -> list[Agent]:
    return [agent for agent in agents if may_see(principal, agent)]
