"""Our JSON and protobuf's own, over every message of the contract and whatever hypothesis finds to put in."""

import json
from base64 import b64encode
from typing import Any

import orjson
import pytest
from a2a.types import a2a_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hector_a2a import InvalidParams
from hector_a2a.json_fields import is_map, is_repeated
from hector_a2a.json_in import by_field, decode, from_json
from hector_a2a.json_out import encode, to_json
from hector_a2a.json_values import MAX_DEPTH

settings.register_profile(
    "ours",
    derandomize=True,  # the same in every run
    database=None,
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("ours")

TYPES: list[type[Message]] = [
    GetMessageClass(one) for one in a2a_pb2.DESCRIPTOR.message_types_by_name.values()
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -0.0, 2.0**53, 2.0**53 + 2, 1e308, 5e-324, 1e22, -1]),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)
TIMES = st.tuples(st.integers(-62_135_596_800, 253_402_300_799), st.integers(0, 999))
SPECIAL = {
    "google.protobuf.Struct": st.dictionaries(TEXT, JSON, max_size=3),
    "google.protobuf.Value": JSON,
    "google.protobuf.ListValue": st.lists(JSON, max_size=3),
}
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: TEXT,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=9),
}


@st.composite
def messages(draw: st.DrawFn, kind: Descriptor, depth: int = 0) -> Any:
    """Make a message of a type, with any of its fields."""
    message = GetMessageClass(kind)()
    special = SPECIAL.get(kind.full_name)
    if special is not None:
        json_format.ParseDict(draw(special), message)
    elif kind.full_name == "google.protobuf.Timestamp":
        message.seconds, milliseconds = draw(TIMES)
        message.nanos = milliseconds * 1_000_000
    else:
        fields = [field for field in kind.fields if depth < 3 or field.message_type is None]
        for field in draw(st.lists(st.sampled_from(fields), unique=True, max_size=5)) if fields else ():
            put(draw, message, field, depth)
    return message


def put(draw: st.DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
    """Fill one field."""
    into = getattr(message, field.name)
    if is_map(field):
        assert field.message_type is not None
        value = field.message_type.fields_by_name["value"]
        for key in draw(st.lists(TEXT, max_size=2, unique=True)):
            if value.message_type is not None:
                into[key].CopyFrom(draw(messages(value.message_type, depth + 1)))
            else:
                into[key] = draw(scalar(value))
    elif is_repeated(field):
        for _ in range(draw(st.integers(0, 2))):
            if field.message_type is not None:
                into.add().CopyFrom(draw(messages(field.message_type, depth + 1)))
            else:
                into.append(draw(scalar(field)))
    elif field.message_type is not None:
        into.CopyFrom(draw(messages(field.message_type, depth + 1)))
        into.SetInParent()
    else:
        setattr(message, field.name, draw(scalar(field)))


def scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return SCALARS[field.type]


def same(ours: Any, theirs: Any) -> bool:
    """Say whether we write what protobuf writes.

    But for required fields that are empty, three digits of every second, and whole numbers as such.
    """
    if isinstance(theirs, dict):
        empty = ("", 0, [], {}, False)
        extra = [value for name, value in ours.items() if name not in theirs]
        return all(one in empty or str(one).endswith("_UNSPECIFIED") for one in extra) and all(
            name in ours and same(ours[name], value) for name, value in theirs.items()
        )
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, str) and ours != theirs:  # a time
        return bool(ours == f"{theirs[:19]}.{theirs[20:-1] or '000'}Z")
    return bool(ours == theirs)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.DESCRIPTOR.name)
