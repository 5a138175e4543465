"""A short way for plain JSON: a function for each set of names that clients send, made when it first comes.

What is not plain (a name in two spellings or that means nothing here, a null, whatever is wrong) goes the
long way from its beginning, which says what is wrong with it: see `json_in`.
"""

from collections.abc import Callable
from keyword import iskeyword
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from .json_fields import described, enum_of, is_map, is_repeated, is_required, message_of
from .json_scalars import parser
from .json_values import FILL, Json

MOST_SHAPES = 64
"""Sets of names of one type that get a function. Clients have few; who tries many goes the long way."""

NOT_PLAIN = (KeyError, TypeError, ValueError, AttributeError)
"""How a function says that JSON is not what it was made for."""

Fill = Callable[[Any, Json], None]
"""Writes JSON into an empty message, or raises one of these."""


def fill_plain(message: Message, found: Json) -> bool:
    """Write JSON into an empty message, whole as the contract demands.

    Returns:
        False: it is not plain, and the message is of no use any more.
    """
    kind = type(message)
    fill = _by_type.get(kind)
    if fill is None:
        fill = _by_type[kind] = _late(described(message))
    try:
        fill(message, found)
    except NOT_PLAIN:
        return False
    return True


_fillers: dict[Descriptor, Fill] = {}
_by_type: dict[type[Message], Fill] = {}


def _late(descriptor: Descriptor) -> Fill:
    return _fillers.get(descriptor) or _compile(descriptor)


def _compile(descriptor: Descriptor) -> Fill:
    """Return what finds the function for an object's names, and has it fill the message."""
    shapes: dict[tuple[str, ...], Fill] = {}
    ours = {name for field in descriptor.fields for name in (field.json_name, field.name)}

    def fill(message: Any, found: Json) -> None:
        names = tuple(found.keys())
        shape = shapes.get(names)
        if shape is None:
            if len(shapes) >= MOST_SHAPES or not ours.issuperset(names):
                raise TypeError  # nothing is kept that strangers made up
            shape = shapes[names] = _shape(descriptor, names)
        shape(message, found)

    _fillers[descriptor] = made = FILL.get(descriptor.full_name, fill)
    return made


def _shape(descriptor: Descriptor, names: tuple[str, ...]) -> Fill:
    """Return a function that reads objects with just these names, as if somebody had written it."""
    fields = {name: field for field in descriptor.fields for name in (field.json_name, field.name)}
    there = [(name, fields[name]) for name in names]
    numbers = {field.number for _, field in there}
    missing = [field for field in descriptor.fields if is_required(field) and field.number not in numbers]
    choices = [oneof.fields for oneof in descriptor.oneofs if len(oneof.fields) > 1]
    undecided = [one for one in choices if sum(field.number in numbers for field in one) != 1]
    strange = [field for _, field in there if is_map(field) or iskeyword(field.name)]
    if missing or undecided or strange or len(numbers) < len(there):
        return _not_plain
    known: dict[str, Any] = {}
    lines = ["def fill(message, found):", "    pass"]
    for name, field in there:
        lines += [f"    {line}" for line in _lines(name, field, known)]
    exec(compile("\n".join(lines), f"<JSON to {descriptor.full_name}>", "exec"), known)  # of our names only
    made: Fill = known["fill"]
    return made


def _not_plain(_: Any, __: Json) -> None:
    raise TypeError


def _lines(name: str, field: FieldDescriptor, known: dict[str, Any]) -> list[str]:
    """Return the lines that read one field, with what they need in `known`."""
    into, value, read = f"message.{field.name}", f"found[{name!r}]", f"read_{field.number}"
    is_text = field.type == FieldDescriptor.TYPE_STRING  # of which protobuf looks at the type itself
    if field.message_type is not None:
        known[read] = _late(message_of(field))
    elif field.type == FieldDescriptor.TYPE_ENUM:
        known[read] = {one.name: one.number for one in enum_of(field).values if one.number}.__getitem__
    else:
        known[read] = parser(field)
    if is_repeated(field):
        empty = " or not values" if is_required(field) else ""
        lines = [f"values = {value}", f"if type(values) is not list{empty}: raise TypeError"]
        if field.message_type is not None:
            return [*lines, f"add = {into}.add", f"for value in values: {read}(add(), value)"]
        return [*lines, f"{into}.extend({'values' if is_text else f'map({read}, values)'})"]
    if field.message_type is not None:
        return [f"{into}.SetInParent()", f"{read}({into}, {value})"]
    otherwise = " or None" if is_required(field) else ""  # which no field takes
    return [f"{into} = {value if is_text else f'{read}({value})'}{otherwise}"]
