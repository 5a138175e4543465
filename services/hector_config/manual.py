"""A model as a page for people: every key with its type, default and meaning."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from hector_config.one_of import OffSchema, OneOf
from hector_config.schema import json_schema
from hector_config.section import Section
from hector_config.units import DURATION_PATTERN, SIZE_PATTERN

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section."""

    path: str
    """From the section's own entry on: `thinking.budget_tokens`."""
    kind: str
    """What may stand there, in words."""
    default: str
    """Empty: it is required, or a mapping of keys that have their own."""
    meaning: str


@dataclass(frozen=True, slots=True)
class LaterKey:
    """A key, or some words of one, that a later version takes."""

    path: str
    words: tuple[str, ...]
    """Empty: the key itself."""
    instead: str


def keys_of(model: type[BaseModel], root: str) -> list[Key]:
    """Return the keys of a top-level section, those of its inner sections below them."""
    schema = json_schema(model)
    return list(_keys(schema, schema["properties"][root], ""))


def meaning_of(model: type[BaseModel], root: str) -> str:
    """Return what the documentation of a top-level key says."""
    return str(json_schema(model)["properties"][root].get("description", ""))


def later_of(model: type[Section], path: str = "") -> Iterator[LaterKey]:
    """Yield what a section and those in it know and do not take yet."""
    for key, instead in model.later.items():
        yield LaterKey(_below(path, key), (), instead or "leave it out")
    for key, field in model.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, OffSchema):
                yield LaterKey(_below(path, key), ("true",), "write false, or leave it out")
            if isinstance(mark, OneOf) and mark.later:
                yield LaterKey(_below(path, key), mark.later, mark.hint or "leave it out")
        for step, section in _sections(field.annotation):
            yield from later_of(section, _below(path, key) + step)


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _sections(annotation: Any) -> Iterator[tuple[str, type[Section]]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield "", annotation
        return
    step = {dict: ".*", list: ".*"}.get(get_origin(annotation), "")
    for inner in get_args(annotation):
        for rest, section in _sections(inner):
            yield step + rest, section


def _keys(root: Schema, schema: Schema, path: str) -> Iterator[Key]:
    for holder, steps in _mappings(root, schema):
        for key, field in holder.get("properties", {}).items():
            if steps:  # an entry by its own name has the keys of any other entry
                continue
            below = _below(path, key)
            default = "required" if key in holder.get("required", ()) else _default(field)
            yield Key(below, _kind(root, field), default, str(field.get("description", "")))
            yield from _keys(root, field, below)
        for step in steps:
            entries = holder["additionalProperties" if step == "<name>" else "items"]
            yield from _keys(root, entries, path + step if step == "[]" else _below(path, step))


def _mappings(root: Schema, schema: Schema) -> Iterator[tuple[Schema, list[str]]]:
    """Yield what has keys of its own, or holds what has, at most one of each kind."""
    for arm in _arms(root, schema):
        if isinstance(arm.get("additionalProperties"), dict):
            yield arm, ["<name>"]
        elif arm.get("type") == "array" and isinstance(arm.get("items"), dict):
            yield arm, ["[]"]
        elif "properties" in arm:
            yield arm, []


def _arms(root: Schema, schema: Schema) -> Iterator[Schema]:
    if "$ref" in schema:
        yield from _arms(root, root["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    elif "anyOf" in schema or "allOf" in schema:
        for arm in [*schema.get("anyOf", ()), *schema.get("allOf", ())]:
            yield from _arms(root, arm)
    else:
        yield schema


def _kind(root: Schema, field: Schema) -> str:
    arms = [arm for arm in _arms(root, field) if not _is_variable(arm)]
    patterns = {arm.get("pattern", "") for arm in arms}
    if any(pattern.startswith(DURATION_PATTERN) for pattern in patterns):
        return "duration" + _bounds(arms[0], _duration)
    if any(pattern.startswith(SIZE_PATTERN) for pattern in patterns):
        return "size" + _bounds(arms[0], lambda count: _size(int(count)))
    return " or ".join(dict.fromkeys(word for arm in arms if (word := _word(root, arm))))


def _is_variable(arm: Schema) -> bool:
    return arm.get("pattern") == r"\$\{" and "enum" not in arm


def _word(root: Schema, arm: Schema) -> str:
    if "enum" in arm:
        return ", ".join(f"`{word}`" for word in arm["enum"] if word != "")
    if "const" in arm:
        return f"`{str(arm['const']).lower()}`"
    kind = arm.get("type")
    if kind == "null":
        return ""
    if kind == "array":
        return f"list of {_kind(root, arm['items'])}" if "items" in arm else "list"
    if kind == "object":
        inner = arm.get("additionalProperties")
        return f"mapping of names to {_kind(root, inner)}" if isinstance(inner, dict) else "mapping"
    if isinstance(kind, list):
        return "text, as written"
    if refers := arm.get("x-refers-to"):
        return "name under " + " or ".join(f"`{section}`" for section in refers)
    if kind == "string":
        if begins := re.fullmatch(r"\^([\w:]+)\.", arm.get("pattern", "")):
            return f"`{begins[1]}NAME`"
        return {"password": "secret", "path": "path"}.get(arm.get("format", ""), "text")
    words = {"integer": "whole number", "number": "number", "boolean": "true or false"}
    return words.get(str(kind), "anything") + _bounds(arm)


def _bounds(arm: Schema, told: Callable[[float], str] = "{:g}".format) -> str:
    low, high, above = arm.get("minimum"), arm.get("maximum"), arm.get("exclusiveMinimum")
    if above is not None:
        return f" above {above:g}" + (f", up to {told(high)}" if high is not None else "")
    if high is not None:
        return f" from {told(low or 0)} to {told(high)}"
    return f" from {told(low)}" if low else ""


def _default(field: Schema) -> str:
    default = field.get("default")
    if default is None or isinstance(default, dict):
        return ""
    patterns = [str(arm.get("pattern", "")) for arm in field.get("anyOf", ())]
    if any(pattern.startswith(DURATION_PATTERN) for pattern in patterns) and not isinstance(default, str):
        return f"`{_duration(float(default))}`"
    if any(pattern.startswith(SIZE_PATTERN) for pattern in patterns):
        return f"`{_size(int(default))}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, list):
        return "`[" + ", ".join(map(str, default)) + "]`"
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{default}`" if default != "" else "`''`"


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:g}ms"


def _size(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("MB", 10**6), ("KB", 10**3)):
        if count >= size and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)