@given(data=st.data())
def test_every_message_is_written_and_read_as_protobuf_does_it(
    kind: type[Message], data: st.DataObject
) -> None:
    """A2A 1.0, ADR-001: the JSON of 1.0 is ProtoJSON."""
    message = data.draw(messages(kind.DESCRIPTOR))
    written = encode(message)
    assert json_format.Parse(written, kind()) == message
    assert decode(written, kind, complete=False) == message
    assert same(to_json(message), json_format.MessageToDict(message))
    for original_names in (False, True):
        theirs = json_format.MessageToJson(message, preserving_proto_field_name=original_names)
        assert decode(theirs, kind, complete=False) == message


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.DESCRIPTOR.name)
@given(data=st.data())
def test_what_is_read_from_damaged_json_protobuf_reads_alike(
    kind: type[Message], data: st.DataObject
) -> None:
    """Ours is stricter in places, and never takes something for something else."""
    found = json_format.MessageToDict(data.draw(messages(kind.DESCRIPTOR)))
    if not isinstance(found, dict) or not found:
        return
    name = data.draw(st.sampled_from(sorted(found)))
    found[name] = data.draw(st.one_of(JSON, st.just([found[name]]), st.just({"x": found[name]})))
    ours = read(found, kind, complete=False)
    if isinstance(ours, dict):
        assert all(path.startswith(name) for path in ours)
    else:
        assert ours == json_format.ParseDict(found, kind(), ignore_unknown_fields=True)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.DESCRIPTOR.name)
@given(data=st.data())
def test_plain_json_is_read_the_short_way_as_any_other_is_read(
    kind: type[Message], data: st.DataObject
) -> None:
    found = to_json(data.draw(messages(kind.DESCRIPTOR)))
    if not isinstance(found, dict):
        return
    within: list[dict[str, Any]] = [found, *(one for one in found.values() if isinstance(one, dict))]
    damaged = data.draw(st.sampled_from(within))
    if damaged and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(damaged)))
        odd = st.one_of(JSON, st.just([damaged[name]]), st.just({"x": damaged[name]}), st.just(True))
        damaged[name] = data.draw(odd)
    assert read(found, kind, complete=True) == read(found, kind, complete=True, way=by_field)


def read(found: Any, kind: type[Message], *, complete: bool, way: Any = from_json) -> Any:
    """Return the message that a JSON value is, or what is wrong with which of its fields."""
    try:
        return way(found, kind, complete=complete)
    except InvalidParams as refused:
        return refused.facts


@given(found=JSON, kind=st.sampled_from(TYPES))
def test_any_json_is_read_or_refused(found: Any, kind: type[Message]) -> None:
    assert read(found, kind, complete=True) != {}


@given(found=JSON)
def test_free_json_comes_back_as_it_was(found: Any) -> None:
    """Ours: whole numbers stay whole as long as a double knows them all."""
    part = from_json({"data": found}, a2a_pb2.Part)
    assert part.data == json_format.ParseDict(found, Value())
    back = to_json(part)["data"]
    assert from_json({"data": back}, a2a_pb2.Part) == part
    assert orjson.loads(encode(part))["data"] == back


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_has_not_do_not_break_what_is_around_them(number: float) -> None:
    """They can come over gRPC only. protobuf's own writer refuses the whole message for one of them."""
    part = a2a_pb2.Part(text="hi")
    part.metadata["odd"] = number
    assert orjson.loads(encode(part)) == {"text": "hi", "metadata": {"odd": None}}
    for text in ("NaN", "Infinity", "-Infinity"):
        with pytest.raises(InvalidParams, match="not JSON"):
            decode(f'{{"data": {text}}}', a2a_pb2.Part)


@pytest.mark.parametrize("number", [2**53, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30])
def test_large_numbers_are_the_nearest_double(number: int) -> None:
    part = decode(json.dumps({"data": number}), a2a_pb2.Part)
    assert part.data.number_value == float(number)


@given(data=st.binary(max_size=40))
def test_bytes_are_plain_base64(data: bytes) -> None:
    part = a2a_pb2.Part(raw=data)
    assert to_json(part) == {"raw": b64encode(data).decode()}


@given(depth=st.integers(0, MAX_DEPTH - 1), wide=st.booleans())
def test_nested_values_come_back_from_the_mesh(depth: int, wide: bool) -> None:
    """Ours: protobuf's parser gives up at a hundred levels; whatever we take fits."""
    found: Any = "x"
    for _ in range(depth):
        found = {"a": found} if wide else [found]
    request = a2a_pb2.SendMessageRequest()
    request.message.parts.append(from_json({"data": found}, a2a_pb2.Part))
    again = a2a_pb2.SendMessageRequest.FromString(request.SerializeToString())
    assert to_json(again.message.parts[0])["data"] == found
