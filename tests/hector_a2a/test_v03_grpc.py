"""Our translation between the gRPC of A2A 0.3 and of 1.0 against that of the official SDK."""

from typing import Any

import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2 as old
from a2a.compat.v0_3 import conversions, proto_utils
from a2a.compat.v0_3 import types as v03_types
from a2a.utils.errors import JSON_RPC_ERROR_CODE_MAP
from google.protobuf.struct_pb2 import Value

import hector_a2a as a2a
from hector.agent.v1 import Agent, Skill
from hector_a2a import v03_grpc
from hector_a2a.card import Offered, card_of
from hector_a2a.errors import A2AError
from hector_a2a.service import SERVICE_DESCRIPTOR
from hector_mesh import status_of
from hector_mesh.status import Status


def part_of(**content: Any) -> a2a.Part:
    found = a2a.Part(**content)
    found.metadata["sure"] = True
    return found


def message() -> a2a.Message:
    """A message with one part of every kind."""
    data, number = Value(), Value(number_value=3)
    data.struct_value["answer"] = 42
    found = a2a.Message(message_id="m", context_id="c", task_id="t", role=a2a.ROLE_USER, extensions=["urn:x"])
    found.metadata["from"] = "tests"
    found.parts.extend(
        [
            part_of(text="words"),
            part_of(text=""),
            part_of(raw=b"\x00\xff", media_type="image/png", filename="dot.png"),
            part_of(url="https://example.com/x", media_type="text/plain"),
            part_of(data=data),
            part_of(data=number),
        ]
    )
    return found


def task(state: int) -> a2a.Task:
    found = a2a.Task(id="t", context_id="c", status=a2a.TaskStatus(state=state, message=message()))
    found.status.timestamp.FromJsonString("2026-01-31T12:00:00.250Z")
    found.artifacts.add(artifact_id="a", name="answer", description="d", parts=message().parts)
    found.history.append(message())
    found.metadata["k"] = "v"
    return found


def test_a_request_means_what_the_sdk_takes_it_for() -> None:
    theirs = a2a.SendMessageRequest(message=message())
    theirs.metadata["who"] = "ada"
    theirs.configuration.accepted_output_modes.append("text/plain")
    theirs.configuration.return_immediately = True
    theirs.configuration.history_length = 3
    params = conversions.to_compat_send_message_request(theirs, 1).params
    wire = old.SendMessageRequest(
        request=proto_utils.ToProto.message(params.message),
        configuration=proto_utils.ToProto.message_send_configuration(params.configuration),
        metadata=proto_utils.ToProto.metadata(params.metadata),
    )
    assert v03_grpc.request_to_v1(wire, a2a.SendMessageRequest) == theirs


@pytest.mark.parametrize("blocking", [None, False, True])
def test_only_a_configuration_says_not_to_wait(blocking: bool | None) -> None:
    """A2A 0.3: blocking is false when it is left out; without a configuration the SDK waits."""
    request = old.SendMessageRequest()
    if blocking is not None:
        request.configuration.blocking = blocking
        request.configuration.SetInParent()
    found = v03_grpc.request_to_v1(request, a2a.SendMessageRequest)
    assert found.configuration.return_immediately is (blocking is False)
    assert not found.configuration.HasField("history_length")


def test_push_configurations_are_flat_in_10() -> None:
    request = old.SendMessageRequest()
    push = request.configuration.push_notification
    push.id, push.url, push.token = "p", "https://example.com", "secret"
    push.authentication.schemes.extend(["Bearer", "Basic"])
    push.authentication.credentials = "xyz"
    found = v03_grpc.request_to_v1(
        request, a2a.SendMessageRequest
    ).configuration.task_push_notification_config
    expected = a2a.TaskPushNotificationConfig(id="p", url="https://example.com", token="secret")
    expected.authentication.scheme, expected.authentication.credentials = "Bearer", "xyz"
    assert found == expected


@pytest.mark.parametrize("state", range(9))
def test_tasks_look_as_the_sdk_shows_them(state: int) -> None:
    ours = v03_grpc.answer_from_v1(task(state), old.Task)
    theirs = proto_utils.ToProto.task(conversions.to_compat_task(task(state)))
    assert ours == theirs


@pytest.mark.parametrize("state", range(9))
def test_events_look_as_the_sdk_shows_them(state: int) -> None:
    """But for `final`: the SDK forgets that a stream ends at input-required too."""
    status = a2a.TaskStatusUpdateEvent(task_id="t", context_id="c", status=task(state).status)
    piece = a2a.TaskArtifactUpdateEvent(
        task_id="t", context_id="c", artifact=task(state).artifacts[0], append=True, last_chunk=True
    )
    for event in (
        a2a.StreamResponse(task=task(state)),
        a2a.StreamResponse(message=message()),
        a2a.StreamResponse(status_update=status),
        a2a.StreamResponse(artifact_update=piece),
    ):
        ours = v03_grpc.answer_from_v1(event, old.StreamResponse)
        compat = conversions.to_compat_stream_response(event).result
        if isinstance(compat, v03_types.TaskStatusUpdateEvent):
            compat.final = compat.final or state == a2a.TASK_STATE_INPUT_REQUIRED
        assert ours == proto_utils.ToProto.stream_response(compat)


