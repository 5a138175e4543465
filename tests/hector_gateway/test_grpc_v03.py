"""A2A 0.3 on the public gRPC port: the same agents and tasks as over 1.0, in its own words."""

import asyncio
from typing import Any

import grpc
import pytest
from a2a.client.client_factory import ClientConfig
from a2a.compat.v0_3 import a2a_v0_3_pb2 as old
from a2a.compat.v0_3 import a2a_v0_3_pb2_grpc as old_grpc
from a2a.compat.v0_3.grpc_transport import CompatGrpcTransport
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError
from google.rpc.error_details_pb2 import BadRequest
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import hector_a2a as a2a
from hector_mesh import info_of, status_of

SERVICE = "a2a.v1.A2AService"


def request(text: str) -> old.SendMessageRequest:
    found = old.SendMessageRequest()
    found.request.message_id, found.request.role = "m", old.ROLE_USER
    found.request.content.add(text=text)
    return found


async def test_a_message_is_sent_and_streamed(gateway: Any) -> None:
    """A2A 0.3, section 3.2.2; `final` ends the stream."""
    async with gateway.channel() as channel:
        stub = old_grpc.A2AServiceStub(channel)
        found = await stub.SendMessage(request("hello"), timeout=5)
        assert found.task.artifacts[0].parts[0].text == "hello"
        assert found.task.status.state == old.TASK_STATE_COMPLETED
        events = [event async for event in stub.SendStreamingMessage(request("a b"), timeout=5)]
    assert [event.WhichOneof("payload") for event in events] == [
        "task",
        "artifact_update",
        "artifact_update",
        "status_update",
    ]
    assert events[-1].status_update.final
    assert [one.artifact_update.artifact.parts[0].text for one in events[1:3]] == ["a", "b"]


async def test_a_caller_that_leaves_stops_the_stream_behind_it(gateway: Any) -> None:
    async with gateway.channel() as channel:
        call = old_grpc.A2AServiceStub(channel).SendStreamingMessage(request("endless"))
        await call.read()
        call.cancel()
        async with asyncio.timeout(5):
            await gateway.fake.stopped.wait()


async def test_an_agent_that_does_not_stream_says_so(gateway: Any) -> None:
    async with gateway.channel() as channel:
        stub = old_grpc.A2AServiceStub(channel)
        metadata = [("agent-name", "whole")]
        for call in (
            stub.SendStreamingMessage(request("x"), metadata=metadata, timeout=5),
            stub.TaskSubscription(old.TaskSubscriptionRequest(name="tasks/t"), metadata=metadata, timeout=5),
        ):
            with pytest.raises(AioRpcError) as error:
                await call.read()
            assert info_of(error.value).reason == "UNSUPPORTED_OPERATION"
    assert gateway.fake.requests == []


async def test_an_error_in_mid_stream_comes_with_its_reason(gateway: Any) -> None:
    async with gateway.channel() as channel:
        call = old_grpc.A2AServiceStub(channel).SendStreamingMessage(request("fail later"), timeout=5)
        kinds = [(await call.read()).WhichOneof("payload") for _ in range(3)]
        with pytest.raises(AioRpcError, match="InvalidAgentResponseError: it said something odd") as error:
            await call.read()
    assert kinds == ["task", "artifact_update", "artifact_update"]
    assert error.value.code() is grpc.StatusCode.INTERNAL


async def test_tasks_are_fetched_and_cancelled_by_name(gateway: Any) -> None:
    async with gateway.channel() as channel:
        stub = old_grpc.A2AServiceStub(channel)
        found = await stub.GetTask(old.GetTaskRequest(name="tasks/t", history_length=3), timeout=5)
        assert (found.id, found.artifacts[0].parts[0].text) == ("t", "kept")
        assert gateway.fake.requests[-1].history_length == 3
        found = await stub.CancelTask(old.CancelTaskRequest(name="tasks/t"), timeout=5)
    assert found.status.state == old.TASK_STATE_CANCELLED


