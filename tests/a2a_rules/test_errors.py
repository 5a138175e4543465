"""A2A 1.0 sections 5.4, 9.5, 10.6 and 11.6, and 1.9 of the table: what clients are told of failures."""

import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from a2a_rules import faulty, wire
from a2a_rules import house as houses
from a2a_rules.house import House
from a2a_rules.reading import all_of, refused_by
from a2a_rules.table import keeps
from google.rpc.status_pb2 import Status
from support import door_words
from support.doors import Door, sending

# What edition 1.0.1 says, by JSON-RPC, HTTP+JSON and gRPC; and where 1.0.0 differs.
CODES: dict[str, tuple[int, int, str]] = {
    "TASK_NOT_FOUND": (-32001, 404, "NOT_FOUND"),
    "TASK_NOT_CANCELABLE": (-32002, 400, "FAILED_PRECONDITION"),
    "PUSH_NOTIFICATION_NOT_SUPPORTED": (-32003, 400, "FAILED_PRECONDITION"),
    "UNSUPPORTED_OPERATION": (-32004, 400, "FAILED_PRECONDITION"),
    "CONTENT_TYPE_NOT_SUPPORTED": (-32005, 400, "INVALID_ARGUMENT"),
    "INVALID_AGENT_RESPONSE": (-32006, 500, "INTERNAL"),
    "EXTENDED_AGENT_CARD_NOT_CONFIGURED": (-32007, 400, "FAILED_PRECONDITION"),
    "EXTENSION_SUPPORT_REQUIRED": (-32008, 400, "FAILED_PRECONDITION"),
    "VERSION_NOT_SUPPORTED": (-32009, 400, "FAILED_PRECONDITION"),
    "INVALID_PARAMS": (-32602, 400, "INVALID_ARGUMENT"),
}
CODES_1_0_0 = CODES | {
    "TASK_NOT_CANCELABLE": (-32002, 409, "FAILED_PRECONDITION"),
    "PUSH_NOTIFICATION_NOT_SUPPORTED": (-32003, 400, "UNIMPLEMENTED"),
    "UNSUPPORTED_OPERATION": (-32004, 400, "UNIMPLEMENTED"),
    "CONTENT_TYPE_NOT_SUPPORTED": (-32005, 415, "INVALID_ARGUMENT"),
    "INVALID_AGENT_RESPONSE": (-32006, 502, "INTERNAL"),
    "VERSION_NOT_SUPPORTED": (-32009, 400, "UNIMPLEMENTED"),
}
COLUMN = {"JSONRPC": 0, "HTTP+JSON": 1, "GRPC": 2}
UNKNOWN_IN_03 = {"EXTENSION_SUPPORT_REQUIRED"}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def failing() -> AsyncIterator[House]:
    async with faulty.opened() as house:
        yield house


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def failing_as_1_0_0() -> AsyncIterator[House]:
    async with faulty.opened(a2a={"errors": "1.0.0"}) as house:
        yield house


@pytest.fixture
def faulty_door(failing: House, request: pytest.FixtureRequest) -> Door:
    return failing.door(request.param, "faulty")


def expected(door: Door, reason: str, codes: dict[str, tuple[int, int, str]]) -> int | str:
    if door.version == "0.3" and door.binding == "JSONRPC" and reason in UNKNOWN_IN_03:
        return -32603
    return codes[reason][COLUMN[door.binding]]


@keeps("1.9-codes", "1.9-reason")
@pytest.mark.parametrize("reason", CODES)
async def test_every_error_has_the_code_of_edition_101(failing: House, door: Door, reason: str) -> None:
    """Section 5.4: one table for all bindings."""
    door = failing.door(type(door), "faulty")
    for asking in (door.send(reason), door.get(reason)):
        refused = await refused_by(asking)
        assert (refused.reason, refused.domain) == (reason, "a2a-protocol.org")
        assert refused.code == expected(door, reason, CODES)
        assert refused.message


@keeps("1.9-codes-1.0.0", "1.14-editions")
@pytest.mark.parametrize("reason", CODES)
async def test_the_older_edition_can_be_had(failing_as_1_0_0: House, door: Door, reason: str) -> None:
    door = failing_as_1_0_0.door(type(door), "faulty")
    refused = await refused_by(door.send(reason))
    assert refused.reason == reason
    assert refused.code == expected(door, reason, CODES_1_0_0)


