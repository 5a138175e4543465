"""Schemas come from configurations, plugins and MCP servers: keywords that hold nonsense are left out."""

from collections.abc import Mapping

from hector_llm.local.schemas import Schema

_NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_SIZES = {"minLength", "maxLength", "minItems", "maxItems"}
_BRANCHES = {"anyOf", "oneOf", "allOf"}
_NAMED = {"properties", "$defs", "definitions"}
_VALUES = {"default", "const", "examples"}
_MOST = 10_000
"""Sizes above this are not wanted of anybody."""


def sound(value: object, depth: int = 0) -> Schema:
    """Return a schema whose keywords hold what they should; the rest of it as it was."""
    if not isinstance(value, Mapping) or depth > 50:
        return {}
    kept: dict[str, object] = {}
    for key, held in value.items():
        if key in _NUMBERS:
            ok = isinstance(held, int | float) and not isinstance(held, bool) and abs(held) < 2**53
        elif key in _SIZES:
            ok = type(held) is int and 0 <= held <= _MOST
        elif key == "enum":
            ok = isinstance(held, list) and bool(held)
        elif key == "$ref":
            ok = isinstance(held, str)
        elif key in _BRANCHES:
            held = [sound(each, depth + 1) for each in held] if isinstance(held, list) else []
            ok = bool(held)
        elif key in _NAMED:
            ok = isinstance(held, Mapping)
            held = {name: sound(each, depth + 1) for name, each in held.items()} if ok else {}
        elif key == "items":
            ok, held = isinstance(held, Mapping), sound(held, depth + 1)
        else:
            # A reference may lead anywhere, so what looks like a schema is made one.
            ok = True
            held = sound(held, depth + 1) if isinstance(held, Mapping) and key not in _VALUES else held
        if ok:
            kept[key] = held
    return kept
