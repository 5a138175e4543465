"""Issue 7: every shape in which plugins were ever written is today's, entries and references alike."""

from pathlib import Path

import pytest

from hector_config import ConfigInvalid
from hector_runtime.config import load_config
from hector_runtime.plugins.references import references

KINDLESS = "plugins: {mine: {path: ./up}}\n"
LISTED = "plugins: {%s: [{name: mine, protocol: grpc, path: ./up, config: {a: 1}}]}\n"
BY_NAME = "plugins: {%s: {mine: {name: mine, type: grpc, path: ./up, enabled: true, config: {a: 1}}}}\n"
LLM, STORE, EMBEDDER = "llm_providers", "database_providers", "embedder_providers"
TOOL, STRATEGY, PARSER, AGENT = "tool_providers", "reasoning_strategies", "document_parsers", "agents"
ENTRIES = {
    "listed llms": (LISTED % "llms", LLM),
    "listed databases": (LISTED % "databases", STORE),
    "listed embedders": (LISTED % "embedders", EMBEDDER),
    "listed tools": (LISTED % "tools", TOOL),
    "listed parsers": (LISTED % "parsers", PARSER),
    **{f"by name in {kind}": (BY_NAME % kind, kind) for kind in (LLM, STORE, EMBEDDER, TOOL, STRATEGY)},
}
REFERENCES = [
    ("llms: {x: {type: 'plugin:mine', host: 'http://h', model: m}}", LLM, "llms.x", ""),
    ("llms: {x: {provider: 'plugin:mine:small'}}", LLM, "llms.x", "small"),
    ("databases: {x: {type: 'plugin:mine', config: {a: b}}}", STORE, "vector_stores.x", ""),
    ("vector_stores: {x: {type: 'plugin:mine'}}", STORE, "vector_stores.x", ""),
    ("embedders: {x: {type: 'plugin:mine', config: {model: m}}}", EMBEDDER, "embedders.x", ""),
    ("embedders: {x: {provider: 'plugin:mine'}}", EMBEDDER, "embedders.x", ""),
    ("tools: {x: {type: 'plugin:mine', config: {tool_name: fetch}}}", TOOL, "tools.x", ""),
    ("tools: {x: {type: 'plugin:mine:fetch'}}", TOOL, "tools.x", "fetch"),
    ("agents: {x: {reasoning: {engine: 'plugin:mine'}}}", STRATEGY, "agents.x", ""),
    ("agents: {x: {reasoning: {strategy: 'plugin:mine:fast'}}}", STRATEGY, "agents.x", "fast"),
    ("agents: {x: {type: 'plugin:mine:bob'}}", AGENT, "agents.x", "bob"),
    (
        "document_stores: {x: {source: directory, path: ., parser: 'plugin:mine'}}",
        PARSER,
        "document_stores.x",
        "",
    ),
    ("document_stores: {x: {source: {parsers: {pdf: 'plugin:mine'}}}}", PARSER, "document_stores.x", ""),
]


@pytest.mark.parametrize("shape", ENTRIES)
def test_an_entry_stands_by_its_name_under_todays_kind(shape: str, tmp_path: Path) -> None:
    text, kind = ENTRIES[shape]
    (tmp_path / "hector.yaml").write_text(text)
    ((found, name, entry),) = load_config(tmp_path / "hector.yaml", {}).config.plugins.entries()
    assert (found, name, entry.path, dict(entry.config)) == (kind, "mine", tmp_path / "up", {"a": 1})


@pytest.mark.parametrize(("text", "kind", "instance", "component"), REFERENCES)
def test_a_plugin_without_a_kind_is_what_each_reference_takes_it_for(
    text: str, kind: str, instance: str, component: str, tmp_path: Path
) -> None:
    (tmp_path / "hector.yaml").write_text(f"{KINDLESS}{text}\n")
    config = load_config(tmp_path / "hector.yaml", {}).config
    (reference,) = references(config)
    assert [(kind, "mine")] == [(found, name) for found, name, _ in config.plugins.entries()]
    assert (reference.place.kind, reference.instance) == (kind, instance)
    assert reference.word == ("mine", component)
    if kind == TOOL:
        assert reference.settings.get("tool_name", component) == "fetch"


@pytest.mark.parametrize(
    ("plugins", "says"),
    [
        ("{tools: [{name: a, path: ./up}, {name: a, path: ./other}]}", "plugins.tool_providers.a is set too"),
        (
            "{tools: [{name: a, path: ./up}], tool_providers: {a: {path: ./b}}}",
            "tool_providers.a.path is set too",
        ),
        ("{tools: [{path: ./up}]}", "the name of a plugin stands in references"),
        ("{tools: [up]}", "plugins.tool_providers.up: wrong value: found a string, allowed: a mapping"),
    ],
)
def test_no_plugin_of_a_list_is_lost_in_silence(plugins: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "hector.yaml").write_text(f"plugins: {plugins}\n")
    with pytest.raises(ConfigInvalid, match=says):
        load_config(tmp_path / "hector.yaml", {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tools: {t: {type: 'plugin:g'}}", "nothing asks them in this version"),
        ("agents: {a: {guardrails: ['plugin:g']}}", "can be written and tested, and nothing asks them yet"),
        ("guardrails: {a: {type: 'plugin:g'}}", "can be written and tested, and nothing asks them yet"),
    ],
)
def test_whoever_refers_to_a_guardrail_is_told_that_nothing_asks_one_yet(
    text: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "hector.yaml").write_text(f"plugins: {{guardrails: {{g: {{path: ./up}}}}}}\n{text}\n")
    with pytest.raises(ConfigInvalid, match=says) as refused:
        load_config(tmp_path / "hector.yaml", {})
    assert len(refused.value.problems) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("llms: {m: {provider: 'plugin:'}}", 'llms.m.provider: wrong value: found "plugin:"'),
        ("tools: {t: {type: 'plugin:mine', config: {tool_name: 7}}}", "config.tool_name: the name of one of"),
        (
            "tools: {t: {type: 'plugin:mine', config: {tool_name: ''}}}",
            "config.tool_name: the name of one of",
        ),
        (
            "tools: {t: {type: 'plugin:mine:up', config: {tool_name: down}}}",
            'type "plugin:mine:up" names the tool already: remove config.tool_name',
        ),
        ("embedders: {e: {provider: 'plugin:mine', model: m}}", "a plugin has it in config"),
        (
            "document_stores: {d: {source: {parsers: {'docs/*': 'plugin:mine'}}}}",
            '"docs/\\*" is no extension of files, as ".pdf"',
        ),
        ("vector_stores: {v: {type: 'plugin:mine', host: h}}", "a plugin has it in config"),
    ],
)
def test_a_mistake_in_a_reference_is_told_once(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "hector.yaml").write_text(f"{KINDLESS}{text}\n")
    with pytest.raises(ConfigInvalid, match=says) as refused:
        load_config(tmp_path / "hector.yaml", {})
    assert len(refused.value.problems) == 1


def test_an_extension_may_be_written_as_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "hector.yaml").write_text(
        KINDLESS + "document_stores: {d: {source: {parsers: {'*.PDF': 'plugin:mine', csv: text}}}}\n"
    )
    source = load_config(tmp_path / "hector.yaml", {}).config.document_stores["d"].source
    assert source.parsers == {".pdf": "plugin:mine", ".csv": "text"}
