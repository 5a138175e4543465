"""A query string as the JSON of a message, by the rules of ProtoJSON for queries."""

import re
from typing import Any
from urllib.parse import parse_qsl

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from hector_a2a import InvalidParams

MOST_PARAMETERS = 100

_TIMESTAMP = "google.protobuf.Timestamp"
_INTEGER = re.compile(r"-?\d{1,20}", re.ASCII).fullmatch
_BOOLEANS = {"true": True, "false": False}
_INTEGERS = frozenset(
    {
        FieldDescriptor.CPPTYPE_INT32,
        FieldDescriptor.CPPTYPE_INT64,
        FieldDescriptor.CPPTYPE_UINT32,
        FieldDescriptor.CPPTYPE_UINT64,
    }
)


def from_query(text: bytes, descriptor: Descriptor) -> dict[str, Any]:
    """Return what a query says of a message's fields, in camelCase or snake_case.

    Lists are given by repeating, or with commas. What the message does not know is ignored.

    Raises:
        InvalidParams: A value that its field cannot take, or one field twice.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(text.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise InvalidParams({"": f"the query has more than {MOST_PARAMETERS} parameters"}) from None
    names = {name: field for field in descriptor.fields for name in (field.name, field.json_name)}
    found: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for key, value in pairs:
        field = names.get(key)
        if field is None:
            continue
        name = field.json_name
        if field.is_repeated:
            found.setdefault(name, []).extend(value.split(","))
        elif name in found:
            wrong[name] = "may be given once"
        else:
            found[name] = value
            if (complaint := _complaint(field, value)) is not None:
                wrong[name] = complaint
            elif field.type == FieldDescriptor.TYPE_BOOL:
                found[name] = _BOOLEANS[value]
    if wrong:
        raise InvalidParams(wrong)
    return found


def _complaint(field: FieldDescriptor, value: str) -> str | None:
    """Say what is wrong with a value; what is not looked at here, the message's reader looks at."""
    if field.message_type is not None and field.message_type.full_name != _TIMESTAMP:
        return "cannot be given in a query"
    if field.type == FieldDescriptor.TYPE_BOOL and value not in _BOOLEANS:
        return "true or false is needed here"
    if field.cpp_type in _INTEGERS and not _INTEGER(value):
        return "an integer is needed here"
    return None
