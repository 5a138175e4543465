"""Everything that is wrong with a file, at once, each at its place and with a way out."""
# ruff: noqa: E501  (messages as they are printed)

import os
import threading
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal, Self

import pytest
from grpc import StatusCode
from pydantic import Field, field_validator, model_validator

from hector_config import ConfigInvalid, Misfit, Problem, RefersTo, Secret, Section, load, reading
from hector_mesh import HectorError

EVERYTHING = """\
version: 2.0
x-base: &base {provider: openai, api_key: "${KEY}"}
llms:
  fast:
    <<: *base
    model: gpt
    temperature: hot
    timeout: 1h30
    modle: x
  fast: {model: y}
  slow: {model: 5, provider: opnai, temperature: 3, max_tokens: 1.5}
tools:
  run: {type: comand, command: ls}
  sh: {type: command, comand: ls, limit: 1XB}
  fn: {handler: f}
agents:
  a:
    llm: fsat
    tools: [bash, rum]
    streaming: on
    effort: autp
    inline: {modl: x}
    instruction: "${MISSING} ${KEY}"
  b: {llm: fast, streaming: "true", inline: 5, tools: fast}
env: {PORT: [], X: 1.10}
stroage: {}
"""


def test_all_problems_come_at_once_in_the_order_of_the_file(refused):
    known = "provider, model, api_key, base_url, temperature, max_tokens, timeout, headers"
    assert refused(EVERYTHING, {"KEY": "sk-very-secret"}) == [
        'h.yaml:7:18: llms.fast.temperature: wrong value: found "hot", allowed: a number',
        'h.yaml:8:14: llms.fast.timeout: wrong value: found "1h30", '
        'allowed: a duration such as 30, "250ms", "30s", "5m" or "1h30m"',
        f'h.yaml:9:5: llms.fast.modle: unknown key, allowed: {known} (did you mean "model"?)',
        "h.yaml:10:3: llms.fast: duplicate key (first on line 4)",
        'h.yaml:11:17: llms.slow.model: wrong value: found 5, allowed: a string (in quotes: "5")',
        'h.yaml:11:30: llms.slow.provider: wrong value: found "opnai", '
        'allowed: "openai", "anthropic", "ollama" (did you mean "openai"?)',
        "h.yaml:11:50: llms.slow.temperature: wrong value: found 3, allowed: a number of at most 2",
        "h.yaml:11:65: llms.slow.max_tokens: wrong value: found 1.5, allowed: a whole number",
        'h.yaml:13:15: tools.run.type: wrong value: found "comand", '
        'allowed: command, function (did you mean "command"?)',
        'h.yaml:14:23: tools.sh.comand: unknown key, allowed: type, command, limit (did you mean "command"?)',
        'h.yaml:14:42: tools.sh.limit: wrong value: found "1XB", allowed: a size such as 1048576, "10MB" or "1GiB"',
        "h.yaml:15:3: tools.fn.type: required, but not there, allowed: command, function",
        'h.yaml:18:10: agents.a.llm: "fsat" is not declared under llms:, '
        'allowed: fast, slow (did you mean "fast"?)',
        'h.yaml:19:19: agents.a.tools[1]: "rum" is not declared under tools:, '
        'allowed: bash, fn, run, sh (did you mean "run"?)',
        'h.yaml:20:16: agents.a.streaming: wrong value: found "on", allowed: true or false (write true)',
        'h.yaml:21:13: agents.a.effort: wrong value: found "autp", '
        'allowed: a whole number or "auto" (did you mean "auto"?)',
        f'h.yaml:22:14: agents.a.inline.modl: unknown key, allowed: {known} (did you mean "model"?)',
        "h.yaml:23:19: agents.a.instruction: the variable MISSING is not set "
        "(set it, put it into .env, or write ${MISSING:-default})",
        'h.yaml:24:29: agents.b.streaming: wrong value: found "true", allowed: true or false (without quotes)',
        'h.yaml:24:45: agents.b.inline: wrong value: found 5, allowed: a mapping or a string (in quotes: "5")',
        "h.yaml:24:55: agents.b.tools: wrong value: found a string, allowed: a list",
        "h.yaml:25:7: env.PORT: wrong value: found a list, allowed: a string",
        "h.yaml:26:1: stroage: unknown key, allowed: version, llms, tools, agents, storage, env, free "
        '(did you mean "storage"?)',
    ]


def test_the_error_is_a_hector_error_with_a_problem_for_programs():
    with pytest.raises(ConfigInvalid) as caught:
        load("a:\n  b: x\n", _Numbers, environment={}, name="h.yaml")
    assert isinstance(caught.value, HectorError)
    assert caught.value.code is StatusCode.INVALID_ARGUMENT
    assert caught.value.reason == "CONFIG_INVALID"
    assert caught.value.problems == (
        Problem("h.yaml", 2, 6, "a.b", "wrong value", found='"x"', allowed="a whole number"),
    )
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


