"""Our translation between A2A 0.3 and 1.0 against that of the official SDK."""

from typing import Any

import orjson
import pytest
from a2a.compat.v0_3 import conversions
from a2a.compat.v0_3 import types as v03_types

import hector_a2a as a2a
from hector_a2a import v03
from hector_a2a.json_in import from_json
from hector_a2a.json_out import to_json


def tidy(message: Any) -> Any:
    """Make a random message one that could exist: 0.3 has no word for empty parts and roles."""
    for found in messages_in(message):
        found.role = found.role or a2a.ROLE_AGENT
    for part in parts_in(message):
        if part.WhichOneof("content") is None:
            part.text = "words"
        if part.WhichOneof("content") in ("text", "data"):
            part.ClearField("filename")
            part.ClearField("media_type")
        if part.HasField("metadata"):
            part.metadata.update({"sure": True})  # empty metadata has no meaning, and the SDK keeps it
    return message


def walk(message: Any) -> Any:
    yield message
    for field, value in message.ListFields():
        if field.message_type is None or not field.message_type.full_name.startswith("lf.a2a"):
            continue
        for inner in [value] if not field.is_repeated else value:
            yield from walk(inner)


def messages_in(message: Any) -> list[Any]:
    return [found for found in walk(message) if isinstance(found, a2a.Message)]


def parts_in(message: Any) -> list[Any]:
    return [found for found in walk(message) if isinstance(found, a2a.Part)]


def normal(found: Any) -> Any:
    """Drop what means nothing: empty metadata, and how often a time is divided."""
    if isinstance(found, dict):
        return {
            name: (value[:19] if name == "timestamp" else normal(value))
            for name, value in found.items()
            if not (name == "metadata" and not value)
        }
    return [normal(item) for item in found] if isinstance(found, list) else found


def dumped(model: Any) -> Any:
    return orjson.loads(model.model_dump_json(by_alias=True, exclude_none=True))


def test_tasks_look_in_03_as_the_sdk_shows_them(random_messages: Any) -> None:
    for task in map(tidy, random_messages(a2a.Task)):
        ours = v03.result_from_v1("tasks/get", to_json(task))
        assert normal(ours) == normal(dumped(conversions.to_compat_task(task)))


def test_events_look_in_03_as_the_sdk_shows_them(random_messages: Any) -> None:
    """But for `final`: the SDK forgets that a stream ends at input-required too."""
    seen = set()
    for event in map(tidy, random_messages(a2a.StreamResponse, 200)):
        kind = event.WhichOneof("payload")
        if kind is None:
            continue
        seen.add(kind)
        if kind == "artifact_update":
            event.artifact_update.artifact.SetInParent()
        ours = v03.result_from_v1("message/stream", to_json(event))
        theirs = dumped(conversions.to_compat_stream_response(event).result)
        if ours.get("status", {}).get("state") == "input-required" and "final" in ours:
            assert ours["final"] is True
            theirs["final"] = True
        assert normal(ours) == normal(theirs)
    assert seen == {"task", "message", "status_update", "artifact_update"}


def test_answers_to_a_send_are_a_bare_task_or_message(random_messages: Any) -> None:
    for response in map(tidy, random_messages(a2a.SendMessageResponse)):
        if response.WhichOneof("payload") is None:
            continue
        ours = v03.result_from_v1("message/send", to_json(response))
        theirs = conversions.to_compat_send_message_response(response, 1)
        assert normal(ours) == normal(dumped(theirs)["result"])


def test_requests_of_03_mean_in_10_what_the_sdk_makes_of_them(random_messages: Any) -> None:
    """Random messages go to 0.3 through the SDK; from there ours and the SDK's way back must agree."""
    for request in map(tidy, random_messages(a2a.SendMessageRequest, 120)):
        request.message.SetInParent()
        request.message.role = request.message.role or a2a.ROLE_USER
        push = request.configuration.task_push_notification_config
        if request.configuration.HasField("task_push_notification_config") and push.HasField(
            "authentication"
        ):
            push.authentication.scheme = push.authentication.scheme or "Bearer"  # else it is refused
        compat = conversions.to_compat_send_message_request(request, 1)
        theirs = conversions.to_core_send_message_request(compat)
        ours = from_json(
            v03.request_to_v1("message/send", dumped(compat)["params"]),
            a2a.SendMessageRequest,
            complete=False,
        )
        assert normal(to_json(ours)) == normal(to_json(theirs))