@keeps("1.9-rpc-shape", "1.14-error-data")
async def test_json_rpc_answers_200_with_an_error(failing: House, door: Door) -> None:
    """Section 9.5: `data` is an array of objects with `@type`."""
    found = await wire.ask(failing.door(type(door), "faulty"), "GetTask", {"id": "TASK_NOT_FOUND"})
    assert (found.status, found.kind) == (200, "application/json")
    assert found.json.keys() == {"jsonrpc", "id", "error"}
    assert found.error.keys() == {"code", "message", "data"}
    info = found.error["data"][0]
    assert info == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "TASK_NOT_FOUND",
        "domain": "a2a-protocol.org",
        "metadata": {"taskId": "t-1"},
    }


@keeps("1.9-http-shape", "1.14-rest-error-body")
async def test_http_json_answers_with_the_status(failing: House, door: Door) -> None:
    """Section 11.6, as AIP-193 has it."""
    found = await wire.ask(failing.door(type(door), "faulty"), "GetTask", {"id": "TASK_NOT_FOUND"})
    assert found.status == 404
    assert found.error.keys() == {"code", "status", "message", "details"}
    assert (found.error["code"], found.error["status"]) == (404, "NOT_FOUND")
    assert found.error["details"][0] == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "TASK_NOT_FOUND",
        "domain": "a2a-protocol.org",
        "metadata": {"taskId": "t-1"},
    }


@keeps("1.9-grpc-shape")
async def test_grpcs_trailers_have_the_same_status(failing: House, door: Door) -> None:
    """Section 10.6."""
    door = failing.door(type(door), "faulty")
    request, _, name = door._request("GetTask", {"id": "INVALID_PARAMS"})  # type: ignore[attr-defined]
    call = door.place.channel.unary_unary(
        f"/{door.service}/{name}",  # type: ignore[attr-defined]
        request_serializer=type(request).SerializeToString,
    )
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call(request, metadata=(*door.always.items(), ("agent-name", "faulty")), timeout=5)
    trailers = {name: value for name, value in error.value.trailing_metadata() or ()}  # noqa: C416 - no pairs
    status = Status.FromString(trailers["grpc-status-details-bin"])  # type: ignore[arg-type]
    assert grpc.StatusCode.INVALID_ARGUMENT.value[0] == status.code
    assert status.message == error.value.details()
    kinds = [door_words.plain(detail)["@type"] for detail in status.details]
    assert kinds[:2] == [
        "type.googleapis.com/google.rpc.ErrorInfo",
        "type.googleapis.com/google.rpc.BadRequest",
    ]


@keeps("1.9-03-codes")
async def test_what_03_does_not_know_is_internal_to_its_clients(failing: House, door: Door) -> None:
    door = failing.door(type(door), "faulty")
    assert (await refused_by(door.send("EXTENSION_SUPPORT_REQUIRED"))).code == -32603
    assert (await refused_by(door.send("VERSION_NOT_SUPPORTED"))).code == -32009


@keeps("1.9-03-type")
async def test_errors_of_03_over_http_name_their_type(failing: House, door: Door) -> None:
    found = await wire.ask(failing.door(type(door), "faulty"), "GetTask", {"id": "TASK_NOT_FOUND"})
    assert found.json["type"] == "TaskNotFoundError"
    assert found.json["message"] == found.error["message"]


@keeps("1.9-03-worded")
async def test_errors_of_03_over_grpc_begin_with_their_type(failing: House, door: Door) -> None:
    door = failing.door(type(door), "faulty")
    assert (await refused_by(door.get("TASK_NOT_FOUND"))).message.startswith("TaskNotFoundError: ")


@keeps("1.9-before-stream")
@pytest.mark.parametrize("reason", ["TASK_NOT_FOUND", "INVALID_AGENT_RESPONSE", "INVALID_PARAMS"])
async def test_what_fails_before_a_stream_begins_is_a_plain_error(
    failing: House, door: Door, reason: str
) -> None:
    door = failing.door(type(door), "faulty")
    if door.binding != "GRPC":
        found = await wire.ask(door, "SendStreamingMessage", sending(reason), {"accept": "text/event-stream"})
        assert found.kind == "application/json"
        assert found.status == (200 if door.binding == "JSONRPC" else CODES[reason][1])
    refused = await refused_by(all_of(door.streamed(reason)))
    assert (refused.reason, refused.code) == (reason, CODES[reason][COLUMN[door.binding]])
    refused = await refused_by(all_of(door.subscribe(reason)))
    assert (refused.reason, refused.code) == (reason, CODES[reason][COLUMN[door.binding]])


