"""Values made of JSON Schemas: the smallest that are good."""

import json
from collections.abc import Mapping
from typing import Any

from hector_plugin._json_schema import problems_of_schema

MOST = 1000
"""Characters of a text, and items of a list, that are made to fit; who wants more has to say what."""


def sample_of(schema: Any) -> Any:
    """Return a value that fits a schema, as far as it says plainly what fits. It has to be one."""
    if not isinstance(schema, Mapping):
        return "text"
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return sample_of(schema[key][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0] if kind else "string"
    if kind == "object":
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        return {name: sample_of(properties.get(name, {})) for name in required}
    if kind == "array":
        places = schema.get("prefixItems", [])
        count = min(max(int(schema.get("minItems", 0)), len(places)), MOST)
        return [sample_of(places[at] if at < len(places) else schema.get("items", {})) for at in range(count)]
    if kind in ("integer", "number"):
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        return min(least, schema.get("maximum", least))
    if kind == "boolean":
        return False
    if kind == "null":
        return None
    return "text".ljust(min(int(schema.get("minLength", 0)), MOST), "x")[: int(schema.get("maxLength", MOST))]


def read(text: str) -> Any:
    """Return what a plugin wrote as JSON; None: it is none."""
    try:
        return json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return None


def schema_in(text: str) -> Mapping[str, Any]:
    """Return the schema that a plugin wrote; empty if it is none, for which there is a rule of its own."""
    found = read(text)
    return {} if not isinstance(found, dict) or problems_of_schema(found) else found


def of_another_type(schema: Any) -> Any:
    """Return a value of a type that a schema does not allow; None if it allows all that we know."""
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    allowed = set(kind if isinstance(kind, list) else [kind] if kind else [])
    if not allowed:
        return None
    others: Mapping[str, Any] = {"object": {"a": 1}, "array": [1], "string": "text", "boolean": True}
    return next((value for name, value in others.items() if name not in allowed), None)
