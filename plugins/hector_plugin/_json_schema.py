"""Checks JSON values against JSON Schema, and schemas themselves: the part of it that plugins use.

Not a whole implementation: `$ref` other than to the same document's `$defs` and a few rare keywords are
taken as fulfilled. The host checks again, with a whole one or not; here the point is to say what is wrong.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: _is_number(value),
    "integer": lambda value: _is_number(value) and value == math.floor(value),
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong with a value or a schema."""

    path: str
    """JSON pointer to it; "" is the whole."""
    message: str
    """What was found, and what is allowed. Never holds the value of a string."""

    def __str__(self) -> str:
        return f"{self.path or 'it'}: {self.message}"


def problems(value: Any, schema: Schema | bool) -> list[Wrong]:
    """Return everything that is wrong with a value."""
    return list(_check(value, schema, "", schema if isinstance(schema, Mapping) else {}, 0))


def problems_of_schema(schema: Any) -> list[Wrong]:
    """Return everything that makes a schema none."""
    return list(_schema(schema, ""))


def kind_of(value: Any) -> str:
    """Name a value's type, as JSON Schema calls it."""
    for name in ("object", "array", "string", "boolean", "null", "integer", "number"):
        if TYPES[name](value):
            return name
    return "no number" if isinstance(value, float) else type(value).__name__


def _check(value: Any, schema: Schema | bool, path: str, root: Schema, depth: int) -> Iterator[Wrong]:
    if schema is True or depth > 100:
        return
    if schema is False:
        yield Wrong(path, "nothing is allowed here")
        return
    if reference := schema.get("$ref"):
        target = _resolved(reference, root)
        if target is not None:
            yield from _check(value, target, path, root, depth + 1)
    wanted = schema.get("type")
    if wanted is not None:
        names = [wanted] if isinstance(wanted, str) else list(wanted)
        if not any(name in TYPES and TYPES[name](value) for name in names):
            yield Wrong(path, f"found {kind_of(value)}, allowed: {' or '.join(names)}")
            return
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        yield Wrong(path, f"allowed: {', '.join(map(repr, schema['enum']))}")
    if "const" in schema and not _same(value, schema["const"]):
        yield Wrong(path, f"allowed: {schema['const']!r}")
    if isinstance(value, dict):
        yield from _object(value, schema, path, root, depth)
    elif isinstance(value, list):
        yield from _array(value, schema, path, root, depth)
    elif isinstance(value, str):
        yield from _string(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, path)
    yield from _combined(value, schema, path, root, depth)


