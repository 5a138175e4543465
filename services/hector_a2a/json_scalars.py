"""Single values of ProtoJSON: strings, numbers, booleans, bytes, enums; each strict about its type."""

import binascii
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from .json_fields import enum_of
from .json_values import Json, Unfit

Parse = Callable[[Json], Any]
"""Turns JSON into one value of a field; raises Unfit."""


def parser(field: FieldDescriptor) -> Parse:
    """Return what reads one value of a field that holds no message."""
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum_parser(enum_of(field))
    return _PARSERS[field.type]


def _enum_parser(enum: EnumDescriptor) -> Parse:
    numbers = {value.name: value.number for value in enum.values}
    known = set(numbers.values())
    allowed = ", ".join(name for name, number in numbers.items() if number)

    def parse(found: Json) -> int:
        number = numbers.get(found) if isinstance(found, str) else found
        if isinstance(number, bool) or not isinstance(number, int) or number not in known:
            raise Unfit(f"one of {allowed} is needed here")
        return number

    return parse


def _string(found: Json) -> str:
    if not isinstance(found, str):
        raise Unfit("a string is needed here")
    return found


def _bool(found: Json) -> bool:
    if not isinstance(found, bool):
        raise Unfit("true or false is needed here")
    return found


def _bytes(found: Json) -> bytes:
    text = _string(found)
    try:
        # Both alphabets, with or without padding, as ProtoJSON demands of its readers.
        plain = text.translate(_PLAIN_BASE64).rstrip("=")
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Unfit("base64 is needed here") from None


_PLAIN_BASE64 = str.maketrans("-_", "+/")


def _integer(low: int, high: int) -> Parse:
    def parse(found: Json) -> int:
        try:
            number = int(found)
            if isinstance(found, bool) or (isinstance(found, float) and number != found):
                raise ValueError
        except (ValueError, TypeError, OverflowError):
            raise Unfit("an integer is needed here") from None
        if not low <= number <= high:
            raise Unfit(f"an integer from {low} to {high} is needed here")
        return number

    return parse


def _float(found: Json) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        raise Unfit("a number is needed here")
    try:
        return float(found)
    except ValueError:
        raise Unfit("a number is needed here") from None


_INT32, _UINT32 = _integer(-(2**31), 2**31 - 1), _integer(0, 2**32 - 1)
_INT64, _UINT64 = _integer(-(2**63), 2**63 - 1), _integer(0, 2**64 - 1)
_PARSERS: dict[int, Parse] = {
    FieldDescriptor.TYPE_STRING: _string,
    FieldDescriptor.TYPE_BOOL: _bool,
    FieldDescriptor.TYPE_BYTES: _bytes,
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_DOUBLE: _float,
    FieldDescriptor.TYPE_FLOAT: _float,
}
