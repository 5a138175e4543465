"""Old spellings load with a warning; what is not built is refused by name."""
# ruff: noqa: E501  (messages as they are printed)

from typing import Annotated

import pytest

from hector_config import Alias, ConfigInvalid, Map, Off, OneOf, RefersTo, Reform, Scalar, Section, load
from hector_config.tree import data_of


class Free(Section, extra="allow"):
    """Takes anything, so that what the aliases made can be looked at."""


def modern(text, *aliases):
    loaded = load(text, Free, environment={"OLD": "chromem", "W": "word"}, name="h.yaml", aliases=aliases)
    return loaded.config.model_extra, [str(warning) for warning in loaded.warnings]


def test_an_old_key_becomes_the_new_one_with_one_warning():
    values, warnings = modern(
        "llms:\n  a: {host: h, model: m}\n  b:\n    host: i\n",
        Alias("llms.*.host", "llms.*.base_url", "The key is named as the vendors name it."),
    )
    assert values == {"llms": {"a": {"model": "m", "base_url": "h"}, "b": {"base_url": "i"}}}
    assert warnings == [
        "h.yaml:2:7: llms.a.host: old spelling, now llms.a.base_url (The key is named as the vendors name it.)",
        "h.yaml:4:5: llms.b.host: old spelling, now llms.b.base_url (The key is named as the vendors name it.)",
    ]


def test_a_whole_section_moves_and_merges_into_what_is_there():
    values, warnings = modern(
        "global:\n  a2a_server: {host: h, port: 1}\nserver: {auth: {enabled: true}}\n",
        Alias("global.a2a_server", "server"),
    )
    assert values == {"server": {"auth": {"enabled": True}, "host": "h", "port": 1}}
    assert warnings == ["h.yaml:2:3: global.a2a_server: old spelling, now server"]


def test_a_new_spelling_beside_the_old_one_is_an_error(errors_of):
    with pytest.raises(Exception, match="too") as caught:
        modern("s: {old: 1, new: 2, x: 1}", Alias("s.old", "s.new"))
    assert str(caught.value) == "h.yaml:1:5: s.old: s.new is set too (s.old is the old spelling: remove it)"


def test_two_sections_clash_only_where_they_say_the_same():
    with pytest.raises(Exception, match="clash") as caught:
        modern("old: {a: 1, clash: 2}\nnew: {b: 3, clash: 4}", Alias("old", "new"))
    assert str(caught.value) == "h.yaml:1:1: old: new.clash is set too (old is the old spelling: remove it)"


def test_a_value_may_have_an_old_word_too():
    values, warnings = modern(
        "v:\n  a: {type: chromem}\n  b: {type: '${OLD}'}\n  c: {type: qdrant}\n",
        Alias("v.*.type", "v.*.type", values={"chromem": "embedded"}),
    )
    assert values == {"v": {"a": {"type": "embedded"}, "b": {"type": "embedded"}, "c": {"type": "qdrant"}}}
    assert warnings == [
        'h.yaml:2:7: v.a.type: old spelling, now "embedded"',
        "h.yaml:3:7: v.b.type: old spelling",
    ]


def test_a_key_may_move_and_change_its_word():
    values, _ = modern(
        "a: {engine: cot}", Alias("a.engine", "a.strategy", values={"cot": "chain_of_thought"})
    )
    assert values == {"a": {"strategy": "chain_of_thought"}}


def test_a_row_can_ask_for_a_shape_and_for_values():
    aliases = (
        Alias("stores.*.source", "stores.*.source.type", shape=Scalar),
        Alias("stores.*.path", "stores.*.source.path"),
        Alias("databases.*", "vector_stores.*", when={"type": ("qdrant", "pinecone")}),
    )
    values, warnings = modern(
        "stores:\n  a: {source: directory, path: p}\n  b: {source: {type: sql}}\n"
        "databases: {v: {type: qdrant}, s: {type: sqlite}}\n",
        *aliases,
    )
    assert values == {
        "stores": {"a": {"source": {"type": "directory", "path": "p"}}, "b": {"source": {"type": "sql"}}},
        "databases": {"s": {"type": "sqlite"}},
        "vector_stores": {"v": {"type": "qdrant"}},
    }
    assert len(warnings) == 3


def test_lists_are_reached_by_a_star():
    values, _ = modern("a: {n: [{t: 1}, {t: 2, k: 3}]}", Alias("a.n.*.t", "a.n.*.type"))
    assert values == {"a": {"n": [{"type": 1}, {"k": 3, "type": 2}]}}


def test_a_key_without_effect_is_dropped_and_its_entry_stays():
    values, warnings = modern(
        "a: {one: {gone: 1}}\nglobal: {gone: 1}", Alias("a.*.gone", ""), Alias("global.gone", "")
    )
    assert values == {"a": {"one": {}}}
    assert warnings == [
        "h.yaml:1:11: a.one.gone: has no effect any more",
        "h.yaml:2:10: global.gone: has no effect any more",
    ]


