"""What strangers may throw at the gRPC port: each is told what is wrong, and the port goes on."""

from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Value
from google.rpc.error_details_pb2 import BadRequest
from grpc.aio import AioRpcError

import hector_a2a as a2a
from hector_mesh import info_of, status_of

SERVICES = [a2a.SERVICE, "a2a.v1.A2AService"]


def varint(number: int) -> bytes:
    """Return a length as protobuf writes it."""
    found = b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def within(field: int, inner: bytes) -> bytes:
    return bytes([field << 3 | 2]) + varint(len(inner)) + inner


def deep(levels: int) -> bytes:
    """Return a send whose message has metadata nested so deep, in either contract."""
    value = within(3, b"x")
    for _ in range(levels):
        value = within(5, within(1, within(1, b"k") + within(2, value)))
    metadata = within(6, within(1, within(1, b"k") + within(2, value)))
    return metadata


def message(metadata: bytes) -> bytes:
    return within(1, b"m") + b"\x20\x01" + within(5, within(1, b"x")) + metadata


FIELD = {a2a.SERVICE: 2, "a2a.v1.A2AService": 1}
BROKEN = {
    "cut off": lambda field: within(field, message(b""))[:-3],
    "no protobuf": lambda field: b"\xff" * 50,
    "json": lambda field: b'{"message": {"parts": []}}',
    "not utf-8": lambda field: within(field, within(1, b"\xff\xfe")),
    "a hundred thousand levels": lambda field: within(field, message(deep(20_000))),
    "a length beyond the end": lambda field: bytes([field << 3 | 2]) + b"\xff\xff\xff\xff\x07",
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("service", SERVICES)
async def test_what_cannot_be_read_is_the_clients_mistake(gateway: Any, service: str, what: str) -> None:
    """Ours: grpc itself would say INTERNAL, in the parser's words."""
    for method in ("SendMessage", "SendStreamingMessage"):
        error = await refused(gateway, f"/{service}/{method}", BROKEN[what](FIELD[service]))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert info_of(error).reason == "UNREADABLE_REQUEST"
        assert "SendMessageRequest" in (error.details() or "")
    assert gateway.fake.requests == []


@pytest.mark.parametrize("service", SERVICES)
async def test_metadata_may_be_as_deep_as_in_json(gateway: Any, service: str) -> None:
    async with gateway.channel() as channel:
        call = channel.unary_unary(f"/{service}/SendMessage")
        assert await call(within(FIELD[service], message(deep(20))), timeout=5)
    error = await refused(gateway, f"/{service}/SendMessage", within(FIELD[service], message(deep(29))))
    assert violations(error) == {"message.metadata": "nested deeper than 28 levels"}


@pytest.mark.parametrize("service", SERVICES)
async def test_an_empty_request_is_told_what_it_lacks(gateway: Any, service: str) -> None:
    assert violations(await refused(gateway, f"/{service}/SendMessage", b"")) == {"message": "required"}
    empty = await refused(gateway, f"/{service}/SendMessage", within(FIELD[service], b""))
    assert violations(empty) == {
        "message.messageId": "required",
        "message.role": "required",
        "message.parts": "required",
    }


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("SendMessage", {}),
    ("SendMessage", {"message": {}}),
    ("SendMessage", {"message": {"messageId": "m", "role": 99, "parts": [{"text": "x"}]}}),
    ("SendMessage", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": []}}),
    ("SendMessage", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{}, {"text": "x"}, {}]}}),
    ("GetTask", {}),
    ("CancelTask", {}),
    ("ListTasks", {"status": 77}),
]


@pytest.mark.parametrize(("method", "params"), WRONG)
async def test_the_same_fields_are_wrong_over_grpc_and_json(
    gateway: Any, method: str, params: dict[str, Any]
) -> None:
    """Issue 5: errors with identical meaning on every binding."""
    told = (await gateway.rpc(method, params))["error"]["data"]
    fields = next(detail["fieldViolations"] for detail in told if "fieldViolations" in detail)
    error = await refused(gateway, f"/{a2a.SERVICE}/{method}", as_protobuf(method, params))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violations(error) == {one["field"]: one["description"] for one in fields}


def as_protobuf(method: str, params: dict[str, Any]) -> bytes:
    request = getattr(a2a, f"{method}Request")()
    if "message" in params:
        request.message.SetInParent()
        request.message.message_id = params["message"].get("messageId", "")
        role = params["message"].get("role", 0)
        request.message.role = 1 if role == "ROLE_USER" else role
        for part in params["message"].get("parts", ()):
            request.message.parts.add(**part)
    if "status" in params:
        request.status = params["status"]
    found: bytes = request.SerializeToString()
    return found


