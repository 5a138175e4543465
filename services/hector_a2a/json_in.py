"""ProtoJSON to A2A messages: one function per message type, compiled from its descriptor on first use."""

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from .complete import MOST_VIOLATIONS, Violations, demands_of, first_of_each, within
from .errors import InvalidParams
from .json_fields import described, is_map, is_repeated, message_of
from .json_plain import fill_plain
from .json_scalars import parser
from .json_values import FILL, Json, Unfit

M = TypeVar("M", bound=Message)


def decode(data: bytes | str, message_type: type[M], *, complete: bool = True) -> M:
    """Return the message that a JSON text holds; see `from_json`.

    Raises:
        InvalidParams: It is no JSON, or not this message.
    """
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidParams({"": f"this is not JSON: {error}"}) from None
    return from_json(found, message_type, complete=complete)


def from_json(found: Json, message_type: type[M], *, complete: bool = True) -> M:
    """Return the message that a JSON value holds.

    Takes camelCase and snake_case names and ignores names it does not know. Strict about types, enums and
    oneofs. A null is a field left out.

    Args:
        found: What orjson read.
        message_type: The class to make.
        complete: Demand what the contract calls REQUIRED, and that lists so marked are not empty. For
            requests; answers of others are better read as they come.

    Raises:
        InvalidParams: With everything that is wrong, by field.
    """
    if complete:
        message = message_type()
        if fill_plain(message, found):
            return message
    return by_field(found, message_type, complete=complete)


def by_field(found: Json, message_type: type[M], *, complete: bool) -> M:
    """Return the same by looking at one field after the other, which also finds what is wrong."""
    message = message_type()
    violations: Violations = []
    read = _by_type.get((message_type, complete))
    if read is None:
        read = _by_type[message_type, complete] = _late(described(message_type), complete)
    read(message, found, violations)
    if violations:
        raise InvalidParams(first_of_each(violations))
    return message


Read = Callable[[Any, Json, Violations], None]
"""Fills a message from JSON; what is wrong goes to the list, by path within the message."""

_readers: dict[tuple[Descriptor, bool], Read] = {}
_by_type: dict[tuple[type[Message], bool], Read] = {}


def _compile(descriptor: Descriptor, complete: bool) -> Read:
    special = FILL.get(descriptor.full_name)
    if special is not None:
        _readers[descriptor, complete] = read = _special_reader(special)
        return read
    setters: dict[str, Read] = {}
    nullable: set[str] = set()
    checks = demands_of(descriptor) if complete else []

    def read_message(message: Any, found: Json, violations: Violations) -> None:
        if not isinstance(found, dict):
            violations.append(("", "an object is needed here"))
            return
        before = len(violations)
        for name, value in found.items():
            setter = setters.get(name)
            if setter is not None and (value is not None or name in nullable):
                setter(message, value, violations)
        if len(violations) == before:  # else something may seem missing that is only of the wrong type
            for check in checks:
                check(message, violations)

    _readers[descriptor, complete] = read_message  # before its fields: types may hold themselves
    for field in descriptor.fields:
        setters[field.json_name] = setters[field.name] = _setter(field, complete)
        if field.message_type is not None and field.message_type.full_name == "google.protobuf.Value":
            nullable |= {field.json_name, field.name}  # there, null is a value like any other
    return read_message


def _setter(field: FieldDescriptor, complete: bool) -> Read:
    if is_map(field):
        return _map_setter(field, complete)
    if is_repeated(field):
        return _list_setter(field, complete)
    set_one = _one_setter(field, complete)
    oneof = field.containing_oneof
    return _exclusive(field, oneof.name, set_one) if oneof and len(oneof.fields) > 1 else set_one


def _one_setter(field: FieldDescriptor, complete: bool) -> Read:
    name, shown = field.name, field.json_name
    if field.message_type is not None:
        read = _late(message_of(field), complete)

        def set_message(message: Any, value: Json, violations: Violations) -> None:
            inner, before = getattr(message, name), len(violations)
            inner.SetInParent()
            read(inner, value, violations)
            if len(violations) != before:
                within(shown, violations, before)

        return set_message

    parse = parser(field)

    def set_scalar(message: Any, value: Json, violations: Violations) -> None:
        try:
            setattr(message, name, parse(value))
        except Unfit as wrong:
            violations.append((shown, str(wrong)))

    if field.type != FieldDescriptor.TYPE_STRING:
        return set_scalar

    def set_string(message: Any, value: Json, violations: Violations) -> None:
        if type(value) is str:  # the common case, without a call
            setattr(message, name, value)
        else:
            violations.append((shown, "a string is needed here"))

    return set_string


def _exclusive(field: FieldDescriptor, oneof: str, set_one: Read) -> Read:
    name = field.name

    def set_exclusive(message: Any, value: Json, violations: Violations) -> None:
        chosen = message.WhichOneof(oneof)
        if chosen is not None and chosen != name:
            other = message.DESCRIPTOR.fields_by_name[chosen].json_name
            violations.append((field.json_name, f"only one of {other} and {field.json_name} may be set"))
        else:
            set_one(message, value, violations)

    return set_exclusive


def _list_setter(field: FieldDescriptor, complete: bool) -> Read:
    name, shown = field.name, field.json_name
    read = _late(message_of(field), complete) if field.message_type is not None else None
    parse = None if read is not None else parser(field)

    def set_list(message: Any, value: Json, violations: Violations) -> None:
        if not isinstance(value, list):
            violations.append((shown, "an array is needed here"))
            return
        into = getattr(message, name)
        for index, item in enumerate(value):
            before = len(violations)
            if read is not None:
                read(into.add(), item, violations)
            elif parse is not None:
                try:
                    into.append(parse(item))
                except Unfit as wrong:
                    violations.append(("", str(wrong)))
            if len(violations) != before:
                within(f"{shown}[{index}]", violations, before)
                if len(violations) >= MOST_VIOLATIONS:
                    return

    return set_list


def _map_setter(field: FieldDescriptor, complete: bool) -> Read:
    name, shown = field.name, field.json_name
    entry = message_of(field).fields_by_name["value"]
    read = _late(message_of(entry), complete) if entry.message_type is not None else None
    parse = None if read is not None else parser(entry)

    def set_map(message: Any, value: Json, violations: Violations) -> None:
        if not isinstance(value, dict):
            violations.append((shown, "an object is needed here"))
            return
        into = getattr(message, name)
        for key, item in value.items():
            before = len(violations)
            if read is not None:
                read(into[key], item, violations)
            elif parse is not None:
                try:
                    into[key] = parse(item)
                except Unfit as wrong:
                    violations.append(("", str(wrong)))
            if len(violations) != before:
                within(f"{shown}[{key!r}]", violations, before)
                if len(violations) >= MOST_VIOLATIONS:
                    return

    return set_map


def _late(descriptor: Descriptor, complete: bool) -> Read:
    """Return a reader that may still be in the making."""
    return _readers.get((descriptor, complete)) or _compile(descriptor, complete)


def _special_reader(fill: Callable[[Any, Json], None]) -> Read:
    def read(message: Any, found: Json, violations: Violations) -> None:
        try:
            fill(message, found)
        except Unfit as wrong:
            violations.append(("", str(wrong)))

    return read
