"""The offline model's answers by a schema: valid first, meaningful where the text allows."""

import json

import pytest
from contracts.llm_provider import user
from support.nonsense import NONSENSE, places, spoiled

from hector.common.v1 import Tool
from hector.llm.v1 import GenerateTextRequest, GenerationOptions, ToolChoice
from hector_llm import LLMConfig
from hector_llm.local import LocalProvider

STRING = {"type": "string"}


async def shaped(text: str, schema: dict) -> object:
    options = GenerationOptions(response_schema_json=json.dumps(schema))
    request = GenerateTextRequest(messages=[user(text)], options=options)
    return json.loads((await LocalProvider(LLMConfig(provider="local")).GenerateText(request, None)).text)


def an_object(**properties: dict) -> dict:
    return {"type": "object", "properties": properties, "required": list(properties)}


async def test_values_are_found_in_the_text() -> None:
    schema = an_object(
        city=STRING, people={"type": "integer"}, capital={"type": "boolean"}, mood={"enum": ["sad", "happy"]}
    )
    found = await shaped("The city is Paris, with 2100000 people; yes, and they are happy.", schema)
    assert found == {"city": "Paris", "people": 2100000, "capital": True, "mood": "happy"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (an_object(a={"const": 7}), {"a": 7}),
        (an_object(a={"type": "null"}), {"a": None}),
        (an_object(a={"type": ["null", "integer"]}), {"a": 0}),
        (an_object(a={"type": "integer", "minimum": 5}), {"a": 5}),
        (an_object(a={"type": "integer", "exclusiveMinimum": 5}), {"a": 6}),
        (an_object(a={"type": "number", "maximum": -1}), {"a": -1}),
        (an_object(a={"type": "integer", "minimum": 5, "multipleOf": 4}), {"a": 8}),
        (an_object(a={"type": "integer", "default": 3}), {"a": 3}),
        (an_object(a={"type": "string", "format": "date"}), {"a": "1970-01-01"}),
        (an_object(a={"anyOf": [{"type": "null"}, {"type": "integer"}]}), {"a": 0}),
        (
            an_object(a={"allOf": [an_object(b={"const": 1}), an_object(c={"const": 2})]}),
            {"a": {"b": 1, "c": 2}},
        ),
        (an_object(a={"type": "array", "items": {"const": 1}, "minItems": 3}), {"a": [1, 1, 1]}),
        (an_object(a={"type": "array", "items": STRING, "maxItems": 0}), {"a": []}),
        ({"$ref": "#/$defs/x", "$defs": {"x": an_object(a={"const": 1})}}, {"a": 1}),
        ({"type": "array", "items": {"enum": ["x"]}}, ["x"]),
        ({"type": "object"}, {}),
    ],
)
async def test_every_usual_constraint_is_kept(schema: dict, expected: object) -> None:
    assert await shaped("go", schema) == expected


async def test_lengths_are_kept() -> None:
    found = await shaped("go", an_object(a={**STRING, "maxLength": 5}, b={**STRING, "minLength": 500}))
    assert len(found["a"]) <= 5
    assert len(found["b"]) >= 500


async def test_a_schema_that_refers_to_itself_ends() -> None:
    node = an_object(name=STRING)
    node["properties"]["children"] = {"type": "array", "items": {"$ref": "#"}}
    assert "name" in await shaped("go", node)
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert "next" in await shaped("go", endless)
    for circle in ({"$ref": "#"}, {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {"anyOf": [{"$ref": "#"}]}):
        assert await shaped("go", circle) is not None
    assert await shaped("go", {"$ref": "#/nowhere"}) == {}


async def test_the_answer_goes_where_the_schema_asks_for_one() -> None:
    found = await shaped("What is my name?", an_object(answer=STRING))
    assert found == {"answer": "You have not told me."}


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
async def test_a_schema_with_nonsense_in_it_is_survived(nonsense: object) -> None:
    """Ours: schemas come from configurations, plugins and MCP servers."""
    item = an_object(id=STRING, state={"enum": ["a", "b"]})
    schema = an_object(
        path=STRING,
        count={"type": "integer", "minimum": 1, "maximum": 9, "multipleOf": 2},
        text={"type": "string", "minLength": 2, "maxLength": 9, "format": "date"},
        items={"type": "array", "items": item, "minItems": 1, "maxItems": 3},
        one={"anyOf": [{"type": "null"}, {"allOf": [{"$ref": "#/$defs/x"}]}]},
    )
    schema["$defs"] = {"x": {"type": "boolean"}}
    model = LocalProvider(LLMConfig(provider="local"))
    for path in places(schema):
        text = json.dumps(spoiled(schema, path, nonsense))
        await shaped("3 things in docs/x.md: a, b", json.loads(text))
        tool = Tool(name="handle", description="Handles things.", parameters_json=text)
        options = GenerationOptions(tool_choice=ToolChoice(mode=ToolChoice.MODE_REQUIRED))
        asked = [user("handle 3 things in docs/x.md: a, b")]
        request = GenerateTextRequest(messages=asked, tools=[tool], options=options)
        answer = await model.GenerateText(request, None)
        assert isinstance(json.loads(answer.message.parts[0].tool_call.arguments_json), dict)
