"""What is demanded of a request in protobuf, against what the JSON reader demands of the same request."""

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Value

import hector_a2a as a2a
from hector_a2a.complete import check
from hector_a2a.json_in import from_json
from hector_a2a.json_out import to_json

REQUESTS = [
    a2a.SendMessageRequest,
    a2a.GetTaskRequest,
    a2a.ListTasksRequest,
    a2a.CancelTaskRequest,
    a2a.SubscribeToTaskRequest,
    a2a.TaskPushNotificationConfig,
]


def wrong_in(call: Any, *given: Any) -> dict[str, object]:
    try:
        call(*given)
    except a2a.InvalidParams as error:
        return error.facts
    return {}


@pytest.mark.parametrize("kind", REQUESTS)
def test_both_bindings_demand_the_same_in_the_same_words(random_messages: Any, kind: Any) -> None:
    """Issue 5: identical meaning on every binding."""
    wrong = 0
    for message in random_messages(kind, 300):
        found = wrong_in(check, message)
        assert found == wrong_in(from_json, to_json(message), kind)
        wrong += bool(found)
    assert wrong or kind is a2a.ListTasksRequest  # which demands nothing


def nested(depth: int) -> Value:
    value = Value(string_value="deep")
    for _ in range(depth):
        outer = Value()
        outer.list_value.values.append(value)
        value = outer
    return value


def test_depth_is_limited_as_in_json() -> None:
    for depth in range(25, 32):
        part = a2a.Part(data=nested(depth))
        part.metadata["deep"] = None
        part.metadata.fields["deep"].CopyFrom(nested(depth))
        assert wrong_in(check, part) == wrong_in(from_json, to_json(part), a2a.Part)
    assert wrong_in(check, part) == dict.fromkeys(("data", "metadata"), "nested deeper than 28 levels")


def test_what_json_cannot_say_is_refused() -> None:
    """Ours: else it would be lost on the way to whoever reads the task in JSON."""
    part = a2a.Part(data=Value(number_value=float("nan")))
    assert wrong_in(check, part) == {"data": "a finite number is needed here"}
    request = a2a.ListTasksRequest()
    request.status_timestamp_after.seconds = 10**18
    assert list(wrong_in(check, request)) == ["statusTimestampAfter"]


def test_a_request_with_thousands_of_faults_names_twenty() -> None:
    message = a2a.Message(message_id="m", role=a2a.ROLE_USER, parts=[a2a.Part()] * 5000)
    assert len(wrong_in(check, message)) == 20


def test_unknown_roles_are_named() -> None:
    message = a2a.Message(message_id="m", role=99, parts=[a2a.Part(text="x")])
    assert wrong_in(check, message) == {"role": "one of ROLE_USER, ROLE_AGENT is needed here"}
