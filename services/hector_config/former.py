"""Adds the old spellings to a JSON Schema, so that editors accept what the loader accepts."""

from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from typing import Any

from hector_config.spelling import Alias, Reform, Spelling

Schema = dict[str, Any]


def add_aliases(schema: Schema, spellings: Sequence[Spelling]) -> None:
    """Let the schema take every row's old spelling, marked deprecated; not where the new one is not there.

    From the last row to the first: what a row moves is then taken in the spellings of later rows, too.
    """
    for row in reversed(spellings):
        if isinstance(row, Reform):
            _add_form(schema, row)
        elif row.old == row.new:
            _add_words(schema, row)
        else:
            _add_key(schema, row)


def _add_words(schema: Schema, alias: Alias) -> None:
    for target in _at(schema, schema, alias.new.split(".")):
        known = set(_words(schema, target))
        old = [word for word, new in alias.values.items() if new in known]
        if old:
            _also(target, {"enum": old, "deprecated": True})


def _add_key(schema: Schema, alias: Alias) -> None:
    old, new = alias.old.split("."), alias.new.split(".") if alias.new else []
    targets = _at(schema, schema, new) if new else []
    if new and not targets:
        return  # a key that is not there yet: the loader refuses it under either name
    allowed: Schema = {"anyOf": [deepcopy(target) for target in targets]} if targets else {}
    known = {word for target in targets for word in _words(schema, target)}
    if words := [word for word, now in alias.values.items() if now in known]:
        allowed["anyOf"].append({"enum": words})
    if alias.when:
        allowed = {"allOf": [allowed, {"type": "object", "required": list(alias.when)}]}
    allowed = {**allowed, "deprecated": True, "description": _note(alias.new, alias.note)}
    for holder in _places(schema, old[:-1], makes_names=bool(new)):
        _let(holder, old[-1], allowed)
        if old[:-1] == new[:-1] and new[-1] in holder.get("required", ()):
            holder["required"] = [key for key in holder["required"] if key != new[-1]]
            holder.setdefault("allOf", []).append(
                {"anyOf": [{"required": [new[-1]]}, {"required": [old[-1]]}]}
            )


def _add_form(schema: Schema, form: Reform) -> None:
    likes = _at(schema, schema, form.like.split(".")) if form.like else []
    allowed = [*([dict(form.schema)] if form.schema else []), *(deepcopy(like) for like in likes)]
    if not allowed:
        return
    *above, last = form.old.split(".")
    note = {"deprecated": True, "description": _note(form.new, form.note)}
    for holder in _places(schema, above):
        _let(holder, last, {"anyOf": allowed, **note})


def _note(new: str, note: str) -> str:
    now = f"Old spelling of `{new}`." if new else "Has no effect any more."
    return f"{now} {note}".strip()


def _let(holder: Schema, key: str, allowed: Schema) -> None:
    if key == "*":
        slot = "items" if holder.get("type") == "array" else "additionalProperties"
        present = holder.get(slot)
        if isinstance(present, dict):
            _also(present, allowed)
        else:
            holder[slot] = allowed
        return
    properties = holder.setdefault("properties", {})
    if key in properties:
        _also(properties[key], allowed)
    else:
        properties[key] = allowed


def _also(schema: Schema, allowed: Schema) -> None:
    before = dict(schema)
    above: Schema = {
        key: before.pop(key) for key in ("description", "default", "deprecated") if key in before
    }
    schema.clear()
    schema |= above
    schema["anyOf"] = [before, allowed]


def _words(root: Schema, schema: Schema) -> Iterator[object]:
    for inner in _flat(root, schema):
        yield from inner.get("enum", ())
        if "const" in inner:
            yield inner["const"]


def _places(root: Schema, steps: list[str], *, makes_names: bool = True) -> list[Schema]:
    """Return the mappings and lists at a path, each once; they are made where they are not there.

    Unless `makes_names`, what holds entries by name (`*`) must be there already.
    """
    names = 0 if makes_names else len(steps) - [*reversed(steps), "*"].index("*")
    above = _at(root, root, steps[:names])
    found = [place for one in above for place in _at(root, one, steps[names:], make=True)]
    return list({id(holder): holder for place in found for holder in _holders(root, place)}.values())


def _at(root: Schema, schema: Schema, steps: Sequence[str], *, make: bool = False) -> list[Schema]:
    """Return the schemas of what stands at a path; `make` adds the mappings that lead there."""
    if not steps:
        return [schema]
    step, rest = steps[0], steps[1:]
    below: list[Schema] = []
    for holder in _holders(root, schema):
        if step == "*":
            inner = holder.get("additionalProperties", holder.get("items"))
        elif make and holder.get("type") == "object":
            fresh: Schema = {"type": "object", "additionalProperties": False, "minProperties": 1}
            fresh |= {"deprecated": True, "description": "Holds older spellings only."}
            inner = holder.setdefault("properties", {}).setdefault(step, fresh)
            if not _holders(root, inner):
                _also(inner, fresh)
        else:
            inner = holder.get("properties", {}).get(step)
        if isinstance(inner, dict):
            below += _at(root, inner, rest, make=make)
    return below


def _holders(root: Schema, schema: Schema) -> list[Schema]:
    return [inner for inner in _flat(root, schema) if inner.get("type") in ("object", "array")]


def _flat(root: Schema, schema: Schema, seen: Collection[str] = ()) -> list[Schema]:
    """Return what a schema refers to, and the arms of a choice."""
    if "$ref" in schema:
        ref = schema["$ref"]
        return [] if ref in seen else _flat(root, root["$defs"][ref.rsplit("/", 1)[1]], (*seen, ref))
    if "type" not in schema and ("anyOf" in schema or "allOf" in schema):
        arms = [*schema.get("anyOf", ()), *schema.get("allOf", ())]
        return [inner for arm in arms for inner in _flat(root, arm, seen)]
    return [schema]
