"""Fills JSON Schemas from text: arguments of tools, and answers that must have a shape."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

Schema = Mapping[str, Any]
Json = object
"""What `orjson` makes of JSON."""

DEEP = 12


class CannotFillError(Exception):
    """The text does not say what a required value should be."""


def resolved(schema: Schema, root: Schema, depth: int = 0) -> Schema:
    """Return a schema with its references followed, and the first workable branch of a choice taken."""
    for _ in range(DEEP - depth):
        if isinstance(reference := schema.get("$ref"), str):
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            schema = {**_referred(reference, root), **rest}
            continue
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches:
            real = [branch for branch in branches if resolved_type(branch) != "null"] or branches
            rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
            schema = {**rest, **real[0]}
            continue
        if parts := schema.get("allOf"):
            rest = {key: value for key, value in schema.items() if key != "allOf"}
            schema = _merged([rest, *parts], root, depth + 4)
            continue
        break
    return schema


def _referred(reference: str, root: Schema) -> Schema:
    found: Any = root
    for step in filter(None, reference.removeprefix("#").split("/")):
        found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def resolved_type(schema: Schema) -> str:
    """Return the type of a value that a schema wants; the first that is not null."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    if isinstance(kind, Sequence) and kind:
        return str(next((each for each in kind if each != "null"), "null"))
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return ""


def properties_of(schema: Schema) -> dict[str, Schema]:
    """Return the properties of an object schema."""
    found = schema.get("properties")
    return (
        {name: each for name, each in found.items() if isinstance(each, Mapping)} if is_object(found) else {}
    )


def required_of(schema: Schema) -> list[str]:
    """Return the names that must be there, in their order."""
    found = schema.get("required")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def is_object(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def words_in_name(name: str) -> list[str]:
    """Return the words of a property's or tool's name, whichever way they are joined."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).replace("_", " ").replace("-", " ").lower().split()


def within(number: float, schema: Schema) -> float:
    """Return the number nearest to `number` that a schema allows."""
    low, high = schema.get("minimum"), schema.get("maximum")
    over, under = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if isinstance(low, int | float) and not isinstance(low, bool):
        number = max(number, low)
    if isinstance(over, int | float) and not isinstance(over, bool) and number <= over:
        number = over + 1
    if isinstance(high, int | float) and not isinstance(high, bool):
        number = min(number, high)
    if isinstance(under, int | float) and not isinstance(under, bool) and number >= under:
        number = under - 1
        if isinstance(over, int | float) and number <= over:
            number = (over + under) / 2
    step = schema.get("multipleOf")
    if isinstance(step, int | float) and step > 0:
        number = (number // step) * step
        if isinstance(low, int | float) and number < low:
            number += step
    return number


def _merged(parts: Sequence[Any], root: Schema, depth: int) -> Schema:
    whole: dict[str, Any] = {}
    for part in (resolved(part, root, depth) for part in parts):
        for key, value in part.items():
            if key == "properties" and is_object(value):
                whole[key] = {**whole.get(key, {}), **value}
            elif key == "required" and isinstance(value, list):
                whole[key] = [*whole.get(key, []), *value]
            elif key not in ("$ref", "anyOf", "oneOf", "allOf"):  # left over where it goes round in circles
                whole[key] = value
    return whole
