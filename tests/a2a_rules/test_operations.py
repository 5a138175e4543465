"""A2A 1.0 sections 5.3, 9 and 11, and 1.2 of the table: where operations are, and how to ask for them."""

import json
from typing import Any

import grpc
import pytest
from a2a_rules import wire
from a2a_rules.house import House
from a2a_rules.reading import refused_by, state_of, text_of
from a2a_rules.table import keeps
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from support import door_words
from support.doors import Door, Refused, sending

OPERATIONS: dict[str, dict[str, Any]] = {
    "SendMessage": sending("hi"),
    "SendStreamingMessage": sending("hi"),
    "GetTask": {"id": "gone"},
    "ListTasks": {},
    "CancelTask": {"id": "gone"},
    "SubscribeToTask": {"id": "gone"},
    "CreateTaskPushNotificationConfig": {"taskId": "gone", "url": "https://hooks.test/"},
    "GetTaskPushNotificationConfig": {"taskId": "gone", "id": "c"},
    "ListTaskPushNotificationConfigs": {"taskId": "gone"},
    "DeleteTaskPushNotificationConfig": {"taskId": "gone", "id": "c"},
    "GetExtendedAgentCard": {},
}
"""Every operation, with something to ask for. What is gone is not found, and that is an answer, too."""
NO_SUCH_OPERATION = (-32601, 405, 501, "UNIMPLEMENTED")


@keeps("1.2-names")
@pytest.mark.parametrize("rpc", OPERATIONS)
async def test_every_operation_is_found_under_its_name(door: Door, house: House, rpc: str) -> None:
    assert {*OPERATIONS} == {*door_words.RESPONSES}, "the contract has no others"
    if rpc in door.unknown or (rpc == "ListTasks" and door.version == "0.3"):
        pytest.skip("1.2-list-in-03 says what these do")
    door = house.door(type(door), "pusher")
    reason, code = await outcome(door, rpc)
    if rpc == "GetExtendedAgentCard":
        assert reason in ("", "UNSUPPORTED_OPERATION", "EXTENDED_AGENT_CARD_NOT_CONFIGURED")
    elif "gone" in OPERATIONS[rpc].values():
        assert reason == "TASK_NOT_FOUND"
    else:
        assert reason == ""
    assert code not in NO_SUCH_OPERATION


async def outcome(door: Door, rpc: str) -> tuple[str, int | str]:
    """Return how an operation is refused; ("", 0) when it is not."""
    try:
        if rpc in ("SendStreamingMessage", "SubscribeToTask"):
            async with door.stream(rpc, OPERATIONS[rpc]) as events:
                await anext(aiter(events))
        else:
            await door.call(rpc, OPERATIONS[rpc])
    except Refused as refused:
        return refused.reason, refused.code
    return "", 0


@keeps("1.2-names-unknown")
async def test_what_is_no_operation_is_not_there(door: Door) -> None:
    if door.binding == "JSONRPC":
        for method in ("DoMagic" if door.version == "1.0" else "tasks/magic", "sendMessage"):
            found = await wire.send(door, "POST", "", {"jsonrpc": "2.0", "id": 1, "method": method})
            assert found.error["code"] == -32601
    elif door.binding == "HTTP+JSON":
        below = "" if door.version == "1.0" else "/v1"
        for path in ("/message:magic", "/tasks/t:magic/x", "/magic"):
            found = await wire.send(door, "POST", below + path, {})
            assert found.status in (404, 405), path
            assert found.error["details"]
    else:
        call = door.place.channel.unary_unary(f"/{door.service}/DoMagic")  # type: ignore[attr-defined]
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(b"", metadata=tuple(door.always.items()), timeout=5)
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


@keeps("1.2-list-in-03")
async def test_listing_is_not_known_to_these(door: Door) -> None:
    if door.binding == "JSONRPC":
        found = await wire.send(door, "POST", "", {"jsonrpc": "2.0", "id": 1, "method": "tasks/list"})
        assert found.error["code"] == -32601
    else:
        call = door.place.channel.unary_unary("/a2a.v1.A2AService/ListTasks")
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(b"", metadata=tuple(door.always.items()), timeout=5)
        assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


@keeps("1.2-list-in-03-rest")
async def test_03_lists_over_http_json(door: Door) -> None:
    task = await door.send("hi")
    found = await wire.send(door, "GET", f"/v1/tasks?contextId={task['contextId']}")
    assert [one["id"] for one in found.result["tasks"]] == [task["id"]]
    assert found.result["tasks"][0]["status"]["state"] == "TASK_STATE_COMPLETED"