async def test_the_metadata_picks_the_agent(gateway: Any) -> None:
    """Decisions: 0.3 has no tenant; agent-name says it, else it is the default agent."""
    async with gateway.channel() as channel:
        stub = old_grpc.A2AServiceStub(channel)
        await stub.SendMessage(request("x"), timeout=5)
        await stub.SendMessage(request("x"), metadata=[("agent-name", "whole")], timeout=5)
        with pytest.raises(AioRpcError) as error:
            await stub.SendMessage(request("x"), metadata=[("agent-name", "hidden")], timeout=5)
    assert [one.tenant for one in gateway.fake.requests] == ["helper", "whole"]
    assert (error.value.code(), info_of(error.value).reason) == (
        grpc.StatusCode.NOT_FOUND,
        "AGENT_NOT_FOUND",
    )


PUSH: list[tuple[str, Any]] = [
    ("CreateTaskPushNotificationConfig", old.CreateTaskPushNotificationConfigRequest(parent="tasks/t")),
    ("GetTaskPushNotificationConfig", old.GetTaskPushNotificationConfigRequest(name="nonsense")),
    ("ListTaskPushNotificationConfig", old.ListTaskPushNotificationConfigRequest(parent="tasks/t")),
    ("DeleteTaskPushNotificationConfig", old.DeleteTaskPushNotificationConfigRequest(name="tasks/t")),
]
no_content, no_name = request("x"), old.GetTaskRequest(name="t")
no_content.request.ClearField("content")
push = request("x")
push.configuration.push_notification.url = "https://example.com"

# Call, code in 1.0.1, code in 1.0.0, reason.
FAILURES: list[tuple[str, Any, str, str, str]] = [
    *[
        (method, message, "FAILED_PRECONDITION", "UNIMPLEMENTED", "PUSH_NOTIFICATION_NOT_SUPPORTED")
        for method, message in [*PUSH, ("SendMessage", push)]
    ],
    ("GetTask", old.GetTaskRequest(name="tasks/no"), "NOT_FOUND", "NOT_FOUND", "TASK_NOT_FOUND"),
    (
        "CancelTask",
        old.CancelTaskRequest(name="tasks/over"),
        "FAILED_PRECONDITION",
        "FAILED_PRECONDITION",
        "TASK_NOT_CANCELABLE",
    ),
    ("GetTask", no_name, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_PARAMS"),
    ("SendMessage", no_content, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "INVALID_PARAMS"),
    ("SendMessage", request("bug"), "INTERNAL", "INTERNAL", "INTERNAL"),
]


@pytest.mark.parametrize(("method", "message", "code", "code_1_0_0", "reason"), FAILURES)
@pytest.mark.parametrize("edition", ["1.0.1", "1.0.0"])
async def test_failures_come_with_their_reason(
    start_gateway: Any, edition: str, method: str, message: Any, code: str, code_1_0_0: str, reason: str
) -> None:
    """Issue 5: one table of errors, in the configured edition, with an ErrorInfo on every binding."""
    gateway = await start_gateway(a2a={"errors": edition})
    async with gateway.channel() as channel:
        with pytest.raises(AioRpcError) as error:
            await getattr(old_grpc.A2AServiceStub(channel), method)(message, timeout=5)
    assert error.value.code().name == (code if edition == "1.0.1" else code_1_0_0)
    assert info_of(error.value).reason == reason
    assert "hunter2" not in str(error.value)
    assert any(key == "x-request-id" for key, _ in error.value.trailing_metadata() or ())


async def test_wrong_fields_are_named_as_in_json(gateway: Any) -> None:
    wrong = request("x")
    wrong.request.role = 99
    wrong.request.content.add()
    async with gateway.channel() as channel:
        with pytest.raises(AioRpcError) as error:
            await old_grpc.A2AServiceStub(channel).SendMessage(wrong, timeout=5)
    found = BadRequest()
    assert any(detail.Unpack(found) for detail in status_of(error.value).details)
    assert {one.field: one.description for one in found.field_violations} == {
        "message.role": "one of ROLE_USER, ROLE_AGENT is needed here",
        "message.parts[1]": "one of text, raw, url, data is required",
    }


@pytest.mark.parametrize(
    ("version", "fine"),
    [("", True), ("0.3", True), ("0.3.0", True), ("1.0", False), ("0.2", False), ("x", False)],
)
async def test_a_version_that_is_said_must_be_the_packages(gateway: Any, version: str, fine: bool) -> None:
    async with gateway.channel() as channel:
        stub = old_grpc.A2AServiceStub(channel)
        metadata = [("a2a-version", version)]
        for call in (
            stub.GetTask(old.GetTaskRequest(name="tasks/t"), metadata=metadata, timeout=5),
            stub.GetAgentCard(old.GetAgentCardRequest(), metadata=metadata, timeout=5),
        ):
            if fine:
                await call
                continue
            with pytest.raises(AioRpcError) as error:
                await call
            assert info_of(error.value).reason == "VERSION_NOT_SUPPORTED"
            assert error.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_the_card_is_that_of_03(gateway: Any) -> None:
    async with gateway.channel() as channel:
        stub = old_grpc.A2AServiceStub(channel)
        card = await stub.GetAgentCard(old.GetAgentCardRequest(), timeout=5)
        other = await stub.GetAgentCard(
            old.GetAgentCardRequest(), metadata=[("agent-name", "whole")], timeout=5
        )
        with pytest.raises(AioRpcError) as error:
            await stub.GetAgentCard(old.GetAgentCardRequest(), metadata=[("agent-name", "hidden")], timeout=5)
    assert (card.name, card.protocol_version, card.preferred_transport) == ("Helper", "0.3.0", "JSONRPC")
    assert card.capabilities.streaming
    port = gateway.grpc_address.rpartition(":")[2]
    grpc_urls = [one.url for one in card.additional_interfaces if one.transport == "GRPC"]
    assert [url.rpartition(":")[2] for url in grpc_urls] == [port]
    assert other.name == "whole"
    # Nothing in a card of 0.3 could say that metadata is needed to reach this agent there.
    assert "GRPC" not in [one.transport for one in other.additional_interfaces]
    assert info_of(error.value).reason == "AGENT_NOT_FOUND"


async def test_a_credential_is_asked_for_as_in_10(start_gateway: Any) -> None:
    gateway = await start_gateway(auth={"api_keys": ["the-key"]})
    async with gateway.channel() as channel:
        stub = old_grpc.A2AServiceStub(channel)
        for call in (
            stub.GetTask(old.GetTaskRequest(name="tasks/t")),
            stub.GetAgentCard(old.GetAgentCardRequest()),
        ):
            with pytest.raises(AioRpcError) as error:
                await call
            assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
        metadata = [("authorization", "Bearer the-key")]
        await stub.GetTask(old.GetTaskRequest(name="tasks/t"), metadata=metadata, timeout=5)
        health = health_pb2_grpc.HealthStub(channel)
        found = await health.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=5)
        assert found.status == health_pb2.HealthCheckResponse.SERVING


