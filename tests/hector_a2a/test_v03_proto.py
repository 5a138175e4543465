"""0.3's JSON as its proto has it, against the official SDK's proto and conversions."""

from typing import Any

import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2 as old
from a2a.compat.v0_3 import conversions, proto_utils
from a2a.compat.v0_3 import types as v03_types
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

import hector_a2a as a2a
from hector_a2a import v03, v03_proto
from hector_a2a.json_in import from_json
from hector_a2a.json_out import to_json

PARTS: list[dict[str, Any]] = [
    {"text": "hi", "metadata": {"a": 1}},
    {"raw": "aGk=", "mediaType": "image/png", "filename": "a.png"},
    {"url": "http://x/y", "mediaType": "text/html"},
    {"data": {"a": [1, None, {"b": True}]}},
]
MESSAGE = {
    "messageId": "m",
    "contextId": "c",
    "taskId": "t",
    "role": "ROLE_AGENT",
    "parts": PARTS,
    "metadata": {"k": "v"},
    "extensions": ["http://e"],
}
ARTIFACT = {"artifactId": "a", "name": "n", "description": "d", "parts": PARTS, "metadata": {"k": 1}}


def task(state: str) -> a2a.Task:
    status = {"state": state, "message": MESSAGE, "timestamp": "2026-01-31T12:00:00.500Z"}
    found = {
        "id": "t",
        "contextId": "c",
        "status": status,
        "artifacts": [ARTIFACT],
        "history": [{**MESSAGE, "role": "ROLE_USER"}],
        "metadata": {"x": [1]},
    }
    return from_json(found, a2a.Task)


def read(found: dict[str, Any], kind: type[Message]) -> dict[str, Any]:
    """Return what the proto has understood; unlike the SDK's client it minds what it does not know."""
    return dict(MessageToDict(ParseDict(found, kind())))


@pytest.mark.parametrize("state", [state for state in v03.STATES if state != "TASK_STATE_UNSPECIFIED"])
def test_a_task_is_what_the_sdk_makes_of_it(state: str) -> None:
    core = task(state)
    ours = v03_proto.result_from_v03(v03.task_from_v1(to_json(core)))
    theirs = proto_utils.ToProto.task(conversions.to_compat_task(core))
    assert read(ours, old.Task) == MessageToDict(theirs)


def test_events_are_what_the_sdk_makes_of_them() -> None:
    update = {
        "taskId": "t",
        "contextId": "c",
        "artifact": ARTIFACT,
        "append": True,
        "metadata": {"hector.seq": "3"},
    }
    status = {"taskId": "t", "contextId": "c", "status": {"state": "TASK_STATE_CANCELED", "message": MESSAGE}}
    for found in (
        {"task": to_json(task("TASK_STATE_WORKING"))},
        {"message": MESSAGE},
        {"artifactUpdate": {**update, "lastChunk": True}},
        {"statusUpdate": status},
    ):
        core = from_json(found, a2a.StreamResponse)
        ours = v03_proto.payload_from_v03(v03.result_from_v1("message/stream", to_json(core)))
        result = conversions.to_compat_stream_response(core, request_id=1).result
        assert read(ours, old.StreamResponse) == MessageToDict(proto_utils.ToProto.stream_response(result))


@pytest.mark.parametrize("names", [True, False])
def test_what_the_sdk_sends_is_understood(names: bool) -> None:
    """It spells names as the proto does, and as JSON does."""
    core = a2a.SendMessageRequest(message=from_json({**MESSAGE, "role": "ROLE_USER"}, a2a.Message))
    core.metadata["why"] = "x"
    core.configuration.accepted_output_modes.append("text/plain")
    core.configuration.history_length, core.configuration.return_immediately = 3, True
    params = conversions.to_compat_send_message_request(core, request_id=1).params
    assert isinstance(params, v03_types.MessageSendParams)
    sent = MessageToDict(
        old.SendMessageRequest(
            request=proto_utils.ToProto.message(params.message),
            configuration=proto_utils.ToProto.message_send_configuration(params.configuration),
            metadata=proto_utils.ToProto.metadata(params.metadata),
        ),
        preserving_proto_field_name=names,
    )
    assert v03_proto.is_spoken(sent)
    found = v03.request_to_v1("message/send", v03_proto.request_to_v03(sent))
    assert from_json(found, a2a.SendMessageRequest) == core


@pytest.mark.parametrize(
    "params",
    [
        {"request": 1},
        {"message": {"content": "x"}},
        {"message": {"content": [None, 7, [], {"file": 1}, {"data": 1}, {"data": {}}, {}]}},
        {"message": {"role": "ROLE_USER", "parts": 7}},
        {"message": {"content": [{"text": {}}]}, "configuration": [], "metadata": 7},
        {"message": {"content": []}, "configuration": {"blocking": 1, "push_notification": 7}},
    ],
)
def test_what_makes_no_sense_is_refused_as_any_other(params: dict[str, Any]) -> None:
    assert v03_proto.is_spoken(params)
    with pytest.raises(a2a.InvalidParams):
        from_json(v03.request_to_v1("message/send", v03_proto.request_to_v03(params)), a2a.SendMessageRequest)


def test_the_other_json_is_told_apart() -> None:
    for params in (
        {},
        [],
        {"message": []},
        {"message": {"role": ["ROLE_USER"], "parts": []}},
        {"message": {"role": "user"}},
    ):
        assert not v03_proto.is_spoken(params)


def test_bytes_are_understood_encoded_once_or_twice() -> None:
    """The SDKs of 0.3 encode them twice; the proto says once."""
    for sent in ("aGk=", "YUdrPQ=="):
        part = {"file": {"fileWithBytes": sent, "mimeType": "text/plain"}}
        params = {"message": {"messageId": "m", "role": "ROLE_USER", "content": [part]}}
        found = v03.request_to_v1("message/send", v03_proto.request_to_v03(params))
        assert from_json(found, a2a.SendMessageRequest).message.parts[0].raw == b"hi"
    for wrong in (7, None, "ü", "###"):
        params["message"] = {
            **MESSAGE,
            "role": "ROLE_USER",
            "content": [{"file": {"file_with_bytes": wrong}}],
        }
        with pytest.raises(a2a.InvalidParams):
            from_json(
                v03.request_to_v1("message/send", v03_proto.request_to_v03(params)), a2a.SendMessageRequest
            )