@keeps("1.9-in-stream")
@pytest.mark.parametrize("reason", ["INVALID_AGENT_RESPONSE", "TASK_NOT_FOUND"])
async def test_what_fails_within_a_stream_is_its_last_event(failing: House, door: Door, reason: str) -> None:
    door = failing.door(type(door), "faulty")
    seen: list[Any] = []
    refused = await refused_by(all_of(door.streamed(f"later {reason}"), seen))
    assert [[*event.found] for event in seen] == [["task"]]
    assert (refused.reason, refused.code) == (reason, CODES[reason][COLUMN[door.binding]])
    if door.binding != "GRPC":
        found = await wire.ask(door, "SendStreamingMessage", sending(f"later {reason}"))
        assert found.status == 200
        last = found.body.decode().rstrip().rpartition("data: ")[2]
        body = json.loads(last)
        if door.binding == "JSONRPC":
            assert body.keys() == {"jsonrpc", "id", "error"}
            assert body["error"]["code"] == CODES[reason][0]
        else:
            assert body["error"]["code"] == CODES[reason][1]
            assert b"\nevent: error\n" in found.body


@keeps("1.9-invalid-params")
async def test_wrong_parameters_are_named(failing: House, door: Door) -> None:
    refused = await refused_by(failing.door(type(door), "faulty").send("INVALID_PARAMS"))
    assert refused.violations == {"message.parts[0].text": "is too rude"}


@keeps("1.9-unreadable")
async def test_what_cannot_be_read_is_the_clients_mistake(house: House, door: Door) -> None:
    if door.binding == "GRPC":
        call = door.place.channel.unary_unary(f"/{door.service}/GetTask")  # type: ignore[attr-defined]
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(b"\xff\xff\xff", metadata=tuple(door.always.items()), timeout=5)
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        return
    verb, path, _ = wire.request_of(door, "SendMessage", sending("hi"))
    for body in (b"{", b"\xff\xfe{}", b'{"message": }', b"[1, 2", b'{"a": NaN}', b"nonsense"):
        found = await wire.send(door, verb, path, body)
        if door.binding == "JSONRPC":
            assert (found.status, found.error["code"]) == (200, -32700), body
        else:
            assert (found.status, found.error["status"]) == (400, "INVALID_ARGUMENT"), body


@keeps("1.9-internal")
async def test_a_bug_is_an_internal_error(failing: House, door: Door) -> None:
    door = failing.door(type(door), "faulty")
    for asking in (door.send("bug"), all_of(door.streamed("bug")), all_of(door.streamed("later bug"))):
        assert (await refused_by(asking)).code == {"JSONRPC": -32603, "HTTP+JSON": 500, "GRPC": "INTERNAL"}[
            door.binding
        ]


@keeps("1.9-input-modes")
@pytest.mark.parametrize(
    "part",
    [
        {"raw": "aGk=", "mediaType": "video/mp4"},
        {"data": {"a": 1}},
        {"url": "https://x.test/", "mediaType": "text/html"},
    ],
)
async def test_a_part_that_the_agent_does_not_read_is_refused(house: House, door: Door, part: Any) -> None:
    picky = house.door(type(door), "picky")
    params = sending("hi")
    params["message"]["parts"].append(part)
    refused = await refused_by(picky.call("SendMessage", params))
    assert refused.reason == "CONTENT_TYPE_NOT_SUPPORTED"
    assert refused.code == CODES[refused.reason][COLUMN[door.binding]]
    params["message"]["parts"][1] = {"raw": "aGk=", "mediaType": "image/png"}
    assert (await picky.call("SendMessage", params)).found["task"]["id"]


@keeps("1.9-output-modes")
async def test_who_takes_nothing_that_the_agent_writes_is_refused(house: House, door: Door) -> None:
    picky = house.door(type(door), "picky")
    refused = await refused_by(picky.send("hi", configuration={"acceptedOutputModes": ["video/mp4"]}))
    assert refused.reason == "CONTENT_TYPE_NOT_SUPPORTED"
    for modes in (["text/plain"], ["video/mp4", "text/*"], ["*/*"], []):
        assert (await picky.send("hi", configuration={"acceptedOutputModes": modes}))["id"]


