"""The converters against protobuf's own, over random messages, and what they refuse."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value

import hector_a2a as a2a
from hector_a2a import json_plain
from hector_a2a.json_in import by_field, decode, from_json
from hector_a2a.json_out import encode, to_json
from hector_a2a.json_plain import fill_plain
from hector_a2a.json_values import MAX_DEPTH

TYPES: list[type[Message]] = [
    a2a.SendMessageRequest,
    a2a.SendMessageResponse,
    a2a.StreamResponse,
    a2a.Task,
    a2a.ListTasksRequest,
    a2a.ListTasksResponse,
    a2a.AgentCard,
    a2a.TaskPushNotificationConfig,
    a2a.GetTaskRequest,
]


@pytest.mark.parametrize("kind", TYPES)
def test_what_is_written_protobufs_own_reader_reads_back(kind: type[Message], random_messages: Any) -> None:
    """A2A 1.0, ProtoJSON: any conforming reader must understand us."""
    for message in random_messages(kind):
        assert json_format.Parse(encode(message), type(message)()) == message


@pytest.mark.parametrize("kind", TYPES)
def test_what_is_written_is_what_protobuf_would_write(kind: type[Message], random_messages: Any) -> None:
    """Ours: the same names and values, but for required empty fields, milliseconds and whole numbers."""
    for message in random_messages(kind):
        theirs = json_format.MessageToDict(message)
        assert covers(to_json(message), theirs), message


def covers(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, dict):
        extra = {name: value for name, value in ours.items() if name not in theirs}
        empty = all(
            value in ("", 0, [], {}) or str(value).endswith("_UNSPECIFIED") for value in extra.values()
        )
        return empty and all(covers(ours[name], value) for name, value in theirs.items())
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(covers, ours, theirs))
    if isinstance(theirs, str) and theirs.endswith("Z") and theirs[:1].isdigit():
        return ours[:19] == theirs[:19] and len(ours) == len("2026-01-31T12:00:00.000Z")
    return bool(ours == theirs)


@pytest.mark.parametrize("kind", TYPES)
def test_what_protobuf_writes_is_read_back_in_both_spellings(
    kind: type[Message], random_messages: Any
) -> None:
    """ProtoJSON: readers take camelCase and the proto's own names."""
    for message in random_messages(kind):
        for original_names in (False, True):
            text = json_format.MessageToJson(message, preserving_proto_field_name=original_names)
            assert decode(text, type(message), complete=False) == message


@pytest.mark.parametrize("kind", TYPES)
def test_writing_and_reading_is_the_identity(kind: type[Message], random_messages: Any) -> None:
    for message in random_messages(kind):
        assert decode(encode(message), type(message), complete=False) == message


def test_required_fields_are_written_even_when_empty() -> None:
    """A2A 1.0, ListTasks: nextPageToken "", tasks [], pageSize and totalSize must be there."""
    assert to_json(a2a.ListTasksResponse()) == {
        "tasks": [],
        "nextPageToken": "",
        "pageSize": 0,
        "totalSize": 0,
    }
    assert to_json(a2a.GetTaskRequest(id="t")) == {"id": "t"}
    assert to_json(a2a.GetTaskRequest(id="t", history_length=0)) == {"id": "t", "historyLength": 0}


def test_times_are_utc_with_milliseconds() -> None:
    """A2A 1.0 section 5.6.1."""
    status = a2a.TaskStatus(state=a2a.TASK_STATE_WORKING)
    status.timestamp.FromJsonString("2026-01-31T12:00:00.123456789Z")
    assert to_json(status) == {"state": "TASK_STATE_WORKING", "timestamp": "2026-01-31T12:00:00.123Z"}
    status.timestamp.FromJsonString("0001-01-01T00:00:00Z")
    assert to_json(status)["timestamp"] == "0001-01-01T00:00:00.000Z"
    read = from_json({"state": 2, "timestamp": "2026-01-31T12:00:00.5+02:00"}, a2a.TaskStatus)
    assert read.timestamp.ToJsonString() == "2026-01-31T10:00:00.500Z"