def _object(value: Mapping[str, Any], schema: Schema, path: str, root: Schema, depth: int) -> Iterator[Wrong]:
    known: Mapping[str, Any] = schema.get("properties", {})
    patterns: Mapping[str, Any] = schema.get("patternProperties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield Wrong(f"{path}/{pointed(name)}", "is required")
    for name, inside in value.items():
        at = f"{path}/{pointed(name)}"
        applied = False
        if name in known:
            applied = True
            yield from _check(inside, known[name], at, root, depth + 1)
        for pattern, below in patterns.items():
            if re.search(pattern, name):
                applied = True
                yield from _check(inside, below, at, root, depth + 1)
        if not applied and (extra := schema.get("additionalProperties", True)) is not True:
            if extra is False:
                yield Wrong(at, f"is not known; there are: {', '.join(known) or 'none'}")
            else:
                yield from _check(inside, extra, at, root, depth + 1)
    yield from _between(
        len(value), schema.get("minProperties"), schema.get("maxProperties"), path, "properties"
    )


def _array(value: list[Any], schema: Schema, path: str, root: Schema, depth: int) -> Iterator[Wrong]:
    first = schema.get("prefixItems", ())
    for number, inside in enumerate(value):
        below = first[number] if number < len(first) else schema.get("items", True)
        yield from _check(inside, below, f"{path}/{number}", root, depth + 1)
    yield from _between(len(value), schema.get("minItems"), schema.get("maxItems"), path, "items")
    if schema.get("uniqueItems") and any(
        _same(one, other) for at, one in enumerate(value) for other in value[:at]
    ):
        yield Wrong(path, "items must differ from each other")


def _string(value: str, schema: Schema, path: str) -> Iterator[Wrong]:
    yield from _between(len(value), schema.get("minLength"), schema.get("maxLength"), path, "characters")
    pattern = schema.get("pattern")
    if pattern is not None and not re.search(pattern, value):
        yield Wrong(path, f"does not match {pattern}")


def _number(value: float, schema: Schema, path: str) -> Iterator[Wrong]:
    for keyword, word, good in (
        ("minimum", "at least", lambda limit: value >= limit),
        ("maximum", "at most", lambda limit: value <= limit),
        ("exclusiveMinimum", "more than", lambda limit: value > limit),
        ("exclusiveMaximum", "less than", lambda limit: value < limit),
        ("multipleOf", "a multiple of", lambda limit: _is_multiple(value, limit)),
    ):
        if keyword in schema and not good(schema[keyword]):
            yield Wrong(path, f"found {value}, allowed: {word} {schema[keyword]}")


def _is_number(value: Any) -> bool:
    # JSON has no NaN and no infinity, but Python reads them, and 1e999 as one.
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_multiple(value: float, of: float) -> bool:
    if isinstance(value, int) and isinstance(of, int):
        return value % of == 0  # a number of any length: it may be none that a float can hold
    try:
        return math.isclose(value / of, round(value / of))
    except OverflowError:
        return False


def _combined(value: Any, schema: Schema, path: str, root: Schema, depth: int) -> Iterator[Wrong]:
    def fits(one: Schema | bool) -> bool:
        return next(_check(value, one, path, root, depth + 1), None) is None

    for below in schema.get("allOf", ()):
        yield from _check(value, below, path, root, depth + 1)
    if "anyOf" in schema and not any(map(fits, schema["anyOf"])):
        yield Wrong(path, "is none of what is allowed")
    if "oneOf" in schema and sum(map(fits, schema["oneOf"])) != 1:
        yield Wrong(path, "must be exactly one of what is allowed")
    if "not" in schema and fits(schema["not"]):
        yield Wrong(path, "is what is not allowed")


def _between(count: int, least: int | None, most: int | None, path: str, what: str) -> Iterator[Wrong]:
    if least is not None and count < least:
        yield Wrong(path, f"found {count} {what}, allowed: at least {least}")
    if most is not None and count > most:
        yield Wrong(path, f"found {count} {what}, allowed: at most {most}")


def _same(one: Any, other: Any) -> bool:
    return kind_of(one) == kind_of(other) and bool(one == other)


def _resolved(reference: Any, root: Schema) -> Any:
    found: Any = root
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    for name in filter(None, reference[1:].split("/")):
        plain = name.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or plain not in found:
            return None
        found = found[plain]
    return found


def pointed(name: str) -> str:
    """Return a property's name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


_BELOW = ("items", "additionalProperties", "not", "contains", "propertyNames")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")


def _schema(schema: Any, path: str) -> Iterator[Wrong]:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield Wrong(path, f"found {kind_of(schema)}, allowed: an object (a JSON Schema)")
        return
    wanted = schema.get("type", [])
    names = wanted if isinstance(wanted, list) else [wanted]
    if unknown := [name for name in names if not isinstance(name, str) or name not in TYPES]:
        yield Wrong(f"{path}/type", f"{unknown[0]!r} is no type; there are: {', '.join(TYPES)}")
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        yield Wrong(f"{path}/required", "must be a list of names")
    if "enum" in schema and not isinstance(schema["enum"], list):
        yield Wrong(f"{path}/enum", "must be a list")
    for keyword in _COUNTS:
        if keyword in schema and not (TYPES["integer"](schema[keyword]) and schema[keyword] >= 0):
            yield Wrong(f"{path}/{keyword}", "must be a number that is not negative")
    for keyword in _NUMBERS:
        if keyword in schema and not TYPES["number"](schema[keyword]):
            yield Wrong(f"{path}/{keyword}", "must be a number")
    if "pattern" in schema:
        try:
            re.compile(schema["pattern"])
        except (re.error, TypeError):
            yield Wrong(f"{path}/pattern", "must be a regular expression")
    for keyword in _BELOW:
        if keyword in schema:
            yield from _schema(schema[keyword], f"{path}/{keyword}")
    for keyword in _LISTS:
        if keyword in schema and not (isinstance(schema[keyword], list) and schema[keyword]):
            yield Wrong(f"{path}/{keyword}", "must be a list of schemas")
            continue
        for number, below in enumerate(schema.get(keyword, ())):
            yield from _schema(below, f"{path}/{keyword}/{number}")
    for keyword in _MAPS:
        if keyword in schema and not isinstance(schema[keyword], dict):
            yield Wrong(f"{path}/{keyword}", "must be an object of schemas")
            continue
        for name, below in schema.get(keyword, {}).items():
            yield from _schema(below, f"{path}/{keyword}/{pointed(name)}")