@keeps("1.2-subscribe-verbs", "1.14-subscribe-verb")
async def test_a_subscription_is_asked_for_with_get_and_post(door: Door) -> None:
    """The contract says GET, the text POST; clients do either."""
    task = (await door.send("ask"))["id"]
    await door.cancel(task)
    below = "" if door.version == "1.0" else "/v1"
    for verb, body in (("GET", None), ("POST", None), ("POST", {}), ("POST", b"null")):
        for name, reason in ((task, "UNSUPPORTED_OPERATION"), ("gone", "TASK_NOT_FOUND")):
            found = await wire.send(door, verb, f"{below}/tasks/{name}:subscribe", body)
            assert found.error["details"][0]["reason"] == reason, (verb, body)


@keeps("1.2-cancel-without-body")
@pytest.mark.parametrize("body", [{}, b"", b"null", {"metadata": {"why": "x"}}, None])
async def test_cancelling_takes_an_object_nothing_or_null(door: Door, body: Any) -> None:
    task = (await door.send("ask"))["id"]
    below = "" if door.version == "1.0" else "/v1"
    found = await wire.send(door, "POST", f"{below}/tasks/{task}:cancel", body)
    assert found.status == 200, found.body
    assert state_of(await door.get(task)) == "CANCELED"


@keeps("1.2-verbs")
async def test_a_verb_that_does_nothing_is_answered_with_those_that_do(door: Door) -> None:
    below = "" if door.version == "1.0" else "/v1"
    for verb, path, allowed in (
        ("GET", "/message:send", {"POST"}),
        ("DELETE", "/tasks/t", {"GET", "HEAD"}),
        ("PUT", "/tasks", {"GET", "HEAD"}),
        ("GET", "/tasks/t:cancel", {"POST"}),
        ("PATCH", "/tasks/t/pushNotificationConfigs", {"GET", "HEAD", "POST"}),
        ("POST", "/tasks/t/pushNotificationConfigs/c", {"GET", "HEAD", "DELETE"}),
    ):
        found = await wire.send(door, verb, below + path)
        assert found.status == 405, path
        assert {*found.headers["allow"].split(", ")} == allowed, path


@keeps("1.2-delete-says-nothing")
async def test_deleting_a_push_config_answers_with_nothing(door: Door, house: House) -> None:
    pusher = house.door(type(door), "pusher")
    task = (await pusher.send("ask"))["id"]
    config = await pusher.set_push(task, "http://127.0.0.1:9/")
    answer = await pusher.call("DeleteTaskPushNotificationConfig", {"taskId": task, "id": config["id"]})
    assert answer.found == {}


@keeps("1.2-rpc-id")
@pytest.mark.parametrize("name", ["text", "", 7, 0, -1, 1.5, None])
async def test_an_answer_has_its_requests_id(door: Door, name: Any) -> None:
    _, _, body = wire.request_of(door, "SendMessage", sending("hi"))
    found = await wire.send(door, "POST", "", {**body, "id": name})
    assert found.json["id"] == name
    assert type(found.json["id"]) is type(name)
    _, _, body = wire.request_of(door, "GetTask", {"id": "gone"})
    found = await wire.send(door, "POST", "", {**body, "id": name})
    assert (found.json["id"], found.error["code"]) == (name, -32001)


MALFORMED: list[tuple[bytes, int]] = [
    (b"", -32700),
    (b"{", -32700),
    (b"\xff\xfe", -32700),
    (b'{"jsonrpc": "2.0", "id": 1,}', -32700),
    (b"1", -32600),
    (b"null", -32600),
    (b'"text"', -32600),
    (b'{"id": 1, "method": "GetTask"}', -32600),
    (b'{"jsonrpc": "1.0", "id": 1, "method": "GetTask"}', -32600),
    (b'{"jsonrpc": "2.0", "id": 1}', -32600),
    (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', -32600),
    (b'{"jsonrpc": "2.0", "id": {}, "method": "GetTask"}', -32600),
    (b'{"jsonrpc": "2.0", "id": [1], "method": "GetTask"}', -32600),
    (b'{"jsonrpc": "2.0", "id": true, "method": "GetTask"}', -32600),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "Nothing"}', -32601),
]