def test_whole_numbers_stay_whole() -> None:
    """Ours: who sends 3 gets 3 back, and not 3.0."""
    part = from_json({"data": {"count": 3, "share": 0.5, "big": 1e300}}, a2a.Part)
    assert sorted(orjson.dumps(to_json(part)["data"])[1:-1].split(b",")) == [
        b'"big":1e+300',
        b'"count":3',
        b'"share":0.5',
    ]


def test_a_null_is_a_field_left_out_but_a_value_in_data() -> None:
    message = from_json(good_message(contextId=None, metadata=None, parts=[{"data": None}]), a2a.Message)
    assert message.context_id == ""
    assert not message.HasField("metadata")
    assert message.parts[0].data.WhichOneof("kind") == "null_value"
    assert to_json(message)["parts"] == [{"data": None}]


def test_unknown_names_are_ignored() -> None:
    """A2A 1.0: unknown fields should be ignored."""
    assert from_json(good_message(flavour="sweet"), a2a.Message).message_id == "m"


def good_message(**changes: Any) -> dict[str, Any]:
    return {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}], **changes}


PLAIN: list[Any] = [
    {"message": good_message()},
    {"message": good_message(contextId="c", taskId="t", extensions=["urn:x"], metadata={"k": [1, None]})},
    {"message": {"message_id": "m", "role": "ROLE_AGENT", "parts": [{"url": "http://x"}, {"data": None}]}},
    {"message": good_message(parts=[{"raw": "AAEC", "mediaType": "image/png"}])},
    {"message": good_message(), "configuration": {"historyLength": 0, "returnImmediately": True}},
    {"message": good_message(), "configuration": {}, "metadata": {}},
]
WRONG: list[Any] = ["", None, [], {}, 1]
NOT_PLAIN: list[Any] = [
    *([], {}, "text", None, {"message": None}, {"message": []}, {"message": good_message(parts=["text"])}),
    *({"message": good_message(**{name: wrong})} for name in good_message() for wrong in WRONG),
    {"message": good_message(message_id="n")},
    {"message": good_message(flavour="sweet")},
    {"message": good_message(parts=[{"text": "x", "url": "y"}])},
    {"message": good_message(parts=[{"filename": "f"}])},
    {"message": good_message(), "configuration": {"returnImmediately": 1}},
    {"message": good_message(), "configuration": {"acceptedOutputModes": "text"}},
]


@pytest.mark.parametrize("found", PLAIN)
def test_plain_requests_are_read_the_short_way(found: Any) -> None:
    message = a2a.SendMessageRequest()
    assert fill_plain(message, found)
    assert message == by_field(found, a2a.SendMessageRequest, complete=True)


@pytest.mark.parametrize("found", NOT_PLAIN)
def test_what_is_not_plain_goes_the_long_way(found: Any) -> None:
    assert not fill_plain(a2a.SendMessageRequest(), found)


def test_who_tries_many_orders_goes_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_plain, "MOST_SHAPES", 0)
    found = dict(reversed(good_message(taskId="t").items()))
    assert not fill_plain(a2a.Message(), found)
    assert from_json(found, a2a.Message).message_id == "m"


def test_names_that_strangers_make_up_are_not_kept() -> None:
    for number in range(json_plain.MOST_SHAPES + 1):
        assert not fill_plain(a2a.Message(), good_message(**{f"name{number}": 1}))
    assert fill_plain(a2a.Message(), dict(reversed(good_message(contextId="c", extensions=["x"]).items())))


DEEP: Any = 1
for _ in range(MAX_DEPTH + 1):
    DEEP = [DEEP]