class _Numbers(Section):
    a: dict[str, int] = {}


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Shapes(Section):
    colour: Colour = Colour.RED
    pair: tuple[int, str] = (1, "a")
    unique: frozenset[str] = frozenset()
    short: Annotated[str, Field(min_length=2, max_length=3, pattern="^[a-z]+$")] = "ab"
    few: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    step: Annotated[int, Field(multiple_of=5)] = 5
    port: int = Field(80, gt=0, lt=65536)
    ratio: float = 0.5
    mapping: dict[int, str] = {}
    choice: Literal[1, 2, "three"] = 1
    schema_: str = Field("", alias="schema")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("colour: rde", 'colour: wrong value: found "rde", allowed: "red", "blue" (did you mean "red"?)'),
        ("pair: [x, y]", 'pair[0]: wrong value: found "x", allowed: a whole number'),
        ("pair: [1]", "pair[1]: required, but not there"),
        ("unique: {a: 1}", "unique: wrong value: found a mapping, allowed: a list"),
        ("short: a", 'short: wrong value: found "a", allowed: at least 2 characters'),
        ("short: abcd", 'short: wrong value: found "abcd", allowed: at most 3 characters'),
        ("short: A1", 'short: wrong value: found "A1", allowed: what matches ^[a-z]+$'),
        ("few: []", "few: wrong value: found a list, allowed: at least 1 entries"),
        ("few: [1, 2, 3]", "few: wrong value: found a list, allowed: at most 2 entries"),
        ("step: 3", "step: wrong value: found 3, allowed: a multiple of 5"),
        ("port: 0", "port: wrong value: found 0, allowed: a number greater than 0"),
        ("port: 99999", "port: wrong value: found 99999, allowed: a number less than 65536"),
        ("port: 0755", 'found "0755", allowed: a whole number (a number begins with no zero; octal is written 0o755)'),
        ('port: "80"', 'port: wrong value: found "80", allowed: a whole number (without quotes)'),
        ("port: true", "port: wrong value: found true, allowed: a whole number"),
        ("port:", "port: wrong value: found nothing, allowed: a whole number"),
        ("ratio: .nan", "ratio: wrong value: found .nan, allowed: a finite number"),
        ("ratio: .inf", "ratio: wrong value: found .inf, allowed: a finite number"),
        ("mapping: {x: a}", "mapping.x: wrong key, allowed: a whole number"),
        ("choice: thre", '"three" (did you mean "three"?)'),
        ("schema_: x", 'schema_: unknown key, allowed: colour'),
        ("SCHEMA: x", '(did you mean "schema"?)'),
        ("few: " + "x" * 100, "few: wrong value: found a string, allowed: a list"),
        ("colour: " + "x" * 100, 'found "' + "x" * 59 + "…\""),
        ('colour: "a\\nb\\e"', r'found "a\nb\u001b"'),
    ],
)  # fmt: skip
def test_each_kind_of_wrong_value_says_what_is_allowed(errors_of, text, problem):
    [line] = errors_of(text, Shapes)
    assert problem in line
    assert "\n" not in line


def test_strictness_knows_what_yaml_can_write():
    text = "colour: blue\npair: [2, b]\nunique: [a, a]\nratio: 1\nmapping: {8: x}\nschema: s\n"
    config = load(text, Shapes, environment={}).config
    assert (config.colour, config.pair, config.unique) == (Colour.BLUE, (2, "b"), frozenset("a"))
    assert (config.ratio, config.mapping, config.schema_) == (1.0, {8: "x"}, "s")


def test_false_zero_and_empty_are_values(loads):
    """decisions.md: an explicit 0, false or [] is what it says, never "unset"."""
    text = "llms: {a: {model: '', temperature: 0, max_tokens: 0, timeout: 0}}\nagents: {a: {streaming: false, tools: []}}"
    config = loads(text).config
    llm, agent = config.llms["a"], config.agents["a"]
    assert (llm.model, llm.temperature, llm.max_tokens, llm.timeout) == ("", 0.0, 0, 0.0)
    assert (agent.streaming, agent.tools) == (False, [])
    assert loads("agents: {a: {}}").config.agents["a"].tools is None


class Budgeted(Section):
    max_tokens: int = 4096
    budget: int = 1024

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.budget >= self.max_tokens:
            raise Misfit(
                f"the budget {self.budget} leaves nothing of {self.max_tokens}",
                at=("budget",),
                hint="raise max_tokens",
                also=[Misfit("and this is not more", at=("max_tokens",))],
            )
        return self

    @field_validator("budget")
    @classmethod
    def _positive(cls, value: int) -> int:
        if value < 0:
            raise ValueError(f"{value} is negative")
        return value


class Budgets(Section):
    llms: dict[str, Budgeted] = {}


def test_validators_can_say_where_in_the_section(errors_of):
    assert errors_of("llms:\n  a:\n    max_tokens: 5\n    budget: 6\n  b: {budget: -1}\n", Budgets) == [
        "h.yaml:3:17: llms.a.max_tokens: and this is not more",
        "h.yaml:4:13: llms.a.budget: the budget 6 leaves nothing of 5 (raise max_tokens)",
        "h.yaml:5:15: llms.b.budget: -1 is negative",
    ]


