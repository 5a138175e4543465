"""One source: the JSON Schema takes the files that the loader takes."""
# ruff: noqa: E501  (files as they are written)

import json
from typing import Any

import jsonschema
import pytest

from hector_config import Alias, ConfigInvalid, Scalar, json_schema, load

ALIASES = (
    Alias("llms.*.host", "llms.*.base_url", "Named as vendors name it."),
    Alias("llms.*.name", "llms.*.model"),
    Alias("global.data.path", "storage.path"),
    Alias("llms.*.provider", "llms.*.provider", values={"gpt": "openai"}),
    Alias("agents.*.task.quiet", ""),
    Alias("storage", "storage.path", shape=Scalar),
)

BOTH_TAKE = [
    "{}",
    "version: 1.0",
    "version: '2'",
    "x-anchors: {anything: [1]}",
    "llms: {a: {model: m}}",
    "llms: {a: {model: m, api_key: k, temperature: 1, max_tokens: 5, timeout: 1h30m}}",
    "llms: {a: {model: m, timeout: 30}}",
    "llms: {a: {model: '${V}', api_key: '${V}', max_tokens: '${N}', timeout: '${N}', temperature: '${N:-1}'}}",
    "llms: {a: {model: m, provider: '${P}'}}",
    "tools: {a: {type: command, command: ls, limit: 1MB}, b: {type: function, handler: h, schema: {x: 1}}}",
    "tools: {a: {type: '${T}', command: ls}}",
    "agents: {a: {tools: [bash], streaming: false, effort: 3}, b: {effort: auto, tools: []}}",
    "agents: {a: {inline: {model: m}}, b: {inline: word}, c: {streaming: '${B}', effort: '${N}'}}",
    "storage: {path: x, backups: [a, b]}",
    "env: {A: 1, B: true, C: x}",
    "free: {anything: {goes: [1, null]}}",
]
BOTH_REFUSE = [
    "nope: 1",
    "llms: []",
    "llms: {a: {}}",
    "llms: {a: {model: 5}}",
    "llms: {a: {model: m, nope: 1}}",
    "llms: {a: {model: m, temperature: hot}}",
    "llms: {a: {model: m, temperature: 3}}",
    "llms: {a: {model: m, max_tokens: '5'}}",
    "llms: {a: {model: m, max_tokens: 1.5}}",
    "llms: {a: {model: m, timeout: 1h30}}",
    "llms: {a: {model: m, provider: nope}}",
    "tools: {a: {type: nope}}",
    "tools: {a: {type: command, handler: h}}",
    "tools: {a: {type: function, handler: h, schema_: {}}}",
    "agents: {a: {streaming: on}}",
    "agents: {a: {effort: some}}",
    "agents: {a: {inline: 5}}",
    "storage: {path: ''}",
    "env: {A: null}",
]
OLD = [
    "llms: {a: {model: m, host: h}}",
    "llms: {a: {name: m}}",
    "llms: {a: {model: m, provider: gpt}}",
    "global: {data: {path: p}}",
    "agents: {a: {task: {quiet: true}}}",
    "storage: some/where",
]
VARIABLES = {"V": "v", "N": "1", "P": "ollama", "T": "command", "B": "true"}


def _takes(text: str, model: Any, **options: Any) -> bool:
    try:
        load(text, model, environment=VARIABLES, **options)
    except ConfigInvalid:
        return False
    return True


@pytest.mark.parametrize("text", BOTH_TAKE)
def test_what_loads_is_valid(root_model, text):
    assert _takes(text, root_model)
    jsonschema.validate(_core(text), json_schema(root_model))


@pytest.mark.parametrize("text", BOTH_REFUSE)
def test_what_does_not_load_is_not_valid(root_model, text):
    assert not _takes(text, root_model)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_core(text), json_schema(root_model))


@pytest.mark.parametrize("text", OLD)
def test_old_spellings_are_valid_too(root_model, text):
    schema = json_schema(root_model, ALIASES)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert _takes(text, root_model, aliases=ALIASES)
    jsonschema.validate(_core(text), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_core(text), json_schema(root_model))


def test_old_spellings_make_the_schema_no_laxer(root_model):
    validator = jsonschema.Draft202012Validator(json_schema(root_model, ALIASES))
    assert [text for text in BOTH_TAKE if not validator.is_valid(_core(text))] == []
    assert [text for text in BOTH_REFUSE if validator.is_valid(_core(text))] == []


def test_every_field_brings_its_documentation(root_model):
    schema = json_schema(root_model, ALIASES)
    jsonschema.Draft202012Validator.check_schema(schema)
    llm = schema["$defs"]["LLM"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert llm["description"] == "A model that agents can ask."
    assert llm["properties"]["model"] == {"type": "string", "description": "The provider's name for it."}
    assert llm["properties"]["api_key"]["anyOf"][0] == {
        "type": "string",
        "format": "password",
        "writeOnly": True,
    }
    assert llm["properties"]["host"]["deprecated"] is True
    assert (
        llm["properties"]["host"]["description"]
        == "Old spelling of `llms.*.base_url`. Named as vendors name it."
    )
    assert schema["$defs"]["Function"]["properties"]["schema"]["description"] == "What the function takes."
    assert "title" not in llm["properties"]["model"]
    json.dumps(schema)


def test_references_say_what_they_refer_to(root_model):
    assert json_schema(root_model)["$defs"]["Agent"]["properties"]["llm"]["anyOf"][0]["x-refers-to"] == [
        "llms"
    ]


def _core(text: str) -> Any:
    from hector_config.parse import parse
    from hector_config.tree import data_of

    return data_of(parse(text, "f", []))
