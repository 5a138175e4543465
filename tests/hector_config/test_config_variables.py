"""`${NAME}`, `.env` files, and what they must never do."""
# ruff: noqa: E501  (messages as they are printed)

import os
from pathlib import Path

import pytest

from hector_config import ConfigInvalid, load, read_environment
from hector_config.dotenv import parse_dotenv

ENV = {
    "A": "x",
    "EMPTY": "",
    "PORT": "8080",
    "YES": "true",
    "ODD": "0755",
    "REF": "${A}",
    "TEXT": "a: b # c\nd",
}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${A}", "x"),
        ("${A}${A}-${PORT}", "xx-8080"),
        ("${PORT}", 8080),
        ("'${PORT}'", "8080"),
        ('"${PORT}"', "8080"),
        ("${YES}", True),
        ("${ODD}", "0755"),
        ("${EMPTY}", None),
        ("'${EMPTY}'", ""),
        ("${NONE:-8080}", 8080),
        ("${NONE:8080}", 8080),
        ("'${NONE:-}'", ""),
        ("${EMPTY:-d}", "d"),
        ("${A:-d}", "x"),
        ("${NONE:-${A}}", "x"),
        ("${NONE:-${NIL:-${PORT}}}", 8080),
        ("${A:-${NONE}}", "x"),
        ("'${NONE:-{\"a\": {}}}'", '{"a": {}}'),
        ("${NONE:http://h:1/x}", "http://h:1/x"),
        ("${NONE:-a:-b}", "a:-b"),
        ("1${PORT}", 18080),
        ("$5 $HOME $$ $ $A $(A) a$", "$5 $HOME $$ $ $A $(A) a$"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$${A} ${A}", "${A} x"),
        ("${REF}", "${A}"),
        ("'${TEXT}'", "a: b # c\nd"),
        ("${TEXT}", "a: b # c\nd"),
    ],
)
def test_a_variable_is_filled_in_and_read_as_if_it_had_been_written(loads, written, value):
    """Quoted stays a string; `$word` is never touched; `$${` is a literal `${`."""

    found = loads(f"free:\n  k: {written}\n", ENV).config.free["k"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "${NONE}",
            "2:6: free.k: the variable NONE is not set (set it, put it into .env, or write ${NONE:-default})",
        ),
        ("ab ${POTR}", "2:9: free.k: the variable POTR is not set (did you mean PORT?)"),
        ("${NONE:-${NIL}}", "2:14: free.k: the variable NIL is not set"),
        ("${A} $${B} ${NONE}", "2:17: free.k: the variable NONE is not set"),
        ("${A", "2:6: free.k: ${ without its } (a literal ${ is written $${)"),
        ("${}", "2:6: free.k: this is no reference to a variable (write ${NAME} or ${NAME:-default};"),
        ("${ A }", "this is no reference to a variable"),
        ("${a.b}", "this is no reference to a variable"),
        ("${1A}", "this is no reference to a variable"),
        ("${A:?needed}", "the form ${A:?…} is not supported (write ${A:-default})"),
        ("${A:+x}", "the form ${A:+…} is not supported"),
        ("'" + "${NONE:-" * 40 + "}" * 40 + "'", "${ nested too deep"),
    ],
)
def test_a_reference_that_cannot_be_filled_is_named_with_its_place(refused, written, message):
    [line] = refused(f"free:\n  k: {written}\n", ENV)
    assert message in line


def test_the_line_of_a_missing_variable_is_its_own_line(refused):
    text = "agents:\n  a:\n    instruction: |\n      one ${A}\n\n      two ${GONE} ${A}\n    inline: >-\n      x\n      ${LOST}\n"
    lines = refused(text, ENV)
    assert [line.split(" the ")[0] for line in lines] == [
        "h.yaml:6:11: agents.a.instruction:",
        "h.yaml:9:7: agents.a.inline:",
    ]


def test_a_missing_variable_causes_no_second_complaint(refused):
    text = "tools:\n  t: {type: '${KIND}'}\nllms:\n  a: {model: m, max_tokens: '${N}', provider: '${P}'}\nagents:\n  b: {llm: '${L}'}\n"
    assert [line.split(": ")[1] for line in refused(text)] == [
        "tools.t.type",
        "llms.a.max_tokens",
        "llms.a.provider",
        "agents.b.llm",
    ]


