"""A2A 0.3, and 1.15 of the table: where it differs from 1.0, field by field and both ways."""

import json
from typing import Any
from uuid import uuid4

import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2 as old
from a2a.compat.v0_3 import types as v03
from a2a_rules import wire
from a2a_rules.actor import let_go
from a2a_rules.house import House
from a2a_rules.reading import all_of, known_by, refused_by, state_of, states_in, text_in, text_of, until
from a2a_rules.table import keeps
from support.doors import DOORS, Door, sending
from support.published import EVENT, read_event_v03, read_v03, same

PARTS_V1: list[Any] = [
    {"text": "words", "metadata": {"n": 1}},
    {"raw": "aGk=", "mediaType": "image/png", "filename": "a.png"},
    {"url": "https://files.test/x", "mediaType": "text/html", "filename": "x.html", "metadata": {"n": 2}},
    {"data": {"a": {"b": [1, None]}}},
]
PARTS_V03: list[Any] = [
    {"kind": "text", "text": "words", "metadata": {"n": 1}},
    {"kind": "file", "file": {"bytes": "aGk=", "mimeType": "image/png", "name": "a.png"}},
    {
        "kind": "file",
        "file": {"uri": "https://files.test/x", "mimeType": "text/html", "name": "x.html"},
        "metadata": {"n": 2},
    },
    {"kind": "data", "data": {"a": {"b": [1, None]}}},
]


