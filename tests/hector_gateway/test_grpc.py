"""The public gRPC port: the mesh's contracts, forwarded for strangers."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from grpc.aio import AioRpcError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import hector_a2a as a2a
from hector.agent.v1 import AgentServiceStub, GetAgentRequest, ListSessionsRequest
from hector_mesh import info_of, status_of


def request(text: str, tenant: str = "") -> a2a.SendMessageRequest:
    found = a2a.SendMessageRequest(tenant=tenant)
    found.message.message_id, found.message.role = "m", a2a.ROLE_USER
    found.message.parts.add(text=text)
    return found


async def test_a_message_is_sent_and_streamed(gateway: Any) -> None:
    """features.md a2a.grpc."""
    async with gateway.channel() as channel:
        stub = a2a.A2AServiceStub(channel)
        found = await stub.SendMessage(request("hello"), timeout=5)
        assert found.task.artifacts[0].parts[0].text == "hello"
        kinds = [event.WhichOneof("payload") async for event in stub.SendStreamingMessage(request("a b"))]
    assert kinds == ["task", "artifact_update", "artifact_update", "status_update"]


async def test_tenant_or_metadata_pick_the_agent(gateway: Any) -> None:
    """Decisions: on the one gRPC port, tenant (or metadata agent-name) picks the agent."""
    async with gateway.channel() as channel:
        stub = a2a.A2AServiceStub(channel)
        await stub.SendMessage(request("x"), timeout=5)
        await stub.SendMessage(request("x", "whole"), timeout=5)
        await stub.SendMessage(request("x", "default/whole"), timeout=5)
        await stub.SendMessage(request("x"), metadata=[("agent-name", "whole")], timeout=5)
    assert [one.tenant for one in gateway.fake.requests] == ["helper", "whole", "whole", "whole"]


# Call, code, reason.
FAILURES: list[tuple[str, Any, grpc.StatusCode, str]] = [
    ("SendMessage", request("x", "hidden"), grpc.StatusCode.NOT_FOUND, "AGENT_NOT_FOUND"),
    ("SendMessage", request("x", "nobody"), grpc.StatusCode.NOT_FOUND, "AGENT_NOT_FOUND"),
    ("GetTask", a2a.GetTaskRequest(id="no"), grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND"),
    (
        "CancelTask",
        a2a.CancelTaskRequest(id="over"),
        grpc.StatusCode.FAILED_PRECONDITION,
        "TASK_NOT_CANCELABLE",
    ),
    ("SendMessage", request("fail first"), grpc.StatusCode.INVALID_ARGUMENT, "CONTENT_TYPE_NOT_SUPPORTED"),
    ("SendMessage", request("bug"), grpc.StatusCode.INTERNAL, "INTERNAL"),
    (
        "ListTasks",
        a2a.ListTasksRequest(page_token="not served"),
        grpc.StatusCode.UNIMPLEMENTED,
        "UNIMPLEMENTED",
    ),
    (
        "GetTaskPushNotificationConfig",
        a2a.GetTaskPushNotificationConfigRequest(task_id="t", id="p"),
        grpc.StatusCode.FAILED_PRECONDITION,
        "PUSH_NOTIFICATION_NOT_SUPPORTED",
    ),
]


@pytest.mark.parametrize(("method", "message", "code", "reason"), FAILURES)
async def test_failures_come_with_their_reason(
    gateway: Any, method: str, message: Any, code: grpc.StatusCode, reason: str
) -> None:
    """A2A 1.0.1: google.rpc.Status with ErrorInfo in grpc-status-details-bin."""
    async with gateway.channel() as channel:
        with pytest.raises(AioRpcError) as error:
            await getattr(a2a.A2AServiceStub(channel), method)(message, timeout=5)
    assert error.value.code() is code
    assert info_of(error.value).reason == reason
    assert status_of(error.value).code == code.value[0]
    assert "hunter2" not in str(error.value)
    assert any(key == "x-request-id" for key, _ in error.value.trailing_metadata() or ())


async def test_the_first_edition_has_other_codes(start_gateway: Any) -> None:
    gateway = await start_gateway(a2a={"errors": "1.0.0"})
    async with gateway.channel() as channel:
        with pytest.raises(AioRpcError) as error:
            await a2a.A2AServiceStub(channel).SendMessage(
                request("x"), metadata=[("a2a-version", "9.0")], timeout=5
            )
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_wrong_fields_are_named_where_a2a_wants_them(gateway: Any) -> None:
    """A2A 1.0: google.rpc.BadRequest beside the ErrorInfo; our mesh has them in the ErrorInfo."""
    async with gateway.channel() as channel:
        with pytest.raises(AioRpcError) as error:
            await a2a.A2AServiceStub(channel).SendMessage(request("bad fields"), timeout=5)
    found = BadRequest()
    assert any(detail.Unpack(found) for detail in status_of(error.value).details)
    assert [(one.field, one.description) for one in found.field_violations] == [("message.parts", "required")]


@pytest.mark.parametrize(
    ("version", "fine"), [("1.0", True), ("1.0.1", True), ("0.3", False), ("2.0", False)]
)
async def test_a_version_that_is_said_must_be_the_packages(gateway: Any, version: str, fine: bool) -> None:
    """A2A 1.0: the package decides; a mismatching a2a-version is an error."""
    async with gateway.channel() as channel:
        call = a2a.A2AServiceStub(channel).GetTask(
            a2a.GetTaskRequest(id="t"), metadata=[("a2a-version", version)], timeout=5
        )
        if fine:
            await call
        else:
            with pytest.raises(AioRpcError) as error:
                await call
            assert info_of(error.value).reason == "VERSION_NOT_SUPPORTED"


async def test_agents_can_be_asked_for(gateway: Any) -> None:
    async with gateway.channel() as channel:
        stub = AgentServiceStub(channel)
        assert (await stub.GetAgent(GetAgentRequest(), timeout=5)).agent.name == "helper"
        with pytest.raises(AioRpcError) as error:
            await stub.GetAgent(GetAgentRequest(agent="hidden"), timeout=5)
        assert error.value.code() is grpc.StatusCode.NOT_FOUND
        with pytest.raises(AioRpcError) as error:
            await stub.ListSessions(ListSessionsRequest(), timeout=5)
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_caller_that_leaves_stops_the_stream_behind_it(gateway: Any) -> None:
    async with gateway.channel() as channel:
        call = a2a.A2AServiceStub(channel).SendStreamingMessage(request("endless"))
        await call.read()
        call.cancel()
        async with asyncio.timeout(5):
            await gateway.fake.stopped.wait()


async def test_the_callers_deadline_goes_along(gateway: Any) -> None:
    async with gateway.channel() as channel:
        with pytest.raises(AioRpcError) as error:
            await a2a.A2AServiceStub(channel).SendMessage(request("hang"), timeout=0.3)
    assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert gateway.fake.calls[-1].remaining() < 1
    async with asyncio.timeout(5):
        await gateway.fake.stopped.wait()


async def test_a_message_that_is_too_large_is_refused(start_gateway: Any) -> None:
    gateway = await start_gateway(limits={"max_body_size": 1000})
    async with gateway.channel() as channel:
        with pytest.raises(AioRpcError) as error:
            await a2a.A2AServiceStub(channel).SendMessage(request("x" * 2000), timeout=5)
    assert info_of(error.value).reason == "BODY_TOO_LARGE"


async def test_a_message_that_is_much_too_large_is_not_read_to_its_end(start_gateway: Any) -> None:
    """Ours: gRPC itself refuses three times what a body may have, and more than a megabyte."""
    gateway = await start_gateway(limits={"max_body_size": 400_000})
    async with gateway.channel() as channel:
        stub = a2a.A2AServiceStub(channel)
        with pytest.raises(AioRpcError) as error:
            await stub.SendMessage(request("x" * 1_150_000), timeout=5)
        assert info_of(error.value).reason == "BODY_TOO_LARGE"
        with pytest.raises(AioRpcError, match="larger than max") as error:
            await stub.SendMessage(request("x" * 1_250_000), timeout=5)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert gateway.fake.requests == []


async def test_health_is_for_everybody_and_reflection_is_not(start_gateway: Any) -> None:
    """Decisions: the probes need no credential, everything else does."""
    gateway = await start_gateway(auth={"api_keys": ["the-key"]})
    async with gateway.channel() as channel:
        health = health_pb2_grpc.HealthStub(channel)
        found = await health.Check(health_pb2.HealthCheckRequest(service=a2a.SERVICE), timeout=5)
        assert found.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(AioRpcError) as error:
            await reflected(channel)
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED
        names = await reflected(channel, ("authorization", "Bearer the-key"))
    assert {a2a.SERVICE, "hector.agent.v1.AgentService", "grpc.health.v1.Health"} <= names


@pytest.mark.parametrize(
    "method",
    [
        "grpc.health.v1.Health/Check",
        "grpc.health.v1.Health/Watch",
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ],
)
async def test_broken_bytes_are_the_callers_mistake_where_health_and_reflection_are_asked_too(
    gateway: Any, method: str
) -> None:
    async with gateway.channel() as channel:
        with pytest.raises(AioRpcError) as error:
            [one async for one in channel.stream_stream(f"/{method}")(iter([b"\xff"]), timeout=5)]
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert info_of(error.value).reason == "UNREADABLE_REQUEST"
    assert method in str(error.value.details())


async def reflected(channel: Any, *metadata: tuple[str, str]) -> set[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    call = stub.ServerReflectionInfo(asked, metadata=metadata, timeout=5)
    return {one.name async for answer in call for one in answer.list_services_response.service}


async def test_the_port_can_be_closed(start_gateway: Any) -> None:
    gateway = await start_gateway(grpc_port=None)
    assert gateway.grpc_address == ""
    assert "result" in await gateway.rpc("GetTask", {"id": "t"})


async def test_a_server_that_stops_names_the_task_that_the_request_named(start_gateway: Any) -> None:
    gateway = await start_gateway(shutdown_timeout=0.1)
    said = request("hang")
    said.message.task_id = "t"
    async with gateway.channel() as channel, asyncio.timeout(5):
        waiting = a2a.A2AServiceStub(channel).SendMessage(said)
        await gateway.fake.begun.wait()
        await gateway.stop()
        with pytest.raises(AioRpcError, match="task 't' may go on") as error:
            await waiting
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert info_of(error.value).metadata == {"taskId": "t"}


async def test_a_server_that_stops_tells_its_streams(start_gateway: Any) -> None:
    gateway = await start_gateway(shutdown_timeout=3)
    async with gateway.channel() as channel:
        call = a2a.A2AServiceStub(channel).SendStreamingMessage(request("quiet"))
        await call.read()
        async with asyncio.timeout(5):
            stopping = asyncio.create_task(gateway.stop())
            with pytest.raises(AioRpcError) as error:
                await call.read()
            await stopping
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