def test_answers_to_a_send_are_a_task_or_a_message() -> None:
    found = v03_grpc.answer_from_v1(a2a.SendMessageResponse(message=message()), old.SendMessageResponse)
    assert found.msg.message_id == "m"
    assert (
        v03_grpc.answer_from_v1(a2a.SendMessageResponse(task=task(3)), old.SendMessageResponse).task.id == "t"
    )


def test_a_message_comes_back_as_it_went() -> None:
    there = v03_grpc.answer_from_v1(message(), old.Message)
    assert v03_grpc.request_to_v1(there, a2a.Message) == message()


def test_bytes_that_are_no_base64_are_taken_as_they_are() -> None:
    """A2A 0.3: the proto says bytes; its SDKs put base64 there."""
    part = old.Part(file=old.FilePart(file_with_bytes=b"\x89PNG"))
    assert v03_grpc.request_to_v1(part, a2a.Part).raw == b"\x89PNG"


def test_tasks_are_asked_for_by_name() -> None:
    asked = old.GetTaskRequest(name="tasks/t-1", history_length=4)
    assert v03_grpc.request_to_v1(asked, a2a.GetTaskRequest) == a2a.GetTaskRequest(id="t-1", history_length=4)
    for kind, ours in (
        (old.CancelTaskRequest, a2a.CancelTaskRequest),
        (old.TaskSubscriptionRequest, a2a.SubscribeToTaskRequest),
    ):
        assert v03_grpc.request_to_v1(kind(name="tasks/t-1"), ours) == ours(id="t-1")


@pytest.mark.parametrize("name", ["", "t-1", "tasks/", "tasks/a/b", "task/a", "tasks/a\n/"])
def test_what_is_no_name_of_a_task_is_refused(name: str) -> None:
    with pytest.raises(a2a.InvalidParams) as error:
        v03_grpc.request_to_v1(old.GetTaskRequest(name=name), a2a.GetTaskRequest)
    assert list(error.value.facts) == ["name"]


def test_the_card_is_the_one_the_sdk_makes() -> None:
    agent = Agent(
        name="helper",
        title="Helper",
        description="Helps.",
        streaming=True,
        default=True,
        skills=[Skill(id="s", name="S", description="Does S.", tags=["t"], examples=["do S"])],
    )
    offered = Offered(streaming=agent.streaming)
    card = card_of(
        agent,
        offered,
        url="http://x/agents/helper",
        version="1",
        grpc_address="x:1",
        authenticated=True,
    )
    ours = v03_grpc.card_from_v1(card)
    theirs = proto_utils.ToProto.agent_card(conversions.to_compat_agent_card(card))
    theirs.protocol_version = ours.protocol_version
    assert ours == theirs
    assert ours.protocol_version == "0.3.0"


def test_every_state_and_role_has_its_number_in_both() -> None:
    spelled = {name.replace("CANCELLED", "CANCELED"): number for name, number in old.TaskState.items()}
    assert spelled == dict(a2a.TaskState.items())
    assert dict(old.Role.items()) == dict(a2a.Role.items())


def test_every_rpc_but_the_card_has_one_in_10() -> None:
    new = {rpc.name for rpc in SERVICE_DESCRIPTOR.methods}
    assert set(v03_grpc.METHODS.values()) == new - {"ListTasks", "GetExtendedAgentCard"}
    assert {rpc.name for rpc in v03_grpc.SERVICE_DESCRIPTOR.methods} == {*v03_grpc.METHODS, "GetAgentCard"}


def test_errors_are_called_what_the_sdk_calls_them() -> None:
    """The SDK's client for 0.3 knows an error by the name that its message begins with."""
    known = {kind.__name__ for kind in JSON_RPC_ERROR_CODE_MAP}
    ours = [
        a2a.TaskNotFound("t"),
        a2a.TaskNotCancelable("t", "x"),
        a2a.PushNotificationNotSupported(),
        a2a.UnsupportedOperation("x"),
        a2a.ContentTypeNotSupported("x", []),
        a2a.InvalidAgentResponse("x"),
        a2a.InvalidParams({"x": "y"}),
        a2a.VersionNotSupported("x", found="2", supported=[]),
        a2a.ExtensionSupportRequired([]),
        a2a.ExtendedAgentCardNotConfigured("x"),
    ]
    assert {type(error) for error in ours} == set(A2AError.__subclasses__())
    for error in ours:
        name, _, words = v03_grpc.worded(status_of(error)).partition(": ")
        assert name in known
        assert words == str(error)
    assert v03_grpc.worded(Status(code=13, message="as it is")) == "as it is"
