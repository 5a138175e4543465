"""What an agent may be called."""

import pytest

from hector_agent.config import AgentSection
from hector_config import ConfigInvalid, load


@pytest.mark.parametrize("name", ["a", "7", "Writer-2_b.c", "x" * 64])
def test_a_name_that_fits_into_a_url_is_taken(name: str) -> None:
    text = f'agents: {{"{name}": {{}}}}'
    assert list(load(text, AgentSection, known={"llms": {"default"}}).config.agents) == [name]


@pytest.mark.parametrize("name", ["a b/c", "", ".a", "-a", "ä", "x" * 65, "a\\n"])
def test_a_name_that_does_not_is_refused_in_words(name: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load(f'agents: {{"{name}": {{}}}}', AgentSection, known={"llms": {"default"}})
    (problem,) = refused.value.problems
    assert problem.path.startswith("agents.")
    assert 'letters, digits, "_", "-" and ".", at most 64' in problem.message