def test_what_no_table_can_say_is_rewritten_by_a_function():
    def by_name(root, path, node):
        if isinstance(node, Map):
            return False
        made = Map(node.mark)
        for item in node.items:
            mark, name = item.take("name")
            made.put(name.text, mark, item)
        root.entries["plugins"] = made
        return True

    form = Reform("plugins", "a mapping by name", by_name, note="Names are keys.")
    values, warnings = modern("x: 1\nplugins: [{name: a, path: p}, {name: b}]", form)
    assert values == {"x": 1, "plugins": {"a": {"path": "p"}, "b": {}}}
    assert warnings == ["h.yaml:2:1: plugins: old spelling, now a mapping by name (Names are keys.)"]
    assert modern("plugins: {a: {path: p}}", form) == ({"plugins": {"a": {"path": "p"}}}, [])


def test_moved_values_keep_their_place_in_errors(errors_of, refused):
    lines = refused(
        "llms:\n  a:\n    model: m\n    limit: x\n",
        aliases=[Alias("llms.*.limit", "llms.*.max_tokens")],
    )
    assert lines == ['h.yaml:4:12: llms.a.max_tokens: wrong value: found "x", allowed: a whole number']


def test_references_count_what_the_aliases_declare(loads):
    loaded = loads("models: {a: {model: m}}\nagents: {b: {llm: a}}", aliases=[Alias("models", "llms")])
    assert loaded.config.agents["b"].llm == "a"


def test_one_anchor_used_twice_is_moved_in_both_places():
    values, warnings = modern("x-a: &a {old: 1}\nl: {a: *a, b: *a}\nother: *a\n", Alias("l.*.old", "l.*.new"))
    assert values == {"l": {"a": {"new": 1}, "b": {"new": 1}}, "other": {"old": 1}}
    assert len(warnings) == 2


class Tool(Section):
    type: Annotated[
        str, OneOf("command", "search", later=["mcp", "plugin:*"], hint="use a command", decides=True)
    ] = "command"
    fast: Off = False


class Agent(Section):
    tools: list[Annotated[str, RefersTo("tools")]] = []

    later = {"trigger": "schedules come with the next release", "guardrails": ""}


class Growing(Section):
    agents: dict[str, Agent] = {}
    tools: dict[str, Tool] = {}

    later = {"plugins": ""}


def grown(text: str) -> list[str]:
    later = {"tools": ["bash"]}
    with pytest.raises(ConfigInvalid) as caught:
        load(text, Growing, environment={"KIND": "mcp"}, name="h.yaml", later=later)
    return [str(problem) for problem in caught.value.problems]


def test_what_is_not_built_is_refused_by_name_and_once():
    text = (
        "agents:\n  a:\n    trigger: {cron: x}\n    guardrails: strict\n    tools: [web, bash, bsh]\n"
        "tools:\n  web: {type: mcp, url: u, transport: sse}\n  own: {type: '${KIND}', fast: false}\n"
        "  mine: {type: plugin:mine, path: x}\n  old: {type: serch, path: x}\n  quick: {fast: true, fest: 1}\n"
        "plugins: {x: 1}\n"
    )
    assert grown(text) == [
        "h.yaml:3:5: agents.a.trigger: known, but not available in this version (schedules come with the next release)",
        "h.yaml:4:5: agents.a.guardrails: known, but not available in this version (leave it out)",
        'h.yaml:5:18: agents.a.tools[1]: "bash" is known, but not available in this version, allowed: mine, old, own, quick, web',
        'h.yaml:5:24: agents.a.tools[2]: "bsh" is not declared under tools:, allowed: mine, old, own, quick, web',
        'h.yaml:7:15: tools.web.type: "mcp" is known, but not available in this version, allowed: "command", "search" (use a command)',
        'h.yaml:8:15: tools.own.type: known, but not available in this version, allowed: "command", "search" (use a command)',
        'h.yaml:9:16: tools.mine.type: "plugin:mine" is known, but not available in this version, allowed: "command", "search" (use a command)',
        'h.yaml:10:15: tools.old.type: wrong value: found "serch", allowed: "command", "search" (did you mean "search"?)',
        "h.yaml:11:17: tools.quick.fast: known, but not available in this version (write false, or leave it out)",
        'h.yaml:11:23: tools.quick.fest: unknown key, allowed: type, fast (did you mean "fast"?)',
        "h.yaml:12:1: plugins: known, but not available in this version (leave it out)",
    ]


def test_the_same_word_under_both_spellings_is_said_once_too_often():
    values, warnings = modern("s: {old: 1, new: 1}", Alias("s.old", "s.new"))
    assert values == {"s": {"new": 1}}
    assert len(warnings) == 1


def test_a_tree_is_what_its_data_says():
    from hector_config.parse import parse

    assert data_of(parse("a: [1, {b: ~}]", "f", [])) == {"a": [1, {"b": None}]}
