"""Which of an agent's skills a caller may know of."""

from hector.agent.v1 import VISIBILITY_INTERNAL, VISIBILITY_PRIVATE, Agent, Skill
from hector_mesh import Principal

_HIDDEN = (VISIBILITY_INTERNAL, VISIBILITY_PRIVATE)


def shown_to_all(agent: Agent) -> Agent:
    """Return an agent as its public card shows it."""
    return _with(agent, [skill for skill in agent.skills if skill.visibility not in _HIDDEN])


def shown_to(principal: Principal, agent: Agent) -> Agent:
    """Return an agent as its extended card shows it to a caller."""
    return _with(agent, [skill for skill in agent.skills if _may_see(principal, skill)])


def _may_see(principal: Principal, skill: Skill) -> bool:
    if skill.visibility == VISIBILITY_PRIVATE:
        return False
    if skill.visibility != VISIBILITY_INTERNAL:
        return True
    fits = not skill.roles or bool({"admin", *skill.roles} & principal.roles)
    return bool(principal.id) and fits


def _with(agent: Agent, skills: list[Skill]) -> Agent:
    if len(skills) == len(agent.skills):
        return agent
    found = Agent()
    found.CopyFrom(agent)
    del found.skills[:]
    found.skills.extend(skills)
    return found
