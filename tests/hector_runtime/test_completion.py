"""What is filled in where a file is silent: an agent, a model, the safe tools."""

import pytest

from hector_config import ConfigInvalid, load
from hector_runtime.config import Config, completed, load_config

NOTHING = {"OLLAMA_HOST": "http://127.0.0.1:9"}


def config(text: str = "{}") -> Config:
    return load(text, Config, environment={}, known={"llms": {"default"}}).config


async def test_an_empty_file_gets_an_assistant_with_the_offline_model_and_safe_tools():
    made, notes = await completed(config(), NOTHING)
    assert list(made.agents) == ["assistant"]
    assert made.llms["default"].provider == "local"
    assert list(made.tools or {}) == ["todo_write"]
    assert len(notes) == 1
    assert "offline model" in notes[0]


async def test_with_documents_there_is_a_search_tool():
    made, _ = await completed(config("document_stores: {d: {source: {path: .}}}"), NOTHING)
    assert set(made.tools or {}) == {"search", "todo_write"}


async def test_no_tools_stays_no_tools():
    made, _ = await completed(config("tools: {}"), NOTHING)
    assert made.tools == {}


async def test_the_only_model_answers_for_agents_that_name_none():
    made, notes = await completed(config("llms: {mine: {provider: local}}"), NOTHING)
    assert made.llms["default"] == made.llms["mine"]
    assert notes == []


async def test_with_several_models_one_is_looked_for():
    made, notes = await completed(config("llms: {a: {provider: local}, b: {provider: ollama}}"), NOTHING)
    assert set(made.llms) == {"a", "b", "default"}
    assert made.llms["default"].provider == "local"
    assert notes


async def test_nothing_is_looked_for_when_every_agent_names_its_model():
    made, notes = await completed(config("llms: {a: {provider: local}}\nagents: {x: {llm: a}}"), NOTHING)
    assert set(made.llms) == {"a"}
    assert notes == []


async def test_a_key_from_a_dotenv_file_reaches_openais_own_models_and_no_others():
    text = """
    llms:
      plain: {provider: openai}
      own: {provider: openai, base_url: "https://api.openai.com/v1"}
      elsewhere: {provider: openai, base_url: "http://127.0.0.1:9/v1"}
      keyed: {provider: openai, api_key: other}
      ollama: {provider: ollama}
    agents: {x: {llm: plain}}
    """
    made, _ = await completed(config(text), {**NOTHING, "OPENAI_API_KEY": "sk-env"})
    keys = {name: llm.api_key.reveal() if llm.api_key else None for name, llm in made.llms.items()}
    assert keys == {"plain": "sk-env", "own": "sk-env", "elsewhere": None, "keyed": "other", "ollama": None}


async def test_with_a_key_the_agent_asks_openai():
    made, notes = await completed(config(), {**NOTHING, "OPENAI_API_KEY": "sk-env"})
    assert made.llms["default"].provider == "openai"
    assert "OPENAI_API_KEY is set" in notes[0]
    assert "sk-env" not in notes[0]


async def test_a_file_may_refer_to_what_is_filled_in(tmp_path):
    path = tmp_path / "hector.yaml"
    path.write_text("agents: {a: {llm: default, tools: [search, todo_write]}}\n")
    assert load_config(path, {}).config.agents["a"].llm == "default"


@pytest.mark.parametrize("version", ["1", '"1.0"', "2", "2.0"])
def test_known_versions_of_the_format_load(version, tmp_path):
    path = tmp_path / "hector.yaml"
    path.write_text(f"version: {version}\n")
    load_config(path, {})


def test_an_unknown_version_of_the_format_is_refused_with_those_known(tmp_path):
    path = tmp_path / "hector.yaml"
    path.write_text("version: 3\n")
    with pytest.raises(ConfigInvalid, match=r"no version '3'.*known: 1, 1\.0, 2, 2\.0"):
        load_config(path, {})


async def test_defaults_are_for_those_that_say_nothing():
    text = """
    defaults: {llm: fast, embedder: e, vector_store: v}
    llms: {fast: {provider: local}, slow: {provider: local}}
    embedders: {e: {}, f: {}}
    vector_stores: {v: {}, w: {persist_path: w}}
    agents: {a: {}, b: {llm: slow}}
    document_stores: {d: {}, o: {embedder: f, vector_store: w}}
    """
    made, notes = await completed(config(text), NOTHING)
    assert notes == []
    assert [agent.llm for agent in made.agents.values()] == ["fast", "slow"]
    assert [(store.embedder, store.vector_store) for store in made.document_stores.values()] == [
        ("e", "v"),
        ("f", "w"),
    ]


async def test_a_default_must_be_declared(tmp_path):
    path = tmp_path / "hector.yaml"
    path.write_text("defaults: {llm: fsat}\nllms: {fast: {}}\n")
    with pytest.raises(ConfigInvalid, match=r'"fsat" is not declared under llms:.*did you mean "fast"'):
        load_config(path, {})


async def test_a_usual_tool_that_an_agent_names_is_there_beside_declared_ones(tmp_path):
    path = tmp_path / "hector.yaml"
    path.write_text(
        "tools: {read_file: {}}\nagents: {a: {tools: [read_file, todo_write]}, b: {tools: [read_file]}}\n"
    )
    made, _ = await completed(load_config(path, {}).config, NOTHING)
    assert set(made.tools or {}) == {"read_file", "todo_write"}
