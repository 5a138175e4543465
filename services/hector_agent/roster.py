"""The configured agents, and which of them a request means."""

import asyncio
from collections.abc import Mapping
from functools import partial

from hector.agent.v1 import (
    VISIBILITY_INTERNAL,
    VISIBILITY_PRIVATE,
    VISIBILITY_PUBLIC,
    Skill,
    Visibility,
)
from hector.agent.v1 import Agent as AgentInfo
from hector_mesh import Renewal

from .agent import Agent
from .config import AgentConfig
from .errors import AgentNotFound
from .offer import offer_of

VISIBILITIES: Mapping[str, Visibility.ValueType] = {
    "public": VISIBILITY_PUBLIC,
    "internal": VISIBILITY_INTERNAL,
    "private": VISIBILITY_PRIVATE,
}


class Roster:
    """All agents by name; the first one answers where none is named."""

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self.agents = agents
        self._earlier: dict[str, Mapping[str, Agent]] = {}

    def replace(self, agents: Mapping[str, Agent], renewal: Renewal | None = None) -> None:
        """Have these agents from now on; runs keep the one that they began with.

        Those before are kept for as long as runs may go by them, for runs that are taken over.
        """
        before, self.agents = self.agents, agents
        if renewal is not None and renewal.before and renewal.before != renewal.revision:
            self._earlier[renewal.before] = before
            forget = partial(self._earlier.pop, renewal.before, None)
            asyncio.get_running_loop().call_later(renewal.lasting_s, forget)

    def of(self, name: str, revision: str) -> Agent | None:
        """Return an agent as a revision of the config has it, if that is still known, or as it is now."""
        return self._earlier.get(revision, self.agents).get(name) or self.agents.get(name)

    def pick(self, tenant: str) -> Agent:
        """Return the agent that A2A's tenant names: "agent", "app/agent", or "" for the default.

        Raises:
            AgentNotFound: There is none of that name.
        """
        name = tenant.rpartition("/")[2]
        found = self.agents.get(name) if name else next(iter(self.agents.values()), None)
        if found is None:
            raise AgentNotFound(name or "(default)", list(self.agents))
        return found

    def described(self) -> list[AgentInfo]:
        """Return all agents as others see them, in the order of the configuration."""
        default = next(iter(self.agents), "")
        return [described(name, agent.config, default=name == default) for name, agent in self.agents.items()]


def described(name: str, config: AgentConfig, *, default: bool) -> AgentInfo:
    """Return an agent as others see it; without configured skills it has the one it is made for."""
    title, description = config.name or name, config.description or f"The agent {config.name or name}."
    skills = [
        Skill(
            id=skill.id,
            name=skill.name or skill.id,
            description=skill.description or skill.name or skill.id,
            tags=skill.tags,
            examples=skill.examples,
            input_modes=skill.input_modes,
            output_modes=skill.output_modes,
            visibility=VISIBILITIES[skill.visibility],
            roles=skill.roles,
        )
        for skill in config.skills
    ]
    return AgentInfo(
        name=name,
        title=title,
        description=description,
        type=config.type,
        visibility=VISIBILITIES[config.visibility],
        streaming=config.streaming,
        skills=skills or [Skill(id=name, name=title, description=description, tags=["chat"])],
        input_modes=config.input_modes or (),
        output_modes=config.output_modes or (),
        default=default,
        extended_card=config.a2a.extended_card,
        offer=offer_of(config.a2a),
    )
