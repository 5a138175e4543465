"""Finds, in a model, what belongs at a place of the file.

pydantic names the place of an error with the arms of unions mixed in, and does not say which keys the place
would have taken. Both are read here from the schema that pydantic itself validates with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from hector_config.problem import Path
from hector_config.tree import Map, Node, Scalar

Schema = dict[str, Any]  # a pydantic_core.CoreSchema

_MAPPINGS = {"model-fields": "fields", "typed-dict": "fields", "dataclass-args": "fields"}
_LISTS = {"list", "set", "frozenset", "generator"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an error belongs."""

    path: Path
    """In the file: without the arms of unions."""
    arms: tuple[tuple[Path, str], ...]
    """The unions on the way, as (their path, the arm that was tried)."""
    schemas: tuple[Schema, ...]
    """What may stand there; empty for a key that nothing knows."""
    holders: tuple[Schema, ...]
    """What may stand around it."""
    is_key: bool = False
    """The error is about the key, not about its value."""


class Shape:
    """A model as a map of what belongs where."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._definitions: dict[str, Schema] = {}
        self._classes: dict[int, type[BaseModel]] = {}  # by the identity of a mapping's schema
        self._root: Schema = dict(model.__pydantic_core_schema__)

    def locate(self, loc: tuple[str | int, ...]) -> Place:
        """Return the place that pydantic calls `loc`."""
        path: Path = ()
        arms: list[tuple[Path, str]] = []
        here, around = self._bare(self._root), []
        for step in loc:
            if step == "[key]":
                break
            unions = [schema for schema in here if schema["type"] in ("union", "tagged-union")]
            if unions and len(here) == len(unions):
                arms.append((path, str(step)))
                here = self._arms(unions, str(step))
                continue
            around, here = here, [below for schema in here for below in self._below(schema, step)]
            path = (*path, step)
        return Place(path, tuple(arms), tuple(here), tuple(around), is_key=loc[-1:] == ("[key]",))

    def keys_at(self, schemas: tuple[Schema, ...]) -> list[str]:
        """Return the keys that mappings of these kinds take; nothing when they take any."""
        return list(dict.fromkeys(key for schema in self._flat(schemas) for key in _fields(schema)))

    def later_at(self, schemas: tuple[Schema, ...]) -> dict[str, str]:
        """Return the keys that mappings of these kinds will take in a later version, with what to do now."""
        found: dict[str, str] = {}
        for schema in self._flat(schemas):
            found |= getattr(self._classes.get(id(schema)), "later", {})
        return found

    def tags_of(self, schemas: tuple[Schema, ...]) -> list[str]:
        """Return the kinds that a mapping told apart by a key can be."""
        unions = [schema for schema in schemas if schema["type"] == "tagged-union"]
        return list(dict.fromkeys(name for union in unions for name, _ in _choices(union)))

    def is_secret(self, schemas: tuple[Schema, ...]) -> bool:
        return any(_secret(schema) for schema in self._flat(schemas))

    def secrets_in(self, root: Map) -> Iterator[Scalar]:
        """Yield what the file holds where the model has secrets, whichever arm of a union is meant."""
        yield from self._secrets(root, self._flat([self._root]))

    def _secrets(self, node: Node, schemas: list[Schema]) -> Iterator[Scalar]:
        if isinstance(node, Scalar):
            if any(_secret(schema) for schema in schemas):
                yield node
            return
        children: list[tuple[str | int, Node]] = (
            list(node.entries.items()) if isinstance(node, Map) else list(enumerate(node.items))
        )
        for step, child in children:
            below = [found for schema in schemas for found in self._below(schema, step)]
            if below:
                yield from self._secrets(child, self._flat(below))

    def _below(self, schema: Schema, step: str | int) -> list[Schema]:
        kind = schema["type"]
        if kind in _MAPPINGS:
            field = _fields(schema).get(str(step))
            return self._bare(field["schema"]) if field else []
        if kind == "dict":
            return self._bare(schema.get("values_schema", {"type": "any"}))
        if kind in _LISTS and isinstance(step, int):
            return self._bare(schema.get("items_schema", {"type": "any"}))
        if kind == "tuple" and isinstance(step, int):
            items, many = schema["items_schema"], schema.get("variadic_item_index")
            at = min(step, many) if many is not None else step
            return self._bare(items[at]) if at < len(items) else []
        return []

    def _bare(self, schema: Schema) -> list[Schema]:
        """Return a schema without what only wraps it: defaults, validators, `| None`; unions stay whole."""
        owner: type[BaseModel] | None = None
        while True:
            kind = schema["type"]
            owner = schema["cls"] if kind == "model" else owner
            if kind == "definitions":
                self._definitions |= {found["ref"]: found for found in schema["definitions"]}
                schema = schema["schema"]
            elif kind == "definition-ref":
                schema = self._definitions[schema["schema_ref"]]
            elif kind == "json-or-python":
                schema = schema["json_schema"]
            elif kind == "lax-or-strict":
                schema = schema["strict_schema"]
            elif kind == "chain":
                schema = schema["steps"][-1]
            elif isinstance(schema.get("schema"), dict) and not _secret(schema):
                schema = schema["schema"]
            else:
                if owner is not None and kind == "model-fields":
                    self._classes[id(schema)] = owner
                return [schema]

    def _arms(self, unions: list[Schema], label: str) -> list[Schema]:
        """Return the arms that pydantic calls `label`; all of them when the name is not a plain one."""
        every = [arm for union in unions for arm in _choices(union)]
        named = [schema for name, schema in every if name == label]
        return [bare for schema in named or [schema for _, schema in every] for bare in self._bare(schema)]

    def _flat(self, schemas: tuple[Schema, ...] | list[Schema]) -> list[Schema]:
        """Return bare schemas with every union replaced by its arms."""
        found: list[Schema] = []
        for outer in schemas:
            for schema in self._bare(outer):
                if schema["type"] in ("union", "tagged-union"):
                    found += self._flat([arm for _, arm in _choices(schema)])
                else:
                    found.append(schema)
        return found


def _choices(union: Schema) -> list[tuple[str, Schema]]:
    """Return a union's arms with the names under which pydantic reports their errors."""
    if union["type"] == "tagged-union":
        return [(str(tag), schema) for tag, schema in union["choices"].items()]
    pairs = [choice if isinstance(choice, tuple) else (choice, None) for choice in union["choices"]]
    return [(label or _name(schema), schema) for schema, label in pairs]


def _name(schema: Schema) -> str:
    if schema["type"] == "model":
        return str(schema["cls"].__name__)
    return str(schema["type"])


def _fields(schema: Schema) -> dict[str, Schema]:
    """Return a mapping's fields by the keys they have in a file."""
    if schema["type"] not in _MAPPINGS:
        return {}
    fields = schema["fields"]
    named = fields.items() if isinstance(fields, dict) else [(field["name"], field) for field in fields]
    return {_key(name, field): field for name, field in named}


def _key(name: str, field: Schema) -> str:
    alias = field.get("validation_alias")
    return alias if isinstance(alias, str) else name


def _secret(schema: Schema) -> bool:
    return bool((schema.get("metadata") or {}).get("hector_secret"))