def test_checks_see_the_whole_file_even_when_it_has_other_errors(refused):
    def no_circles(data):
        assert data["agents"]["a"]["llm"] == "b"
        yield Misfit("a calls itself", at=("agents", "a", "tools", 0))

    assert refused("agents: {a: {llm: b, tools: [bash], bad: 1}}", checks=[no_circles])[1:] == [
        "h.yaml:1:30: agents.a.tools[0]: a calls itself",
        "h.yaml:1:37: agents.a.bad: unknown key, allowed: llm, tools, instruction, streaming, effort, inline",
    ]
    with pytest.raises(ConfigInvalid, match="a calls itself"):
        load("agents: {a: {llm: b}}\nllms: {b: {model: m}}", _AnyRoot, environment={}, checks=[no_circles])


class _AnyRoot(Section):
    agents: dict[str, dict[str, str]] = {}
    llms: dict[str, dict[str, str]] = {}


class Branch(Section):
    name: str
    key: Secret | None = None
    children: list["Branch"] = []
    kind: "Annotated[Leaf | Bud, Field(discriminator='type')] | None" = None


class Leaf(Section):
    type: Literal["leaf"]
    leaf: int


class Bud(Section):
    type: Literal["bud"]
    open: bool = False


class Tree(Section):
    trunk: Branch
    where: Path | int | list[Leaf] | dict[str, Bud] | None = None


def test_models_that_hold_themselves_are_followed(errors_of):
    text = (
        "trunk:\n  name: a\n  children:\n  - name: b\n    children: [{nmae: c}, {name: d, key: [s3cret]}]\n"
        "  kind: {type: leaf, leaf: x, open: true}\n"
        "where: {a: {type: bud, opn: true}}\n"
    )
    assert errors_of(text, Tree) == [
        "h.yaml:5:17: trunk.children[0].children[0].nmae: unknown key, "
        'allowed: name, key, children, kind (did you mean "name"?)',
        "h.yaml:5:37: trunk.children[0].children[1].key: wrong value: found a list, allowed: a string",
        'h.yaml:6:28: trunk.kind.leaf: wrong value: found "x", allowed: a whole number',
        "h.yaml:6:31: trunk.kind.open: unknown key, allowed: type, leaf",
        'h.yaml:7:24: where.a.opn: unknown key, allowed: type, open (did you mean "open"?)',
    ]


def test_a_required_key_is_missed_where_it_should_be(errors_of):
    assert errors_of("where: 1", Tree) == ["h.yaml:1:1: trunk: required, but not there"]
    assert errors_of("trunk:\n  children:\n  - key: k\n", Tree) == [
        "h.yaml:1:1: trunk.name: required, but not there",
        "h.yaml:3:5: trunk.children[0].name: required, but not there",
    ]


class Chosen(Section):
    a: Annotated[str, RefersTo("nowhere")] = "default"


def test_a_default_that_refers_to_nothing_is_told_at_its_section(errors_of):
    assert errors_of("{}", Chosen) == [
        'h.yaml:1:1: a: "default" is not declared under nowhere:, allowed: nothing'
    ]


def test_files_that_cannot_be_read_say_why(tmp_path):
    for name, content, words in [
        ("none.yaml", None, "none.yaml: cannot be read: No such file or directory"),
        ("utf16.yaml", "a: 1".encode("utf-16"), "utf16.yaml: this is UTF-16, allowed: UTF-8"),
        (
            "latin.yaml",
            b"a: 1\n# caf\xc3\xa9\nb: caf\xe9\n",
            "latin.yaml:3:7: the byte 0xE9 is not UTF-8 (save it as UTF-8)",
        ),
        ("large.yaml", b"#" * (4 * 1024 * 1024 + 1), "large.yaml: larger than 4194304 bytes"),
        ("utf32.yaml", "a: 1".encode("utf-32-be"), "utf32.yaml:1:1: the character U+0000 cannot stand"),
    ]:
        file = tmp_path / name
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConfigInvalid) as caught:
            load(file, _Numbers, environment={})
        assert words in str(caught.value)
    with pytest.raises(ConfigInvalid, match=r"cannot be read: Is a directory \(name the file in it\)"):
        load(tmp_path, _Numbers, environment={})
    with pytest.raises(ConfigInvalid, match="h: larger than"):
        load("#" * (4 * 1024 * 1024 + 1), _Numbers, environment={}, name="h")


def test_a_pipe_is_read_and_one_that_nobody_fills_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE_S", 0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigInvalid, match="a pipe into which nobody writes"):
        load(pipe, _Numbers, environment={})
    writer = threading.Thread(target=pipe.write_text, args=["a: {x: 1}"])
    monkeypatch.setattr(reading, "PATIENCE_S", 10)
    writer.start()
    assert load(pipe, _Numbers, environment={}).config.a == {"x": 1}
    writer.join()


def test_messages_name_the_file_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("h.yaml").write_text("b: 1")
    with pytest.raises(ConfigInvalid, match=r"^h.yaml:1:1: b: unknown key, allowed: a$"):
        load(Path("h.yaml"), _Numbers, environment={})
