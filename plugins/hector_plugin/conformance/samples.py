"""Values made of JSON Schemas: the smallest that are good."""

from collections.abc import Mapping
from typing import Any


def sample_of(schema: Any) -> Any:
    """Return a value that fits a schema, as far as it says plainly what fits."""
    if not isinstance(schema, Mapping):
        return "text"
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("examples"):
        return schema["examples"][0]
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
        return [sample_of(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
    if kind in ("integer", "number"):
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        return min(least, schema.get("maximum", least))
    if kind == "boolean":
        return False
    if kind == "null":
        return None
    return "text".ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 1000)]


def of_another_type(schema: Any) -> Any:
    """Return a value of a type that a schema does not allow; None if it allows all that we know."""
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    allowed = set(kind if isinstance(kind, list) else [kind] if kind else [])
    if not allowed:
        return None
    others: Mapping[str, Any] = {"object": {"a": 1}, "array": [1], "string": "text", "boolean": True}
    return next((value for name, value in others.items() if name not in allowed), None)