@keeps("1.2-rpc-envelope")
@pytest.mark.parametrize(("body", "code"), MALFORMED, ids=[repr(body) for body, _ in MALFORMED])
async def test_what_is_no_request_is_refused(door: Door, body: bytes, code: int) -> None:
    found = await wire.send(door, "POST", "", body)
    assert found.status == 200
    assert found.error["code"] == code
    assert found.json["jsonrpc"] == "2.0"
    assert "id" in found.json
    params = b'{"jsonrpc": "2.0", "id": 1, "method": "%s", "params": [1]}'
    method = b"GetTask" if door.version == "1.0" else b"tasks/get"
    assert (await wire.send(door, "POST", "", params % method)).error["code"] == -32602


@keeps("1.2-rpc-notification")
async def test_a_request_without_an_id_is_not_answered(door: Door) -> None:
    _, _, body = wire.request_of(door, "SendMessage", sending("hi"))
    del body["id"]
    found = await wire.send(door, "POST", "", body)
    assert (found.status, found.body) == (204, b"")


@keeps("1.2-rpc-batch")
async def test_a_batch_is_refused(door: Door) -> None:
    _, _, body = wire.request_of(door, "GetTask", {"id": "gone"})
    for batch in ([body, body], [body], []):
        found = await wire.send(door, "POST", "", json.dumps(batch).encode())
        assert (found.status, found.error["code"]) == (200, -32600)


@keeps("1.2-one-grpc-port")
async def test_both_grpc_services_stand_at_one_port(house: House) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(house.place.channel)
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    metadata = (("authorization", "Bearer key-of-ada"),)
    call = stub.ServerReflectionInfo(iter([ask]), metadata=metadata, timeout=5)
    listed = {one.name async for answer in call for one in answer.list_services_response.service}
    assert {"lf.a2a.v1.A2AService", "a2a.v1.A2AService", "grpc.health.v1.Health"} <= listed


@keeps("1.2-ids-in-paths")
async def test_whatever_stands_in_an_id_can_stand_in_a_path(door: Door, house: House) -> None:
    for name in ("a/b", "/", "a b", "ü", "x?y#z", "a%2Fb", "a//b/", "q&r=s", "+"):
        refused = await refused_by(door.get(name))
        assert (refused.reason, refused.facts.get("taskId")) == ("TASK_NOT_FOUND", name)
    pusher = house.door(type(door), "pusher")
    task = (await pusher.send("ask"))["id"]
    if door.version == "1.0":  # in 0.3's names of resources a slash ends an id
        made = await pusher.set_push(task, "http://127.0.0.1:9/", id="my/config?")
        assert (await pusher.get_push(task, "my/config?"))["id"] == made["id"] == "my/config?"
        await pusher.delete_push(task, "my/config?")
        assert await pusher.list_push(task) == []


@keeps("1.2-tenant-in-path")
async def test_every_path_is_there_below_a_tenant(door: Door) -> None:
    task = await door.send("ask")
    found = await wire.send(door, "POST", "//actor/message:send", sending("hi"))
    assert text_of(found.result["task"]) == "you said: hi"
    found = await wire.send(door, "GET", f"//actor/tasks/{task['id']}")
    assert found.result["id"] == task["id"]
    found = await wire.send(door, "GET", f"//actor/tasks?contextId={task['contextId']}")
    assert found.result["totalSize"] == 1
    found = await wire.send(door, "POST", f"//actor/tasks/{task['id']}:cancel")
    assert state_of(found.result) == "CANCELED"
    found = await wire.send(door, "GET", f"//actor/tasks/{task['id']}:subscribe")
    assert found.error["details"][0]["reason"] == "UNSUPPORTED_OPERATION"
    found = await wire.send(door, "GET", "//actor/tasks/t/pushNotificationConfigs/c")
    assert found.error["details"][0]["reason"] != "NO_SUCH_PATH"
    found = await wire.send(door, "GET", "//actor/extendedAgentCard")
    assert found.error["details"][0]["reason"] != "NO_SUCH_PATH"


@keeps("1.2-aliases")
async def test_the_documented_paths_lead_to_the_same(door: Door) -> None:
    verb, path, body = wire.request_of(door, "SendMessage", sending("hi"))
    below = path.removeprefix("/v1")
    found = (await wire.send(door, verb, f"//v1/agents/actor{below}", body)).result
    found = found.get("task", found)
    assert found["id"] == (await door.get(found["id"]))["id"]


@keeps("1.2-discovery")
async def test_cards_are_at_the_well_known_path(house: House) -> None:
    default, named = await house.place.public_card(""), await house.place.public_card("whole")
    assert default.found["name"] == "actor"
    assert named.found["name"] == "whole"
    assert (await house.place.public_card("nobody")).found is None