async def rpc(door: Door, method: str, params: Any) -> Any:
    """Return the result of a call as it comes."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return (await wire.send(door, "POST", "", body)).result


async def events_of(door: Door, method: str, params: Any) -> list[Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    found = await wire.send(door, "POST", "", body)
    lines = found.body.decode().split("\n")
    return [json.loads(line[6:])["result"] for line in lines if line.startswith("data: ")]


def message(text: str, **more: Any) -> dict[str, Any]:
    parts = [{"kind": "text", "text": text}]
    return {"message": {"kind": "message", "messageId": "m", "role": "user", "parts": parts, **more}}


@keeps("1.15-methods")
async def test_methods_have_03s_names(door: Door) -> None:
    task = (await rpc(door, "message/send", message("ask")))["id"]
    assert (await rpc(door, "tasks/get", {"id": task}))["id"] == task
    assert (await rpc(door, "tasks/cancel", {"id": task}))["status"]["state"] == "canceled"
    assert (await events_of(door, "message/stream", message("hi")))[0]["kind"] == "task"
    for method in (
        "tasks/resubscribe",
        "agent/getAuthenticatedExtendedCard",
        "tasks/pushNotificationConfig/get",
    ):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"id": task}}
        assert (await wire.send(door, "POST", "", body)).error["code"] != -32601, method


@keeps("1.15-result-unwrapped")
async def test_a_result_is_the_thing_itself(door: Door) -> None:
    assert (await rpc(door, "message/send", message("hi")))["kind"] == "task"
    assert (await rpc(door, "message/send", message("plain")))["kind"] == "message"
    kinds = [one["kind"] for one in await events_of(door, "message/stream", message("pieces"))]
    assert {*kinds} == {"task", "status-update", "artifact-update"}
    assert kinds[0] == "task"


@keeps("1.15-shapes", "1.15-enums")
@pytest.mark.parametrize("text", ["hi", "pieces", "note", "ask", "login", "fail", "reject", "plain", "tell"])
async def test_everything_has_03s_members_and_no_others(door: Door, text: str) -> None:
    """The SDK's models of 0.3's schema, with nothing left over."""
    if text == "login":
        found = await rpc(door, "message/send", message(text))
        assert found["status"]["state"] == "auth-required"
        read_v03(found, v03.Task)
        return
    result = read_event_v03(await rpc(door, "message/send", message(text)))
    events = [read_event_v03(one) for one in await events_of(door, "message/stream", message(text))]
    states = {"fail": "failed", "reject": "rejected", "ask": "input-required"}
    if text != "plain":
        assert result.status.state.value == states.get(text, "completed")
        assert events[-1].status.state.value == states.get(text, "completed")
        assert result.history[0].role.value == "user"


@keeps("1.15-parts-in")
async def test_03s_parts_mean_10s(door: Door) -> None:
    params = message("tell")
    params["message"]["parts"] += PARTS_V03
    task = await rpc(door, "message/send", params)
    known = task["artifacts"][0]["parts"][0]["data"]
    assert known["message"]["parts"][1:] == PARTS_V1


@keeps("1.15-parts-out")
async def test_10s_parts_are_told_as_03s(door: Door) -> None:
    params = message("back")
    params["message"]["parts"] += PARTS_V03
    task = await rpc(door, "message/send", params)
    assert task["artifacts"][0]["parts"] == PARTS_V03
    assert task["history"][0]["parts"][1:] == PARTS_V03
    (update,) = [
        one for one in await events_of(door, "message/stream", params) if one["kind"] == "artifact-update"
    ]
    assert update["artifact"]["parts"] == PARTS_V03


@keeps("1.15-data-wrapped")
async def test_data_that_is_no_object_is_wrapped_and_unwrapped(door: Door, house: House) -> None:
    """As the SDK does it: `{"value": …}` with a mark in the metadata."""
    task = await door.send("any")
    assert task["artifacts"][0]["parts"] == [{"data": [1, "two"]}, {"data": "three"}]
    if door.binding == "JSONRPC":
        found = await rpc(door, "tasks/get", {"id": task["id"]})
        part = found["artifacts"][0]["parts"][0]
        assert part == {"kind": "data", "data": {"value": [1, "two"]}, "metadata": {"data_part_compat": True}}
        params = message("tell")
        params["message"]["parts"].append(part)
        known = (await rpc(door, "message/send", params))["artifacts"][0]["parts"][0]["data"]
        assert known["message"]["parts"][1] == {"data": [1, "two"]}


@keeps("1.15-final")
@pytest.mark.parametrize("text", ["hi", "fail", "reject", "ask", "note"])
async def test_status_updates_are_final_where_streams_end(door: Door, text: str) -> None:
    updates = [event.raw for event in await all_of(door.streamed(text)) if "statusUpdate" in event.found]
    finals = [is_final(raw) for raw in updates]
    assert finals[-1] is True
    assert not any(finals[:-1])
    async with door.streamed("login") as events:
        assert is_final((await until(events, "AUTH_REQUIRED"))[-1].raw) is False, "the stream goes on"


def is_final(raw: Any) -> bool:
    """Return `final` of a status update, as it came."""
    if isinstance(raw, old.StreamResponse):
        return raw.status_update.final
    found = raw.get("result", raw)
    return bool(found.get("statusUpdate", found).get("final", False))


@keeps("1.15-blocking")
async def test_blocking_false_returns_at_once(door: Door) -> None:
    key = uuid4().hex
    task = await door.call("SendMessage", sending(f"hold {key}", wait=False))
    assert state_of(task.found["task"]) in ("SUBMITTED", "WORKING")
    let_go[key].set()
    done = await door.call("SendMessage", sending("hi", wait=True))
    assert state_of(done.found["task"]) == "COMPLETED"
    said_nothing = await door.call("SendMessage", sending("hi"))
    assert state_of(said_nothing.found["task"]) == "COMPLETED"


@keeps("1.15-push-nested")
async def test_a_push_config_is_nested(door: Door, house: House) -> None:
    pusher = house.door(type(door), "pusher")
    task = (await pusher.send("ask"))["id"]
    config = {
        "id": "mine",
        "url": "http://127.0.0.1:9/x",
        "authentication": {"schemes": ["Bearer"], "credentials": "hidden"},
    }
    made = await rpc(
        pusher, "tasks/pushNotificationConfig/set", {"taskId": task, "pushNotificationConfig": config}
    )
    read_v03(made, v03.TaskPushNotificationConfig)
    assert made["taskId"] == task
    assert made["pushNotificationConfig"]["id"] == "mine"
    assert made["pushNotificationConfig"]["authentication"]["schemes"] == ["Bearer"]
    asked = {"id": task, "pushNotificationConfigId": "mine"}
    assert await rpc(pusher, "tasks/pushNotificationConfig/get", asked) == made
    assert await rpc(pusher, "tasks/pushNotificationConfig/list", {"id": task}) == [made]
    assert await rpc(pusher, "tasks/pushNotificationConfig/delete", asked) is None
    assert await rpc(pusher, "tasks/pushNotificationConfig/list", {"id": task}) == []
    nameless = {"taskId": task, "pushNotificationConfig": {"url": config["url"]}}
    made = await rpc(pusher, "tasks/pushNotificationConfig/set", nameless)
    assert await rpc(pusher, "tasks/pushNotificationConfig/get", {"id": task}) == made


@keeps("1.15-history-zero")
async def test_a_history_length_of_zero_is_none(door: Door) -> None:
    task = (await door.send("ask"))["id"]
    whole = (await door.get(task))["history"]
    assert (await door.get(task, historyLength=0))["history"] == whole
    sent = await door.send("hi", taskId=task, configuration={"historyLength": 0})
    assert sent["history"][: len(whole)] == whole


@keeps("1.15-names-not-ids")
async def test_over_grpc_tasks_have_names(door: Door) -> None:
    task = (await door.send("ask"))["id"]
    call = door.place.channel.unary_unary(
        "/a2a.v1.A2AService/GetTask",
        request_serializer=old.GetTaskRequest.SerializeToString,
        response_deserializer=old.Task.FromString,
    )
    said = (*door.always.items(), ("agent-name", "actor"))
    assert (await call(old.GetTaskRequest(name=f"tasks/{task}"), metadata=said, timeout=5)).id == task
    for name in (task, "", f"tasks/{task}/x", "tasks/"):
        with pytest.raises(Exception, match="INVALID_ARGUMENT"):
            await call(old.GetTaskRequest(name=name), metadata=said, timeout=5)


@keeps("1.15-subscribe-to-finished")
async def test_a_subscription_to_a_task_that_is_over_shows_it(door: Door) -> None:
    task = await door.send("hi")
    events = await all_of(door.subscribe(task["id"]))
    assert [event.found for event in events] == [{"task": task}]
    assert (await refused_by(all_of(door.subscribe("gone")))).reason == "TASK_NOT_FOUND"


@keeps("1.15-objects-over-rest")
async def test_http_json_takes_both_kinds_of_json(door: Door) -> None:
    """The text's examples have its objects' JSON, its SDKs speak its proto's."""
    params = message("back")
    params["message"]["parts"] += PARTS_V03
    found = (await wire.send(door, "POST", "/v1/message:send", params)).result
    same(found, EVENT.validate_python(found))
    assert found["kind"] == "task"
    assert found["artifacts"][0]["parts"] == PARTS_V03
    spoken = sending("back")
    spoken["message"]["parts"] += PARTS_V1
    task = (await door.call("SendMessage", spoken)).found["task"]
    assert task["artifacts"][0]["parts"] == PARTS_V1


@keeps("1.15-both-ways")
@pytest.mark.parametrize("text", ["pieces", "note", "ask", "reject", "any"])
async def test_what_is_made_at_one_door_reads_the_same_at_every_other(
    door: Door, house: House, text: str
) -> None:
    task = await door.send(text)
    for kind in DOORS:
        other = house.door(kind)
        assert await other.get(task["id"]) == task, kind
        again = known_by(await other.send("tell", contextId=task["contextId"]))
        assert again["context"] == task["contextId"]
    events = await all_of(door.streamed(text))
    assert states_in(events)[-1] == state_of(task)
    assert text_of(await door.get(events[0].found["task"]["id"])) == text_of(task)
    assert text_in(events) or text in ("ask", "reject", "any", "pieces")