@pytest.mark.parametrize("length", [None, 0, 5])
def test_questions_for_tasks_keep_their_history_length(length: int | None) -> None:
    """A2A 0.3: zero means no limit; in 1.0 it means none at all."""
    params = v03_types.TaskQueryParams(id="t", history_length=length)
    theirs = conversions.to_core_get_task_request(v03_types.GetTaskRequest(id=1, params=params))
    ours = from_json(v03.request_to_v1("tasks/get", dumped(params)), a2a.GetTaskRequest)
    assert ours == theirs


def test_a_query_says_zero_as_text() -> None:
    """Over HTTP+JSON the history length of GetTask stands in the query."""
    assert v03.request_to_v1("tasks/get", {"id": "t", "historyLength": "0"}) == {"id": "t"}


def test_unwrapped_data_keeps_no_empty_metadata() -> None:
    """The mark that it was wrapped is not the sender's."""
    part = {"kind": "data", "data": {"value": 7}, "metadata": {v03.COMPAT: True}}
    message = v03.message_to_v1({"kind": "message", "messageId": "m", "role": "user", "parts": [part]})
    assert message["parts"] == [{"data": 7}]


@pytest.mark.parametrize(("blocking", "immediately"), [(True, False), (False, True)])
def test_blocking_is_the_opposite_of_return_immediately(blocking: bool, immediately: bool) -> None:
    found = v03.request_to_v1("message/send", {"configuration": {"blocking": blocking}})
    assert found["configuration"] == {"returnImmediately": immediately}
    assert v03.request_to_v1("message/send", {"configuration": {}})["configuration"] == {}


def test_errors_that_03_does_not_know_are_internal_but_a_wrong_version() -> None:
    assert [v03.error_code_from_v1(code) for code in (-32001, -32007, -32008, -32009, -32602, -32050)] == [
        -32001,
        -32007,
        -32603,
        -32009,
        -32602,
        -32603,
    ]


REFUSED: list[tuple[Any, str]] = [
    (None, ""),
    ([], ""),
    ({"message": "hi"}, "message"),
    ({"message": {"kind": "task"}}, "message.kind"),
    ({"message": {"role": "ROLE_USER"}}, "message.role"),
    ({"message": {"role": ["user"]}}, "message.role"),
    ({"message": {"parts": {}}}, "message.parts"),
    ({"message": {"parts": [{"text": "no kind"}]}}, "message.parts[0].kind"),
    ({"message": {"parts": [{"kind": ["text"]}]}}, "message.parts[0].kind"),
    ({"message": {"parts": [{"kind": "text"}]}}, "message.parts[0].text"),
    ({"message": {"parts": [{"kind": "data", "data": [1]}]}}, "message.parts[0].data"),
    ({"message": {"parts": [{"kind": "data"}]}}, "message.parts[0].data"),
    ({"message": {"parts": [{"kind": "file"}]}}, "message.parts[0].file"),
    ({"message": {"parts": [{"kind": "file", "file": {}}]}}, "message.parts[0].file"),
    (
        {"message": {"parts": [{"kind": "file", "file": {"bytes": "", "uri": ""}}]}},
        "message.parts[0].file",
    ),
    ({"configuration": []}, "configuration"),
    ({"configuration": {"blocking": "yes"}}, "configuration.blocking"),
    ({"configuration": {"pushNotificationConfig": 1}}, "configuration.pushNotificationConfig"),
]


@pytest.mark.parametrize(("params", "path"), REFUSED)
def test_what_03_does_not_allow_is_named_by_field(params: Any, path: str) -> None:
    with pytest.raises(a2a.InvalidParams) as error:
        v03.request_to_v1("message/send", params)
    assert list(error.value.facts) == [path]
