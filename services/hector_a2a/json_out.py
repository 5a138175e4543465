"""A2A messages to ProtoJSON: one function per message type, compiled from its descriptor on first use."""

from base64 import b64encode
from collections.abc import Callable
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
    special = _SPECIAL.get(descriptor.full_name)
    if special is not None:
        _writers[descriptor] = special
        return special
    table: dict[int, tuple[str, Write | None]] = {}
    absent: list[tuple[str, Callable[[], Json]]] = []

    def write(message: Any) -> Json:
        found: dict[str, Json] = {}
        for field, value in message.ListFields():
            name, convert = table[field.number]
            found[name] = value if convert is None else convert(value)
        for name, default in absent:
            if name not in found:
                found[name] = default()
        return found

    _writers[descriptor] = write  # before its fields: types may hold themselves
    for field in descriptor.fields:
        table[field.number] = (field.json_name, _field_writer(field))
        if is_required(field) and not field.has_presence:
            absent.append((field.json_name, _default(field)))
    return write


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