REFUSED: list[tuple[str, Any, dict[str, str]]] = [
    ("no object", [], {"": "an object is needed here"}),
    ("nothing", {}, {"message": "required"}),
    ("empty message", {"message": {}}, {"message.messageId": "", "message.role": "", "message.parts": ""}),
    ("empty id", {"message": good_message(messageId="")}, {"message.messageId": "required"}),
    (
        "number for id",
        {"message": good_message(messageId=1)},
        {"message.messageId": "a string is needed here"},
    ),
    ("no parts", {"message": good_message(parts=[])}, {"message.parts": "required"}),
    ("parts an object", {"message": good_message(parts={})}, {"message.parts": "an array is needed here"}),
    (
        "a part a string",
        {"message": good_message(parts=["x"])},
        {"message.parts[0]": "an object is needed here"},
    ),
    (
        "a part without content",
        {"message": good_message(parts=[{"text": "x"}, {"filename": "f"}])},
        {"message.parts[1]": "one of text, raw, url, data is required"},
    ),
    (
        "a part with two contents",
        {"message": good_message(parts=[{"text": "x", "url": "http://x"}])},
        {"message.parts[0].url": "only one of text and url may be set"},
    ),
    (
        "unknown role",
        {"message": good_message(role="user")},
        {"message.role": "one of ROLE_USER, ROLE_AGENT is needed here"},
    ),
    ("unspecified role", {"message": good_message(role="ROLE_UNSPECIFIED")}, {"message.role": "required"}),
    ("unknown role number", {"message": good_message(role=7)}, {"message.role": "one of ROLE_USER"}),
    ("bad base64", {"message": good_message(parts=[{"raw": "%%%"}])}, {"message.parts[0].raw": "base64"}),
    (
        "metadata a list",
        {"message": good_message(metadata=[])},
        {"message.metadata": "an object is needed here"},
    ),
    (
        "too deep",
        {"message": good_message(parts=[{"data": DEEP}])},
        {"message.parts[0].data": f"nested deeper than {MAX_DEPTH} levels"},
    ),
    (
        "several at once",
        {"message": good_message(role="x", extensions=[1]), "configuration": {"historyLength": "many"}},
        {"message.role": "", "message.extensions[0]": "", "configuration.historyLength": "an integer"},
    ),
    (
        "history out of range",
        {"message": good_message(), "configuration": {"historyLength": 2**40}},
        {"configuration.historyLength": "an integer from"},
    ),
    (
        "a flag as text",
        {"message": good_message(), "configuration": {"returnImmediately": "true"}},
        {"configuration.returnImmediately": "true or false"},
    ),
]


@pytest.mark.parametrize(("found", "violations"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED])
def test_what_is_wrong_is_named_by_field(found: Any, violations: dict[str, str]) -> None:
    """A2A 1.0: -32602 with google.rpc.BadRequest.fieldViolations."""
    with pytest.raises(a2a.InvalidParams) as error:
        from_json(found, a2a.SendMessageRequest)
    assert error.value.facts.keys() == violations.keys()
    for path, wrong in violations.items():
        assert error.value.facts[path].startswith(wrong)


@pytest.mark.parametrize("text", ["", "{", "[1,]", '{"a": NaN}', "\xff", "\ufeff{}"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(a2a.InvalidParams, match="not JSON"):
        decode(text.encode("latin-1", "replace"), a2a.SendMessageRequest)


def test_a_flood_of_mistakes_is_cut_short() -> None:
    """Ours: an error must not be larger than anybody reads."""
    with pytest.raises(a2a.InvalidParams) as error:
        from_json({"message": good_message(parts=[1] * 10_000)}, a2a.SendMessageRequest)
    assert len(error.value.facts) == 20
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("time", ["2026-02-30T00:00:00Z", "2026-01-01", "now", 5, "2026-01-01T25:00:00Z", ""])
def test_impossible_times_are_refused(time: Any) -> None:
    with pytest.raises(a2a.InvalidParams, match="statusTimestampAfter"):
        from_json({"statusTimestampAfter": time}, a2a.ListTasksRequest)


def test_what_can_be_read_from_json_survives_the_mesh() -> None:
    """Ours: protobuf refuses what is nested deeper than a hundred messages, so we refuse it first."""
    deep: Any = 1
    for _ in range(MAX_DEPTH):
        deep = {"a": deep}
    task = {"id": "t", "status": {"state": 1, "message": good_message(parts=[{"data": deep}])}}
    found = from_json({"tasks": [task]}, a2a.ListTasksResponse, complete=False)
    assert a2a.ListTasksResponse.FromString(found.SerializeToString()) == found


def test_structs_are_those_of_protobuf(random_values: Callable[[int], list[Any]]) -> None:
    for found in random_values(300):
        theirs = json_format.ParseDict(found, Value())
        ours = from_json({"data": found}, a2a.Part).data
        assert ours == theirs
        if isinstance(found, dict):
            assert to_json(json_format.ParseDict(found, Struct())) == found
