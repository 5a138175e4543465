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
    fields = [field for field in descriptor.fields if not _has_rivals(field)]
    always = [field for field in fields if is_required(field) and not field.has_presence]
    shown = ", ".join(f"{field.json_name!r}: {_value(field, known)}" for field in always)
    lines = ["def write(message):", f"    found = {{{shown}}}"]
    for oneof in descriptor.oneofs:
        if len(oneof.fields) > 1:
            lines.append(f"    kind = message.WhichOneof({oneof.name!r})")
            for number, field in enumerate(oneof.fields):
                lines.append(f"    {'elif' if number else 'if'} kind == {field.name!r}:")
                lines.append(f"        found[{field.json_name!r}] = {_value(field, known)}")
    for field in fields:
        if field not in always:
            lines += [
                f"    if {_is_there(field)}:",
                f"        found[{field.json_name!r}] = {_value(field, known)}",
            ]
    source = "\n".join([*lines, "    return found"])
    exec(compile(source, f"<JSON of {descriptor.full_name}>", "exec"), known)  # made of descriptors only
    made: Write = known["write"]
    _writers[descriptor] = made
    return made


def _has_rivals(field: FieldDescriptor) -> bool:
    return field.containing_oneof is not None and len(field.containing_oneof.fields) > 1


def _is_there(field: FieldDescriptor) -> str:
    """Return the expression for whether a field is set."""
    if field.has_presence:
        return f"message.HasField({field.name!r})"
    is_real = field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)
    return f"is_set({_read(field)})" if is_real and not is_repeated(field) else _read(field)


def _value(field: FieldDescriptor, known: dict[str, Any]) -> str:
    """Return the expression for a field's value, with what it needs in `known`."""
    read, name = _read(field), f"write_{field.number}"
    if is_map(field):
        known[name] = _map_writer(_scalar_writer(message_of(field).fields_by_name["value"]))
        return f"{name}({read})"
    convert = _scalar_writer(field)
    if is_repeated(field):  # as a list: the end of protobuf's own is an error that it formats
        known[name] = convert
        return f"list(map({name}, {read}[:]))" if convert else f"{read}[:]"
    if field.type == FieldDescriptor.TYPE_ENUM:
        known[name] = _names(enum_of(field))
        return f"{name}[{read}]"
    known[name] = convert
    return f"{name}({read})" if convert else read


def _read(field: FieldDescriptor) -> str:
    return f"getattr(message, {field.name!r})" if iskeyword(field.name) else f"message.{field.name}"


def _is_set(number: float) -> bool:
    return bool(number) or copysign(1.0, number) < 0


def _scalar_writer(field: FieldDescriptor) -> Write | None:
    """Return what turns one value of the field into JSON; None where it is JSON already."""
    if field.type in (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_GROUP):
        return _late(message_of(field))
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _names(enum_of(field)).__getitem__
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: b64encode(value).decode("ascii")
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return str
    return None


def _late(descriptor: Descriptor) -> Write:
    """Return a writer that may still be in the making."""
    known = _writers.get(descriptor) or _SPECIAL.get(descriptor.full_name)
    return known or _compile(descriptor)


class _Names(dict[int, Json]):
    """Names of an enum's values; a number without one is its own."""

    def __missing__(self, number: int) -> Json:
        return number


def _names(enum: EnumDescriptor) -> _Names:
    return _Names({value.number: value.name for value in enum.values})


def _map_writer(convert: Write | None) -> Write:
    def write(values: Any) -> Json:
        return {_key(key): value if convert is None else convert(value) for key, value in values.items()}

    return write


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key).lower()


_SPECIAL: dict[str, Write] = {
    "google.protobuf.Struct": json_of_struct,
    "google.protobuf.ListValue": json_of_list,
    "google.protobuf.Value": json_of_value,
    "google.protobuf.Timestamp": json_of_timestamp,
}
