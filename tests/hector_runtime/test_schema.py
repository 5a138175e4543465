"""features.md, config.check: one JSON Schema that accepts exactly the files that the loader accepts."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from support.documented_keys import Row, rows

from hector_config import ConfigInvalid, load
from hector_config.parse import parse
from hector_config.tree import data_of
from hector_runtime.aliases import ALIASES
from hector_runtime.config import Config, known_names
from hector_runtime.schema import schema

VALIDATOR = jsonschema.Draft202012Validator(schema())


def takes(text: str) -> bool:
    return bool(VALIDATOR.is_valid(data_of(parse(text, "f", []))))


# Which names are declared only the loader knows.
ROWS = [row for row in rows() if not (row.later and row.path == "agents.a.tools")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.path}: {row.value}"[:90])
def test_the_schema_takes_a_documented_key_as_the_loader_does(row: Row) -> None:
    assert takes(row.text) == (not row.later), row.text


VALUES = [0, -1, None, True, "text", "30s", ["a"], {}, {"a": "b"}]
FREE = (
    "metadata",
    "agents.n.reasoning.options",
    *(f"tools.{name}.config" for name in ("search", "read_file", "grep_search", "todo_write")),
)
"""What a user writes there is his own."""
ONLY_THE_LOADER = re.compile(
    r"not declared under|known, but not available|required, but not there|is needed|is no |no database|"
    r"cannot dial|needs (cert|key)|in this order|less than size|has no effect|models read the|"
    r"would let everybody in|no keys to sign with|only plugins read it|the plugin knows it|"
    r"it belongs to plugins|a plugin is one program|what runs already|no program to start|only a sandbox|"
    r"stands in references|hexadecimal|config: wrong value|it belongs to the embedded"
)
"""What is wrong besides the shape: references, spellings of one text, values that do not go together."""


At = tuple[str | int, ...]


def fields_of(schema: dict[str, Any], path: At = ()) -> Iterator[At]:
    """Yield the path of every value that a file may have today, entries by name as `n`."""
    for arm in arms_of(schema):
        below = {**arm.get("properties", {})}
        if isinstance(arm.get("additionalProperties"), dict):
            below["n"] = arm["additionalProperties"]
        if isinstance(arm.get("items"), dict):
            below[0] = arm["items"]
        for step, inner in below.items():
            if not inner.get("deprecated") and not (path == ("tools",) and step == "n"):
                yield (*path, step)
                yield from fields_of(inner, (*path, step))


def arms_of(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in schema:
        yield from arms_of(VALIDATOR.schema["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    elif "anyOf" in schema or "allOf" in schema:
        for arm in [*schema.get("anyOf", ()), *schema.get("allOf", ())]:
            yield from () if arm.get("deprecated") else arms_of(arm)
    else:
        yield schema


def built(path: At, value: object) -> object:
    for step in reversed(path):
        value = [value] if step == 0 else {step: value}
    return value


PATHS = sorted(
    {path for path in fields_of(VALIDATOR.schema) if ".".join(map(str, path)) not in FREE}, key=str
)


@pytest.mark.parametrize("section", sorted({str(path[0]) for path in PATHS}))
def test_of_every_field_schema_and_loader_take_the_same_values(section: str) -> None:
    differ = []
    for path in (path for path in PATHS if path[0] == section):
        for value in VALUES:
            config = built(path, value)
            told = wrong(json.dumps(config))
            if VALIDATOR.is_valid(config) == bool(told) and not (told and ONLY_THE_LOADER.search(told)):
                differ.append((config, told or "the loader takes it, the schema does not"))
    assert differ == []


def wrong(text: str) -> str:
    """Return what the loader has against a config; nothing, if nothing."""
    try:
        load(text, Config, environment={}, aliases=ALIASES, known=known_names())
    except ConfigInvalid as error:
        return str(error)
    return ""


def test_there_are_as_many_fields_as_there_seem_to_be() -> None:
    """Else the test before would test nothing."""
    assert len(PATHS) > 150


@pytest.mark.parametrize(
    "text",
    [
        "server: {port: '${PORT}', limits: {max_body_size: '${PORT}'}, auth: {enabled: '${ON:-true}'}}",
        "llms: {m: {provider: '${P}', temperature: '${T}', timeout: '${T}', thinking: {enabled: '${ON}'}}}",
        "agents: {a: {type: '${T}', visibility: '${V}', streaming: '${ON}', max_answer_size: '${PORT}MB'}}",
        "tools: {t: {type: '${T}', enabled: '${ON}'}}",
        "document_stores: {d: {watch: '${ON}', search: {mode: '${T}', enable_rerank: '${ON}'}}}",
    ],
)
def test_a_variable_may_stand_wherever_a_value_does(text: str) -> None:
    assert takes(text)


def test_every_field_has_a_description_and_a_default_where_there_is_one() -> None:
    for name, section in VALIDATOR.schema["$defs"].items():
        for key, field in section.get("properties", {}).items():
            assert field.get("description"), f"{name}.{key}"
            assert "default" in field or field.get("deprecated") or key in section.get("required", ()), (
                f"{name}.{key}"
            )


def test_the_schema_is_one_and_says_which() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$id"] == "urn:hector:schema:config:2"
    assert schema()["$defs"]["LLMConfig"]["properties"]["host"]["deprecated"] is True
    assert json.loads(json.dumps(schema())) == schema()