def test_a_variable_fits_the_type_of_its_field(loads):
    """A key of digits is a key; a quoted number is a number where one is wanted."""
    text = (
        'llms: {a: {model: "${N}", api_key: "${N}", max_tokens: "${N}", timeout: "${N}"}}\n'
        "agents:\n"
        "  a:\n"
        "    llm: a\n"
        "    streaming: '${T}'\n"
        "    instruction: ${N}\n"
        "    effort: '${N}'\n"
        "env:\n"
        "  V: ${F}\n"
        "free:\n"
        "  plain: ${N}\n"
        "  quoted: '${N}'\n"
    )
    config = loads(text, {"N": "123", "T": "true", "F": "1.10"}).config
    llm, agent = config.llms["a"], config.agents["a"]
    assert (llm.model, llm.api_key.reveal(), llm.max_tokens, llm.timeout) == ("123", "123", 123, 123.0)
    assert (agent.streaming, agent.instruction, agent.effort) == (True, "123", 123)
    assert config.env == {"V": "1.10"}
    assert config.free == {"plain": 123, "quoted": "123"}


def test_keys_are_not_filled(refused):
    assert refused("free:\n  '${A}': 1\n  x: [{'${A}': 1}]\n", ENV) == [
        'h.yaml:2:3: free."${A}": a variable in a key (only values are filled from variables)'.replace(
            '"', ""
        ),
        'h.yaml:3:8: free.x[0]."${A}": a variable in a key (only values are filled from variables)'.replace(
            '"', ""
        ),
    ]


def test_a_variable_that_is_not_text_is_refused(refused):
    assert refused("free: {k: '${BAD}'}", {"BAD": "\udcff"}) == [
        "h.yaml:1:12: free.k: the variable BAD does not hold UTF-8"
    ]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1", {"A": "1"}),
        ("  export A = b c  # note", {"A": "b c"}),
        ("A=b#c", {"A": "b#c"}),
        ("A=# nothing", {"A": ""}),
        ("A=", {"A": ""}),
        ("A='x # y' # z", {"A": "x # y"}),
        ("A='x\\n${B}'", {"A": "x\\n${B}"}),
        ('A="x\\n\\"y\\" \\\\ # $z"', {"A": 'x\n"y" \\ # $z'}),
        ('A="one\ntwo"\nB=3', {"A": "one\ntwo", "B": "3"}),
        ("A='one\ntwo'", {"A": "one\ntwo"}),
        ("A=1\nA=2", {"A": "2"}),
        ("# c\n\n\r\nA=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=it's", {"A": "it's"}),
        ("A==x=", {"A": "=x="}),
        ("export = 3\n", {"export": "3"}),
    ],
)
def test_env_files_are_read_as_people_write_them(text, values):
    assert parse_dotenv(text) == (values, [])


@pytest.mark.parametrize("line", ["A", "export A", "1A=x", "A-B=x", 'A="x', "A='x", "A='x' y", "=x"])
def test_what_means_nothing_in_an_env_file_is_reported_by_line(line):
    assert parse_dotenv(f"# c\nX=1\n{line}\nY=2") == ({"X": "1", "Y": "2"}, [3])


def test_the_environment_wins_then_the_file_beside_then_the_home_folder(tmp_path, monkeypatch):
    home, project = tmp_path / "home", tmp_path / "project"
    for folder, text in [
        (home / ".hector", "A=home\nB=home\nC=home\nD=home"),
        (project, "A=project\nB=project\nC=project"),
        (project / ".hector", "A=beside\nB=beside\noops"),
    ]:
        folder.mkdir(parents=True)
        (folder / ".env").write_text(text)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("A", "real")
    for name in ("B", "C", "D"):
        monkeypatch.delenv(name, raising=False)
    file = project / ".hector" / "config.yaml"
    file.write_text("free: {a: '${A}', b: '${B}', c: '${C}', d: '${D}'}")
    before = dict(os.environ)
    loaded = load(file, _root())
    assert loaded.config.free == {"a": "real", "b": "beside", "c": "project", "d": "home"}
    assert dict(os.environ) == before
    [warning] = loaded.warnings
    assert str(warning).startswith(f"{project}/.hector/.env:3:1: ignored: this is not NAME=value")


def test_an_env_file_that_cannot_be_read_is_a_warning_beside_the_error(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".env").write_bytes(b"A=\xff")
    file = tmp_path / "h.yaml"
    file.write_text("free: {a: '${SURELY_NOT_SET}'}")
    with pytest.raises(ConfigInvalid) as caught:
        load(file, _root())
    assert [str(warning) for warning in caught.value.warnings] == [
        f"{tmp_path}/.env: not read: it is not UTF-8"
    ]


def test_a_user_without_a_home_has_no_env_file_there(tmp_path, monkeypatch):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert read_environment(tmp_path, environment={"A": "1"}) == {"A": "1"}


def _root():
    from typing import Any

    from hector_config import Section

    class Root(Section):
        free: dict[str, Any] = {}

    return Root