async def test_numbers_that_are_none_and_times_beyond_time_are_refused(gateway: Any) -> None:
    send = a2a.SendMessageRequest()
    send.message.message_id, send.message.role = "m", a2a.ROLE_USER
    send.message.parts.add(data=Value(number_value=float("inf")))
    wrong = violations(await refused(gateway, f"/{a2a.SERVICE}/SendMessage", send.SerializeToString()))
    assert wrong == {"message.parts[0].data": "a finite number is needed here"}
    listing = a2a.ListTasksRequest()
    listing.status_timestamp_after.seconds = 2**62
    wrong = violations(await refused(gateway, f"/{a2a.SERVICE}/ListTasks", listing.SerializeToString()))
    assert list(wrong) == ["statusTimestampAfter"]


@pytest.mark.parametrize(
    "path",
    ["/a2a.v1.A2AService/ListTasks", "/lf.a2a.v1.A2AService/Nothing", "/no.Service/At" + "x" * 500, "/"],
)
async def test_a_method_that_is_not_there_is_said_to_be_none(gateway: Any, path: str) -> None:
    error = await refused(gateway, path, b"")
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert info_of(error).reason == "METHOD_NOT_FOUND"
    assert len(error.details() or "") < 400


async def test_every_answer_names_its_request(gateway: Any) -> None:
    """Ours: x-request-id in trailing metadata, the client's own if it makes sense."""
    async with gateway.channel() as channel:
        stub = a2a.A2AServiceStub(channel)
        call = stub.GetTask(a2a.GetTaskRequest(id="t"), metadata=[("x-request-id", "mine-1")], timeout=5)
        await call
        assert (await call.trailing_metadata())["x-request-id"] == "mine-1"
        call = stub.SubscribeToTask(a2a.SubscribeToTaskRequest(id="t"), timeout=5)
        assert [event async for event in call]
        assert len((await call.trailing_metadata())["x-request-id"]) == 16
        failing = stub.GetTask(
            a2a.GetTaskRequest(id="no"), metadata=[("x-request-id", "x" * 5000)], timeout=5
        )
        with pytest.raises(AioRpcError) as error:
            await failing
    assert len((error.value.trailing_metadata() or {})["x-request-id"]) == 16


async def test_two_names_for_the_agent_must_agree(gateway: Any) -> None:
    """A2A 1.0, 13: where the path and the body name tenants that differ, the request is refused."""
    async with gateway.channel() as channel:
        stub = a2a.A2AServiceStub(channel)
        metadata = [("agent-name", "whole")]
        for tenant in ("", "whole", "default/whole"):
            await stub.GetTask(a2a.GetTaskRequest(id="t", tenant=tenant), metadata=metadata, timeout=5)
        with pytest.raises(AioRpcError) as error:
            await stub.GetTask(a2a.GetTaskRequest(id="t", tenant="helper"), metadata=metadata, timeout=5)
    assert list(violations(error.value)) == ["tenant"]


async def refused(gateway: Any, path: str, wire: bytes) -> AioRpcError:
    async with gateway.channel() as channel:
        with pytest.raises(AioRpcError) as error:
            await channel.unary_unary(path)(wire, timeout=5)
    assert any(key == "x-request-id" for key, _ in error.value.trailing_metadata() or ())
    return error.value


def violations(error: AioRpcError) -> dict[str, str]:
    found = BadRequest()
    assert any(detail.Unpack(found) for detail in status_of(error).details)
    return {one.field: one.description for one in found.field_violations}


@pytest.mark.parametrize("limit", [None, 20_000])
async def test_metadata_has_the_limit_of_headers(start_gateway: Any, limit: int | None) -> None:
    """Ours: always, and not as grpc has it, by chance where it is little more."""
    limits = {} if limit is None else {"max_header_size": limit}
    gateway = await start_gateway(limits=limits)
    most = limit or 65_536
    async with gateway.channel() as channel:
        stub = a2a.A2AServiceStub(channel)
        assert await stub.GetTask(
            a2a.GetTaskRequest(id="t"), metadata=[("x", "y" * (most - 2_000))], timeout=5
        )
        for _ in range(20):
            with pytest.raises(AioRpcError) as error:
                await stub.GetTask(
                    a2a.GetTaskRequest(id="t"), metadata=[("x", "y" * (most + 500))], timeout=5
                )
            assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await stub.GetTask(a2a.GetTaskRequest(id="t"), timeout=5)
