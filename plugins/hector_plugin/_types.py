"""Type hints as JSON Schema, and JSON values as what the hints promise."""

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin


class Secret(str):
    """A text that is never shown: in a configuration's schema it is `writeOnly`, and its repr hides it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')"


class UnknownHint(TypeError):
    """A type hint that JSON Schema cannot say."""

    def __init__(self, what: str, hint: object) -> None:
        known = "str, int, float, bool, list, dict, Literal, Enum, Optional, a dataclass, Secret, Any"
        super().__init__(f"{what} is annotated with {hint!r}, which has no JSON Schema (there are: {known})")


_PLAIN: Mapping[Any, Mapping[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    list: {"type": "array"},
    Any: {},
}


def schema_of(hint: Any, what: str = "a value") -> dict[str, Any]:
    """Return the JSON Schema of a type hint.

    Args:
        hint: The type; `Annotated[str, "About it."]` adds a description, and `Annotated[int, {"minimum": 0}]`
            keywords.
        what: What has the hint, for the error.

    Raises:
        UnknownHint: It has none.
    """
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Annotated:
        schema = schema_of(inside[0], what)
        for note in inside[1:]:
            schema |= {"description": note} if isinstance(note, str) else dict(note)
        return schema
    if hint is Secret:
        return {"type": "string", "writeOnly": True}
    if hint in _PLAIN:
        return dict(_PLAIN[hint])
    if origin is tuple and inside and inside[1:] != (...,):
        places = [schema_of(one, what) for one in inside]
        return {"type": "array", "prefixItems": places, "minItems": len(places), "maxItems": len(places)}
    if origin in (list, Sequence, tuple, set, frozenset):
        return {"type": "array", **({"items": schema_of(inside[0], what)} if inside else {})}
    if origin in (dict, Mapping):
        below = schema_of(inside[1], what) if inside else {}
        return {"type": "object", **({"additionalProperties": below} if below else {})}
    if origin is Literal:
        return {"enum": list(inside)}
    if origin in (Union, types.UnionType):
        return _one_of(inside, what)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    if dataclasses.is_dataclass(hint):
        return _fields(typing.cast("type", hint))
    raise UnknownHint(what, hint)


def object_schema(properties: Mapping[str, dict[str, Any]], required: Sequence[str]) -> dict[str, Any]:
    """Return the schema of an object that has these properties and no others."""
    schema: dict[str, Any] = {"type": "object", "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return schema | {"additionalProperties": False}


def value_of(hint: Any, value: Any) -> Any:
    """Return a JSON value, which the hint's schema has found good, as the hint promises.

    Raises:
        ValueError: A dataclass refuses it in its `__post_init__`.
        OverflowError: It is a number that no float holds.
    """
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return value_of(inside[0], value)
    if hint is float and isinstance(value, int):
        return float(value)
    if hint is int and isinstance(value, float):
        return int(value)
    if hint is Secret:
        return Secret(value)
    if origin is tuple and inside and inside[1:] != (...,):
        return tuple(map(value_of, inside, value))
    if origin in (list, Sequence, tuple, set, frozenset) and inside:
        make: Callable[[Any], Any] = list if origin is Sequence else typing.cast("Any", origin)
        return make(value_of(inside[0], one) for one in value)
    if origin in (dict, Mapping) and inside:
        return {name: value_of(inside[1], one) for name, one in value.items()}
    if origin in (Union, types.UnionType):
        return _first_fit(inside, value)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        return typing.cast("type", hint)(**{name: value_of(hints[name], one) for name, one in value.items()})
    return value


def written(value: Any, **how: Any) -> str:
    """Return as JSON what a hint can say: enums by their values, sets as lists."""
    return json.dumps(value, default=_plain, **how)


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)  # the same each time
    raise TypeError(f"{type(value).__name__} is nothing that JSON can say")


def _one_of(hints: Sequence[Any], what: str) -> dict[str, Any]:
    schemas = [schema_of(hint, what) for hint in hints]
    if all(set(schema) == {"type"} for schema in schemas):
        return {"type": [schema["type"] for schema in schemas]}
    return {"anyOf": schemas}


def _first_fit(hints: Sequence[Any], value: Any) -> Any:
    from ._json_schema import problems

    for hint in hints:
        if not problems(value, schema_of(hint)):
            return value_of(hint, value)
    return value


def _fields(cls: type) -> dict[str, Any]:
    from ._docstring import documented

    hints = typing.get_type_hints(cls, include_extras=True)
    about = documented(cls).arguments
    properties, required = {}, []
    for field in dataclasses.fields(cls):
        schema = schema_of(hints[field.name], f"{cls.__name__}.{field.name}")
        if field.name in about:
            schema.setdefault("description", about[field.name])
        if field.default is not dataclasses.MISSING:
            if not schema.get("writeOnly") and isinstance(field.default, str | int | float | bool):
                schema["default"] = field.default
        elif field.default_factory is dataclasses.MISSING:
            required.append(field.name)
        properties[field.name] = schema
    return object_schema(properties, required)
