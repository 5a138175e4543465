"""A2A messages to ProtoJSON: one function per message type, compiled from its descriptor on first use."""

from base64 import b64encode
from collections.abc import Callable
from keyword import iskeyword
from math import copysign
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from .json_fields import described, enum_of, is_map, is_repeated, is_required, message_of
from .json_values import Json, json_of_list, json_of_struct, json_of_timestamp, json_of_value

Write = Callable[[Any], Json]


def encode(message: Message) -> bytes:
    """Return a message as JSON text, as A2A wants it; see `to_json`."""
    return orjson.dumps(to_json(message))


def to_json(message: Message) -> Json:
    """Return a message as the dict, or whatever else its type is in JSON, that orjson writes.

    camelCase names, enums by name, bytes in base64, times in UTC with milliseconds, Struct and Value as plain
    JSON. Fields with their default value are left out, unless A2A requires them.
    """
    kind = type(message)
    write = _by_type.get(kind)
    if write is None:
        write = _by_type[kind] = _late(described(message))
    return write(message)


_writers: dict[Descriptor, Write] = {}
_by_type: dict[type[Message], Write] = {}


def _compile(descriptor: Descriptor) -> Write:
    """Return a function that reads the fields of one type one by one, as if somebody had written it.

    A loop over the fields that are set takes twice the time, and everything that clients see goes through it.
    """
    special = _SPECIAL.get(descriptor.full_name)
    if special is not None:
        _writers[descriptor] = special
        return special
    known: dict[str, Any] = {"is_set": _is_set}

    def write(message: Any) -> Json:  # until the other one is there: types may hold themselves
        return _writers[descriptor](message)

    _writers[descriptor] = write
    lines = ["def write(message):", "    found = {}"]
    for oneof in descriptor.oneofs:
        if len(oneof.fields) > 1:
            lines.append(f"    kind = message.WhichOneof({oneof.name!r})")
            for number, field in enumerate(oneof.fields):
                lines.append(f"    {'elif' if number else 'if'} kind == {field.name!r}:")
                lines.append(f"        found[{field.json_name!r}] = {_value(field, known)}")
    for field in descriptor.fields:
        if field.containing_oneof is None or len(field.containing_oneof.fields) == 1:
            lines += _lines(field, known)
    source = "\n".join([*lines, "    return found"])
    exec(compile(source, f"<JSON of {descriptor.full_name}>", "exec"), known)  # made of descriptors only
    made: Write = known["write"]
    _writers[descriptor] = made
    return made


def _lines(field: FieldDescriptor, known: dict[str, Any]) -> list[str]:
    """Return the lines that write one field, if it is set or A2A requires it."""
    shown = f"found[{field.json_name!r}] = "
    if field.has_presence:
        return [f"    if message.HasField({field.name!r}):", f"        {shown}{_value(field, known)}"]
    kind = field.cpp_type
    real = kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT) and not is_repeated(field)
    lines = [
        f"    value = {_read(field)}",
        "    if is_set(value):" if real else "    if value:",
        f"        {shown}{_value(field, known, 'value')}",
    ]
    if is_required(field):
        known[f"default_{field.number}"] = _default(field)
        lines += ["    else:", f"        {shown}default_{field.number}()"]
    return lines


def _value(field: FieldDescriptor, known: dict[str, Any], read: str = "") -> str:
    """Return the expression for a field's value, with what it needs in `known`."""
    convert, read = _field_writer(field), read or _read(field)
    if convert is None:
        return read
    name = f"write_{field.number}"
    if is_repeated(field) and not is_map(field):
        item = _scalar_writer(field)
        if item is not None:
            known[name] = item
            return f"[{name}(item) for item in {read}]"
    known[name] = convert
    return f"{name}({read})"


def _read(field: FieldDescriptor) -> str:
    return f"getattr(message, {field.name!r})" if iskeyword(field.name) else f"message.{field.name}"


def _is_set(number: float) -> bool:
    return bool(number) or copysign(1.0, number) < 0


def _field_writer(field: FieldDescriptor) -> Write | None:
    if is_map(field):
        entry = message_of(field).fields_by_name["value"]
        return _map_writer(_scalar_writer(entry))
    convert = _scalar_writer(field)
    return _list_writer(convert) if is_repeated(field) else convert


def _scalar_writer(field: FieldDescriptor) -> Write | None:
    """Return what turns one value of the field into JSON; None where it is JSON already."""
    if field.type in (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_GROUP):
        return _late(message_of(field))
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum_writer(enum_of(field))
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: b64encode(value).decode("ascii")
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return str
    return None


def _late(descriptor: Descriptor) -> Write:
    """Return a writer that may still be in the making."""
    known = _writers.get(descriptor) or _SPECIAL.get(descriptor.full_name)
    return known or _compile(descriptor)


def _enum_writer(enum: EnumDescriptor) -> Write:
    names: dict[int, Json] = {value.number: value.name for value in enum.values}
    return lambda number: names.get(number, number)


def _list_writer(convert: Write | None) -> Write:
    if convert is None:
        return list
    return lambda values: [convert(value) for value in values]


def _map_writer(convert: Write | None) -> Write:
    def write(values: Any) -> Json:
        return {_key(key): value if convert is None else convert(value) for key, value in values.items()}

    return write


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key).lower()


def _default(field: FieldDescriptor) -> Callable[[], Json]:
    if is_map(field):
        return dict
    if is_repeated(field):
        return list
    convert, value = _scalar_writer(field), field.default_value
    shown = value if convert is None else convert(value)
    return lambda: shown


_SPECIAL: dict[str, Write] = {
    "google.protobuf.Struct": json_of_struct,
    "google.protobuf.ListValue": json_of_list,
    "google.protobuf.Value": json_of_value,
    "google.protobuf.Timestamp": json_of_timestamp,
}
