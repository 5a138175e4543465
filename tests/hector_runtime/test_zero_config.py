"""A configuration without a file: from flags, from SKILL.md, from nothing."""

from pathlib import Path

import pytest

from hector_config import ConfigInvalid
from hector_runtime.config import INSTRUCTION
from hector_runtime.zero import Flags, zero_config

KEY = "sk-very-secret"


def made(folder, environment=None, **flags):
    return zero_config(folder, Flags(**flags), environment or {})


def test_an_empty_folder_gets_an_assistant(tmp_path):
    config = made(tmp_path).config
    assert list(config.agents) == ["assistant"]
    assert config.agents["assistant"].instruction == INSTRUCTION
    assert config.agents["assistant"].tools is None
    assert config.llms == {}
    assert list(tmp_path.iterdir()) == []


def test_flags_build_the_same_agent_as_a_file_would(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    config = made(
        tmp_path,
        provider="openai",
        model="m",
        api_key=KEY,
        base_url="http://127.0.0.1:9/v1",
        instruction="Be brief.",
        tools="search, todo_write",
        docs_folder=docs,
    ).config
    llm, agent, store = config.llms["default"], config.agents["assistant"], config.document_stores["docs"]
    assert (llm.provider, llm.model, llm.base_url) == ("openai", "m", "http://127.0.0.1:9/v1")
    assert llm.api_key is not None
    assert llm.api_key.reveal() == KEY
    assert agent.instruction == "Be brief."
    assert agent.tools == ["search", "todo_write"]
    assert set(config.tools or {}) == {"search", "todo_write"}
    assert store.source.path == docs
    assert store.watch


def test_the_key_is_in_no_text_and_changes_no_revision(tmp_path):
    with_key, with_other = made(tmp_path, api_key=KEY), made(tmp_path, api_key="another")
    assert KEY not in with_key.text + with_key.masked + repr(with_key) + repr(with_key.config)
    assert with_key.text == with_other.text


def test_a_key_that_looks_like_a_variable_is_taken_as_it_is(tmp_path):
    key = made(tmp_path, {"X": "y"}, api_key="${X}$$a").config.llms["default"].api_key
    assert key is not None
    assert key.reveal() == "${X}$$a"


@pytest.mark.parametrize(
    "text", ["Say ${HOME}", "$${HOME}", "${", "$HOME", "a: b # c", '"quoted"', "ü\n\t${A:-b}"]
)
def test_an_instruction_is_taken_as_it_is(text, tmp_path):
    config = made(tmp_path, {"HOME": "/home", "A": "x"}, instruction=text).config
    assert config.agents["assistant"].instruction == text


@pytest.mark.parametrize("text", ["none", "", " "])
def test_no_tools_can_be_asked_for(text, tmp_path):
    config = made(tmp_path, tools=text).config
    assert config.agents["assistant"].tools == []
    assert config.tools == {}


def test_an_unknown_tool_or_provider_is_refused_with_those_there_are(tmp_path):
    with pytest.raises(ConfigInvalid, match=r"^--tools: serch: .*did you mean \"search\""):
        made(tmp_path, tools="serch")
    with pytest.raises(ConfigInvalid, match=r"^--provider: .*did you mean \"openai\""):
        made(tmp_path, provider="opnai")


def test_a_skill_gives_title_description_instruction_and_tools_of_the_assistant(tmp_path):
    """Ours: the agent's address stays /agents/assistant, whatever the skill is called."""
    text = "---\nname: reader\ndescription: Reads.\nallowed-tools: read_file\n---\nRead ${FILE} first.\n"
    (tmp_path / "SKILL.md").write_text(text)
    config = made(tmp_path).config
    agent = config.agents["assistant"]
    assert (agent.name, agent.description, agent.instruction) == ("reader", "Reads.", "Read ${FILE} first.")
    assert agent.tools == ["read_file"]
    assert set(config.tools or {}) == {"read_file"}


def test_flags_win_over_the_skill(tmp_path):
    (tmp_path / "SKILL.md").write_text("---\nname: reader\nallowed-tools: read_file\n---\nRead.\n")
    agent = made(tmp_path, instruction="Write.", tools="todo_write").config.agents["assistant"]
    assert (agent.name, agent.instruction, agent.tools) == ("reader", "Write.", ["todo_write"])


def test_what_was_given_is_named_as_it_is_written():
    assert Flags(api_key=KEY, docs_folder=Path()).given() == ["--api-key", "--docs-folder"]
    assert Flags().given() == []


def test_what_is_wrong_is_traced_to_the_flag_the_variable_or_the_line(tmp_path):
    """Ours: nobody has written "the command line" anywhere."""
    (tmp_path / "SKILL.md").write_text("---\nname: reader\nallowed-tools: read_file Bash\n---\nRead.\n")
    with pytest.raises(ConfigInvalid) as refused:
        made(tmp_path, {"HECTOR_PROVIDER": "opnai"}, temperature=9.0, max_tokens=0)
    told = [str(problem) for problem in refused.value.problems]
    begins = (
        "--max-tokens: ",
        "--temperature: ",
        f"{tmp_path}/SKILL.md:3:1: allowed-tools: Bash: ",
        "HECTOR_PROVIDER: ",
    )
    assert len(told) == len(begins)
    for line, begin in zip(told, begins, strict=True):
        assert line.startswith(begin)


def test_the_environment_names_a_model_where_flags_do_not(tmp_path):
    environment = {"HECTOR_PROVIDER": "openai", "HECTOR_MODEL": "m", "HECTOR_BASE_URL": "http://127.0.0.1:9"}
    assert made(tmp_path, environment).config.llms["default"].model == "m"
    assert made(tmp_path, environment, model="n").config.llms["default"].model == "n"


def test_every_flag_reaches_its_key(tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    config = made(
        tmp_path,
        temperature=0.0,
        max_tokens=9000,
        thinking_budget=2048,
        streaming=False,
        docs_folder=docs,
        docs_watch=False,
        embedder_provider="local",
        vector_type="embedded",
    ).config
    llm = config.llms["default"]
    assert (llm.temperature, llm.max_tokens, llm.thinking_budget_tokens) == (0.0, 9000, 2048)
    assert made(tmp_path, thinking=False).config.llms["default"].thinking_budget_tokens == 0
    assert config.agents["assistant"].streaming is False
    assert config.document_stores["docs"].watch is False
    assert config.embedders["default"].provider == "local"
    assert "default" in config.vector_stores
