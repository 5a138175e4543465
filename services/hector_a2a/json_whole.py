"""Messages to JSON with nothing left out, for scripts: empty lists, zeros, and counts as numbers."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from .json_fields import described, enum_of, is_repeated
from .json_out import to_json


def to_whole_json(message: Message) -> dict[str, Any]:
    """Return a message as `to_json` does, but with all of its fields that are not messages themselves.

    Whole numbers of 64 bits are numbers too, where ProtoJSON has strings: for counts, which stay far below
    what scripts can hold. For messages without maps.
    """
    found: dict[str, Any] = {}
    for field in described(message).fields:
        value = getattr(message, field.name)
        if is_repeated(field):
            found[field.json_name] = [_value(field, one) for one in value]
        elif field.message_type is None or message.HasField(field.name):
            found[field.json_name] = _value(field, value)
    return found


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.enum_type is not None:
        return enum_of(field).values_by_number[value].name
    if field.message_type is None:
        return value
    is_googles = field.message_type.full_name.startswith("google.protobuf.")  # each has a JSON of its own
    return to_json(value) if is_googles else to_whole_json(value)