@keeps("1.9-unauthenticated")
@pytest.mark.parametrize("shown", ["", "Bearer wrong", "Basic YTpi", "Bearer"])
async def test_who_shows_no_credential_is_turned_away(house: House, door: Door, shown: str) -> None:
    for asking in (
        door.call("SendMessage", sending("hi"), {"authorization": shown}),
        door.call("GetTask", {"id": "t"}, {"authorization": shown}),
        all_of(door.streamed("hi", {"authorization": shown})),
    ):
        refused = await refused_by(asking)
        assert refused.code in (401, "UNAUTHENTICATED")
        assert refused.reason == "UNAUTHENTICATED"
        if door.binding != "GRPC":
            assert refused.said["www-authenticate"].startswith("Bearer")


@keeps("1.9-no-internals")
@pytest.mark.parametrize("what", ["bug", "INTERNAL", "UNKNOWN", "UNAVAILABLE", "DATA_LOSS", "NOT_FOUND"])
async def test_what_went_wrong_inside_is_not_told(failing: House, door: Door, what: str) -> None:
    door = failing.door(type(door), "faulty")
    for asking in (door.send(what), all_of(door.streamed(what)), all_of(door.streamed(f"later {what}"))):
        refused = await refused_by(asking)
        shown = f"{refused} {refused.facts} {refused.said} {refused.violations}"
        for word in ("hunter2", "secret", "RuntimeError", "Traceback", ".py"):
            assert word not in shown
        assert refused.message


@keeps("1.9-correlation")
async def test_every_failure_has_an_id_to_ask_the_operator_by(failing: House, door: Door) -> None:
    door = failing.door(type(door), "faulty")
    refused = await refused_by(door.send("bug"))
    assert refused.request_id
    assert refused.request_id in refused.message
    refused = await refused_by(door.call("SendMessage", sending("bug"), {"x-request-id": "my-own-1"}))
    assert refused.request_id == "my-own-1"
    assert refused.said["x-request-id"] == "my-own-1"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def crowded() -> AsyncIterator[House]:
    """A server at which each caller may have one stream."""
    async with houses.opened("local", limits={"max_streams_per_caller": 1}) as house:
        yield house


@keeps("1.9-retry-hint")
async def test_who_asks_too_much_is_told_when_to_come_back(crowded: House, door: Door) -> None:
    door = crowded.door(type(door))
    task = (await door.send("ask"))["id"]
    async with door.subscribe(task) as events:
        await anext(aiter(events))
        refused = await refused_by(all_of(door.subscribe(task)))
        assert refused.code in (-32052, 429, "RESOURCE_EXHAUSTED")
        assert refused.retry_s
        if door.binding != "GRPC":
            assert refused.http == 429
            assert int(refused.said["retry-after"]) >= 1
        await door.cancel(task)


@keeps("1.9-not-yours")
async def test_what_is_somebody_elses_is_answered_like_what_there_is_not(house: House, door: Door) -> None:
    """Section 13.1: nobody may learn that it exists."""
    task = await door.send("hi")
    bob = house.door(type(door), caller="bob")
    for yours, none in (
        (bob.get(task["id"]), bob.get("gone")),
        (bob.cancel(task["id"]), bob.cancel("gone")),
        (all_of(bob.subscribe(task["id"])), all_of(bob.subscribe("gone"))),
        (bob.send("hi", taskId=task["id"]), bob.send("hi", taskId="gone")),
    ):
        told, untold = await refused_by(yours), await refused_by(none)
        assert told.reason == untold.reason == "TASK_NOT_FOUND"
        assert told.message.replace(task["id"], "gone") == untold.message
        assert told.code == untold.code == CODES["TASK_NOT_FOUND"][COLUMN[door.binding]]


@keeps("1.9-capability-first")
async def test_what_the_card_does_not_offer_is_refused_before_anything_else(house: House, door: Door) -> None:
    whole = house.door(type(door), "whole")
    for asking in (
        all_of(whole.subscribe("gone")),
        all_of(whole.stream("SendStreamingMessage", {"message": {}})),
    ):
        refused = await refused_by(asking)
        assert refused.reason == "UNSUPPORTED_OPERATION"
