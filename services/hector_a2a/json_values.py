"""google.protobuf's Struct, Value and Timestamp, and what JSON makes of them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

Json: TypeAlias = Any
"""What orjson reads and writes: dict, list, str, int, float, bool, None."""

MAX_DEPTH = 28
"""Levels of nested objects and arrays in a Struct. Each takes three of the hundred levels of messages that
protobuf can read back, and a message may sit a dozen levels deep itself."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = 2.0**53
"""From here on a double skips integers."""

# The bounds of google.protobuf.Timestamp: years 1 to 9999.
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
).fullmatch


class Unfit(ValueError):
    """A JSON value that a field cannot take; says what it takes."""


def json_of_struct(struct: Struct) -> dict[str, Json]:
    found, fields = {}, struct.fields
    for name in fields:  # `items()` is slow Python; and most values are text
        value = fields[name]
        found[name] = value.string_value if value.HasField("string_value") else json_of_value(value)
    return found


def json_of_list(values: ListValue) -> list[Json]:
    return [json_of_value(value) for value in values.values]


def json_of_value(value: Value) -> Json:
    kind = value.WhichOneof("kind")
    read = _READERS.get(kind) if kind else None
    return read(value) if read else None


def _number(value: Value) -> int | float:
    # JSON has one kind of number: who sent 3 gets 3 back, and not 3.0.
    number = value.number_value
    if not (number.is_integer() and -_EXACT < number < _EXACT):
        return number
    whole = int(number)
    return whole if whole or str(number) == "0.0" else number  # and who sent -0.0 gets that


_READERS: dict[str, Callable[[Value], Json]] = {
    "string_value": lambda value: value.string_value,
    "number_value": _number,
    "bool_value": lambda value: value.bool_value,
    "struct_value": lambda value: json_of_struct(value.struct_value),
    "list_value": lambda value: json_of_list(value.list_value),
}


def fill_struct(struct: Struct, found: Json, depth: int = 0) -> None:
    """Write a JSON object into a Struct.

    Raises:
        Unfit: It is no object, or nested too deep.
    """
    if not isinstance(found, dict):
        raise Unfit("an object is needed here")
    struct.SetInParent()
    fields = struct.fields
    for name, item in found.items():
        fill_value(fields[name], item, depth + 1)


def fill_list(values: ListValue, found: Json, depth: int = 0) -> None:
    """Write a JSON array into a ListValue; raises as `fill_struct` does."""
    if not isinstance(found, list):
        raise Unfit("an array is needed here")
    values.SetInParent()
    add = values.values.add
    for item in found:
        fill_value(add(), item, depth + 1)


def fill_value(value: Value, found: Json, depth: int = 0) -> None:
    """Write anything that JSON can hold into a Value; raises as `fill_struct` does."""
    if isinstance(found, str):
        value.string_value = found
    elif found is None:
        value.null_value = 0  # type: ignore[assignment]  # NULL_VALUE, the enum's only one
    elif isinstance(found, bool):
        value.bool_value = found
    elif isinstance(found, int | float):
        value.number_value = found
    elif depth >= MAX_DEPTH:
        raise Unfit(f"nested deeper than {MAX_DEPTH} levels")
    elif isinstance(found, dict):
        fill_struct(value.struct_value, found, depth)
    else:
        fill_list(value.list_value, found, depth)


def json_of_timestamp(time: Timestamp) -> str:
    """Return `2026-01-31T12:00:00.000Z`: always UTC, always milliseconds."""
    return f"{_second(time.seconds)}.{time.nanos // 1_000_000:03}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")


def fill_timestamp(time: Timestamp, found: Json) -> None:
    """Write an RFC 3339 time of any offset into a Timestamp.

    Raises:
        Unfit: It is none.
    """
    match = _TIMESTAMP(found) if isinstance(found, str) else None
    if match is None:
        raise Unfit('a time such as "2026-01-31T12:00:00.000Z" is needed here')
    day, clock, fraction, sign, hours, minutes = match.groups()
    try:
        seconds = int((datetime.fromisoformat(f"{day}T{clock}+00:00") - _EPOCH).total_seconds())
    except ValueError:
        raise Unfit("there is no such day or time") from None
    if sign:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += -offset if sign == "+" else offset
    if not FIRST_SECOND <= seconds <= LAST_SECOND:
        raise Unfit("a time between the years 1 and 9999 is needed here")
    time.SetInParent()
    time.seconds, time.nanos = seconds, int((fraction or "").ljust(9, "0"))


FILL: dict[str, Callable[[Any, Json], None]] = {
    "google.protobuf.Struct": fill_struct,
    "google.protobuf.ListValue": fill_list,
    "google.protobuf.Value": fill_value,
    "google.protobuf.Timestamp": fill_timestamp,
}
"""What JSON is written into these types by."""
