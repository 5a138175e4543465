"""Ours: skills that nobody could tell apart, or that are hidden from nobody, are refused where they stand."""

import pytest

from hector_agent.config import AgentSection
from hector_config import ConfigInvalid, load

WRONG = [
    ("[{id: a}, {id: b}, {id: a}]", "agents.helper.skills[2].id: the same id as entry 0"),
    ("[{id: a, roles: [admin]}]", "agents.helper.skills[0].roles: everybody finds a public skill"),
]


def loaded(skills):
    text = f"agents: {{helper: {{skills: {skills}}}}}"
    return load(text, AgentSection, known={"llms": {"default"}}).config.agents["helper"].skills


@pytest.mark.parametrize(("skills", "said"), WRONG)
def test_skills_that_cannot_be_meant_are_refused(skills, said):
    with pytest.raises(ConfigInvalid) as error:
        loaded(skills)
    assert said in str(error.value)


def test_an_internal_skill_is_for_the_roles_that_it_names():
    (skill,) = loaded("[{id: a, visibility: internal, roles: [operator]}]")
    assert skill.roles == ["operator"]
