"""What a file means before any model looks at it: YAML 1.2, marks, limits."""
# ruff: noqa: E501  (messages as they are printed)

import math
from time import monotonic

import pytest

from hector_config.scalars import resolve


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None), ("~", None), ("null", None), ("NULL", None), ("nUll", "nUll"),
        ("true", True), ("True", True), ("FALSE", False), ("tRUE", "tRUE"),
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("No", "No"), ("y", "y"),
        ("0", 0), ("-0", 0), ("+12", 12), ("8080", 8080), ("0o17", 15), ("0xFF", 255),
        ("0755", "0755"), ("-01", "-01"), ("00", "00"), ("01.5", "01.5"), ("0b1", "0b1"), ("1_000", "1_000"),
        ("12:30:00", "12:30:00"), ("190:20:30", "190:20:30"), ("2026-11-21", "2026-11-21"),
        ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("-1.5E-2", -0.015), (".", "."), ("+", "+"),
        (".inf", math.inf), ("-.INF", -math.inf), ("inf", "inf"), ("nan", "nan"),
        ("1.2.3", "1.2.3"), ("1e", "1e"), ("9" * 65, "9" * 65), ("=", "="), ("<<", "<<"), ("٣", "٣"),
    ],
)  # fmt: skip
def test_an_unquoted_word_means_what_yaml_1_2_says(word, value):
    """YAML 1.2.2, 10.3.2; ours: digits after a leading zero stay a string."""
    found = resolve(word)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_float():
    assert math.isnan(resolve(".nan"))


def test_words_keep_their_meaning_through_the_loader(loads):
    text = "free: {a: on, b: 0755, c: 12:30:00, d: 0x10, e: ~, f: 'true', g: !!str 5, h: !!float 5, on: 1}"
    assert loads(text).config.free == {
        "a": "on", "b": "0755", "c": "12:30:00", "d": 16, "e": None, "f": "true", "g": "5", "h": 5.0, "on": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "h.yaml:1:1: the file is empty ({} means all defaults)"),
        ("# nothing\n", "h.yaml:1:1: the file is empty ({} means all defaults)"),
        ("---\n", "h.yaml:1:1: the file is empty ({} means all defaults)"),
        ("- a\n- b\n", "h.yaml:1:1: not a config: found a list, allowed: a mapping of sections"),
        ("hello", "h.yaml:1:1: not a config: found a single value, allowed: a mapping of sections"),
        ("env: {}\n---\nenv: {}\n", "h.yaml:2:1: a second document (one file is one config: remove ---)"),
        ("env:\n\ta: 1\n", "h.yaml:2:1: not valid YAML: a tab cannot indent (use spaces)"),
        ("env:\n  \ta: 1\n", "h.yaml:2:3: not valid YAML: a tab cannot indent (use spaces)"),
        ("a: b: c\n", 'h.yaml:1:5: not valid YAML: a second ": " in one line'),
        ("a: @x\n", 'h.yaml:1:4: not valid YAML: "@" cannot begin a value (quote the value)'),
        ("a: [1, 2\n", "h.yaml:2:1: not valid YAML: did not find expected ',' or ']'"),
        ("a: [${X}, b]\n", "inside [ ] and { } a variable needs quotes"),
        ("env:\n  x: {{ y }}\n", "h.yaml:2:7: env.x: a key must be a word (quote a value that begins with { or [)"),
        ("? [a]\n: b\n", "h.yaml:1:3: a key must be a word"),
        ("env:\n  a: \x07\n", "h.yaml:2:6: the character U+0007 cannot stand in a YAML file"),
        ("env: {a: \ud800}", "h.yaml:1:10: the character U+D800 cannot stand in a YAML file"),
        ("env: {a: *b}", "h.yaml:1:10: env.a: the alias *b is not defined above"),
        ("free: &a {x: *a}", "h.yaml:1:14: free.x: the alias *a contains itself"),
        ("free: {x: " + "[" * 70 + "]" * 70 + "}", "nested deeper than 64 levels"),
        ("free: {x: [" + "1," * 100_000 + "]}", "more than 100000 values"),
    ],
)  # fmt: skip
def test_what_is_no_config_is_said_at_its_place(refused, text, line):
    [found] = refused(text)
    assert line in found


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "{a: " * 50_000, "- " * 50_000, "a: &a [" * 20_000, "? " * 9_000]
)
def test_deep_nesting_costs_no_stack(refused, text):
    assert len(refused(text)) == 1


