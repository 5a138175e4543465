"""Quantities as people write them: `30s`, `10MB`, `2.0`."""

import re
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "": 1,
    "b": 1,
    **{letter + "b": 1000**power for power, letter in enumerate("kmgt", 1)},
    **{letter + "ib": 1024**power for power, letter in enumerate("kmgt", 1)},
    **{letter + "i": 1024**power for power, letter in enumerate("kmgt", 1)},
    **{letter: 1000**power for power, letter in enumerate("kmgt", 1)},
}
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
DURATION_PATTERN = rf"^(?:{_NUMBER}|(?:{_NUMBER}(?:ms|s|m|h|d))+)$"
SIZE_PATTERN = rf"^{_NUMBER} ?(?:[kKmMgGtT]?[bB]|[kKmMgGtT](?:i[bB]?)?)?$"


def parse_duration(value: object) -> float:
    """Return seconds from `30`, `"30"`, `"250ms"`, `"30s"`, `"5m"`, `"1h30m"` or `"2d"`.

    Raises:
        PydanticCustomError: It is none of these, or negative.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    if isinstance(value, str) and len(value) <= 64 and re.match(DURATION_PATTERN, value):
        parts = re.findall(rf"({_NUMBER})(ms|s|m|h|d)?", value)
        return float(sum(float(number) * _SECONDS[unit or "s"] for number, unit in parts))
    raise PydanticCustomError("duration", 'a duration such as 30, "250ms", "30s", "5m" or "1h30m"')


def parse_size(value: object) -> int:
    """Return bytes from `1024`, `"10MB"` (decimal) or `"1GiB"` (binary).

    Raises:
        PydanticCustomError: It is none of these, negative, or not a whole number of bytes.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and len(value) <= 64 and re.match(SIZE_PATTERN, value):
        number = re.match(_NUMBER, value)
        assert number is not None
        size = float(number[0]) * _BYTES[value[number.end() :].strip().lower()]
        if size == int(size):
            return int(size)
    raise PydanticCustomError("byte_size", 'a size such as 1048576, "10MB" or "1GiB"')


def parse_text(value: object, info: ValidationInfo) -> str:
    """Return a string; a number or boolean counts as its text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        if info.context is not None:
            # Only the file knows that `1.10` was not written `1.1`: the loader asks again with that.
            raise PydanticCustomError("as_written", "a string is needed here")
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise PydanticCustomError("text", "a string is needed here")


class _DurationSchema:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            parse_duration, core_schema.float_schema(strict=False)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        number = {"type": "number", "minimum": 0, **_bounds(schema)}
        return {"anyOf": [number, {"type": "string", "pattern": rf"{DURATION_PATTERN}|\$\{{"}]}


class _SizeSchema:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(parse_size, core_schema.int_schema(strict=False))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        number = {"type": "integer", "minimum": 0, **_bounds(schema)}
        return {"anyOf": [number, {"type": "string", "pattern": rf"{SIZE_PATTERN}|\$\{{"}]}


def _bounds(schema: CoreSchema) -> dict[str, Any]:
    """Return the bounds that `Field` sets, in JSON Schema's words. Those of texts only the loader knows."""
    words = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
    found: dict[str, Any] = {}
    inner: Any = schema
    while isinstance(inner, dict):
        # pydantic checks a bound in a function around ours, and keeps the bound in its keywords.
        bound = getattr((inner.get("function") or {}).get("function"), "keywords", {})
        found |= {words[name]: value for name, value in bound.items() if name in words}
        inner = inner.get("schema")
    return found


class _TextSchema:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(parse_text, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean"]}


Duration = Annotated[float, _DurationSchema()]
"""Seconds, from `30`, `"250ms"`, `"30s"`, `"5m"`, `"1h30m"`, `"2d"`; never negative."""

ByteSize = Annotated[int, _SizeSchema()]
"""Bytes, from `1024`, `"10MB"` (a thousand thousands) or `"1GiB"` (powers of 1024)."""

Text = Annotated[str, _TextSchema()]
"""A string in which an unquoted number counts as what was written: for `env`, labels and `version: 1.0`."""