async def test_reflection_describes_both_services(gateway: Any) -> None:
    """What grpcurl asks before it calls anything."""
    symbols = [SERVICE, a2a.SERVICE]
    asked = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol) for symbol in symbols]
    async with gateway.channel() as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter(asked), timeout=5)
        found = [answer.WhichOneof("message_response") async for answer in call]
    assert found == ["file_descriptor_response"] * 2


async def test_the_official_client_of_03_gets_on(gateway: Any) -> None:
    """a2a-sdk's transport for servers of 0.3, with its own names for our errors."""
    config = ClientConfig(grpc_channel_factory=grpc.aio.insecure_channel)
    client = CompatGrpcTransport.create(a2a.AgentCard(), gateway.grpc_address, config)
    said = a2a.SendMessageRequest()
    said.message.message_id, said.message.role = "m", a2a.ROLE_USER
    said.message.parts.add(raw=b"\x89PNG\x00", media_type="image/png", filename="dot.png")
    said.message.parts.add(text="x")
    await client.send_message(said)
    part = gateway.fake.requests[-1].message.parts[0]
    assert (part.raw, part.media_type, part.filename) == (b"\x89PNG\x00", "image/png", "dot.png")
    del said.message.parts[0]
    said.message.parts[0].text = "one two"
    events = [event.WhichOneof("payload") async for event in client.send_message_streaming(said)]
    assert events == ["task", "artifact_update", "artifact_update", "status_update"]
    assert (await client.get_task(a2a.GetTaskRequest(id="t"))).artifacts[0].parts[0].text == "kept"
    with pytest.raises(TaskNotFoundError, match="no task 'gone' is known here"):
        await client.get_task(a2a.GetTaskRequest(id="gone"))
    with pytest.raises(TaskNotCancelableError):
        await client.cancel_task(a2a.CancelTaskRequest(id="over"))
    assert (await client.get_extended_agent_card(a2a.GetExtendedAgentCardRequest())).name == "Helper"
    await client.close()