def test_an_alias_bomb_is_stopped_while_it_grows(refused):
    levels = ["free:", "  a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    began = monotonic()
    [line] = refused("\n".join(levels))
    assert "more than 100000 values, aliases written out" in line
    assert monotonic() - began < 5


def test_a_key_given_twice_is_an_error_and_the_rest_is_still_checked(refused):
    assert refused(
        "llms:\n  a: {model: x, model: y}\nllms: {}\nenv: {a: [1]}\nversion: 1\n'version': 2\n"
    ) == [
        "h.yaml:2:17: llms.a.model: duplicate key (first on line 2)",
        "h.yaml:3:1: llms: duplicate key (first on line 1)",
        "h.yaml:4:7: env.a: wrong value: found a list, allowed: a string",
        "h.yaml:6:1: version: duplicate key (first on line 5)",
    ]


def test_merge_keys_bring_what_is_not_said_and_keep_their_marks(loads):
    loaded = loads(
        "x-base: &base\n"
        "  model: m1\n"
        "  max_tokens: 1\n"
        "x-more: &more {max_tokens: 2, base_url: u}\n"
        "llms:\n"
        "  one: {<<: *base, max_tokens: 7}\n"
        "  two:\n"
        "    model: m2\n"
        "    <<: [*more, *base]\n"
        '  quoted: {model: x, headers: {"<<": a}}\n'
    )
    llms = loaded.config.llms
    assert (llms["one"].model, llms["one"].max_tokens) == ("m1", 7)
    assert (llms["two"].model, llms["two"].max_tokens, llms["two"].base_url) == ("m2", 2, "u")
    assert list(llms["quoted"].headers) == ["<<"]
    assert str(loaded.marks["llms.one.model"]) == "h.yaml:2:10"
    assert str(loaded.marks["llms.one.max_tokens"]) == "h.yaml:6:32"


def test_only_mappings_can_be_merged(refused):
    assert refused("free: {a: &a [1], b: {<<: *a}, c: {<<: 5}}") == [
        "h.yaml:1:23: free.b.<<: only mappings can be merged (write <<: *name)",
        "h.yaml:1:36: free.c.<<: only mappings can be merged (write <<: *name)",
    ]


def test_an_alias_is_a_copy_of_its_own(loads):
    loaded = loads("free: {a: &a {k: '${V}'}, b: *a}", {"V": "v"})
    assert loaded.config.free == {"a": {"k": "v"}, "b": {"k": "v"}}


def test_tags_beyond_the_core_are_refused(refused):
    assert refused("free: {a: !!python/object:os.system x, b: !!int x, c: !own {}}") == [
        "h.yaml:1:11: free.a: the tag !!python/object:os.system does not fit here (write the value without a tag)",
        "h.yaml:1:43: free.b: the tag !!int does not fit here (write the value without a tag)",
        "h.yaml:1:55: free.c: the tag !own does not fit here (write the value without a tag)",
    ]


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(loads):
    loaded = loads("\ufeffenv:\r\n  A: x\r\n")
    assert loaded.config.env == {"A": "x"}
    assert loaded.marks["env.A"][1:] == (2, 6)


def test_keys_keep_what_was_written(loads):
    assert loads("free: {8080: a, on: b, null: c, 1.10: d, '': e}").config.free == {
        "8080": "a", "on": "b", "null": "c", "1.10": "d", "": "e",
    }  # fmt: skip


def test_marks_know_keys_lists_and_what_is_not_there(loads):
    marks = loads("agents:\n  a:\n    tools: [bash,\n      bash]\n  'b.c': {}\n").marks
    assert marks["agents.a.tools[1]"][1:] == (4, 7)
    assert marks["agents", "a", "tools", 1][1:] == (4, 7)
    assert marks["agents.a"][1:] == (2, 3)
    assert marks["agents", "b.c"][1:] == (5, 3)
    assert marks["agents.a.instruction"] == marks["agents.a"]
    assert "agents.a.tools[1]" in marks
    assert "agents.a.tools[2]" not in marks
    assert "agents.x" not in marks
