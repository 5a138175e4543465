"""Adds the old spellings to a JSON Schema, so that editors accept what the loader accepts."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from hector_config.spelling import Alias

Schema = dict[str, Any]


def add_aliases(schema: Schema, aliases: Sequence[Alias]) -> None:
    """Let the schema take every row's old spelling, marked deprecated."""
    for alias in aliases:
        old, new = alias.old.split("."), alias.new.split(".") if alias.new else []
        targets = _at(schema, schema, new) if new else []
        if alias.old == alias.new:
            for target in targets:
                _also(target, {"enum": list(alias.values), "deprecated": True} if alias.values else {})
            continue
        allowed = {"anyOf": [deepcopy(target) for target in targets], "deprecated": True} if targets else {}
        for holder in _at(schema, schema, old[:-1], make=True):
            _add_key(holder, old[-1], {**allowed, "description": _note(alias)})
            if old[:-1] == new[:-1] and new[-1] in holder.get("required", ()):
                holder["required"] = [key for key in holder["required"] if key != new[-1]]
                holder.setdefault("allOf", []).append(
                    {"anyOf": [{"required": [new[-1]]}, {"required": [old[-1]]}]}
                )


def _note(alias: Alias) -> str:
    now = f"Old spelling of `{alias.new}`." if alias.new else "Has no effect any more."
    return f"{now} {alias.note}".strip()


def _add_key(holder: Schema, key: str, allowed: Schema) -> None:
    if key == "*":
        return  # a row about every entry of a section adds no key
    properties = holder.setdefault("properties", {})
    if key in properties:
        _also(properties[key], allowed)
    else:
        properties[key] = allowed


def _also(schema: Schema, allowed: Schema) -> None:
    before = dict(schema)
    schema.clear()
    schema["anyOf"] = [before, allowed]


def _at(root: Schema, schema: Schema, steps: list[str], *, make: bool = False) -> list[Schema]:
    """Return the schemas of what stands at a path; `make` adds the mappings that lead there."""
    found = [inner for inner in _flat(root, schema) if inner.get("type") in ("object", "array") or not steps]
    if not steps:
        return found
    step, rest = steps[0], steps[1:]
    below: list[Schema] = []
    for holder in found:
        if step == "*":
            inner = holder.get("additionalProperties", holder.get("items"))
        elif make and holder.get("type") == "object" and "additionalProperties" in holder:
            fresh: Schema = {"type": "object", "additionalProperties": False, "properties": {}}
            inner = holder.setdefault("properties", {}).setdefault(step, fresh)
        else:
            inner = holder.get("properties", {}).get(step)
        if isinstance(inner, dict):
            below += _at(root, inner, rest, make=make)
    return below


def _flat(root: Schema, schema: Schema) -> list[Schema]:
    """Return what a schema refers to, and the arms of a choice."""
    if "$ref" in schema:
        return _flat(root, root["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    if "anyOf" in schema and "type" not in schema:
        return [inner for arm in schema["anyOf"] for inner in _flat(root, arm)]
    return [schema]
