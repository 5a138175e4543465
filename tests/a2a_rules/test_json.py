"""A2A 1.0 section 5, and 1.5 of the table: what messages look like as JSON, and what is read."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from a2a_rules import wire
from a2a_rules.table import keeps
from support.doors import Door, Refused, sending

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z").fullmatch
DATA = {"list": [1, 2.5, None, {"deep": {"er": [[]]}}], "yes": True, "none": None, "ü": "日本", "empty": {}}


def names_in(found: Any) -> Iterator[str]:
    """Yield all names of members, but not those of free JSON."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield name
            if name not in ("metadata", "data"):
                yield from names_in(value)
    elif isinstance(found, list):
        for one in found:
            yield from names_in(one)


def values_of(found: Any, wanted: str) -> Iterator[Any]:
    if isinstance(found, dict):
        for name, value in found.items():
            if name == wanted:
                yield value
            yield from values_of(value, wanted)
    elif isinstance(found, list):
        for one in found:
            yield from values_of(one, wanted)


@keeps("1.5-names-out", "1.5-enums", "1.5-defaults")
async def test_answers_are_protojson(door: Door) -> None:
    """ADR-001: camelCase, enums by name, and nothing that is a default."""
    found = (await wire.ask(door, "SendMessage", sending("tell"))).result
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9]*", name) for name in names_in(found)), found
    assert found["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert found["task"]["history"][0]["role"] == "ROLE_USER"
    assert not {"tenant", "referenceTaskIds", "extensions"} & {*found["task"]["history"][0]}
    assert "" not in values_of(found, "filename")


@keeps("1.5-names-in")
@pytest.mark.parametrize("spelling", ["camelCase", "snake_case"])
async def test_names_are_read_in_both_spellings(door: Door, spelling: str) -> None:
    earlier = (await door.send("hi"))["id"]
    part = {"raw": "aGk=", "media_type": "image/png"}
    message = {
        "message_id": "m",
        "role": "ROLE_USER",
        "parts": [{"text": "tell"}, part],
        "reference_task_ids": [earlier],
    }
    params: Any = {"message": message, "configuration": {"accepted_output_modes": ["text/plain"]}}
    if spelling == "camelCase":
        params = json.loads(re.sub(r"_([a-z])(?=[a-z_]*\":)", lambda m: m[1].upper(), json.dumps(params)))
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    found = await wire.send(
        door, "POST", *(("", body) if door.binding == "JSONRPC" else ("/message:send", params))
    )
    known = found.result["task"]["artifacts"][0]["parts"][0]["data"]
    assert known["message"]["referenceTaskIds"] == [earlier]
    assert known["message"]["parts"][1] == {"raw": "aGk=", "mediaType": "image/png"}
    assert known["acceptedOutputModes"] == ["text/plain"]


@keeps("1.5-unknown-enum")
async def test_an_unknown_value_of_an_enum_is_refused(door: Door) -> None:
    """a2a-sdk takes it for none, and lists everything where a state is meant."""
    if door.binding == "GRPC":
        verb = {"role": 7}
        with pytest.raises(Refused) as refused:
            await door.call("SendMessage", {"message": {**sending("hi")["message"], **verb}})
        assert (refused.value.reason, refused.value.code) == ("INVALID_PARAMS", "INVALID_ARGUMENT")
        return
    params = sending("hi")
    params["message"]["role"] = "ROLE_ROBOT"
    if door.binding == "HTTP+JSON" and door.version == "0.3":
        message = {"message_id": "m", "role": "ROLE_ROBOT", "content": [{"text": "hi"}]}
        found = await wire.send(door, "POST", "/v1/message:send", {"request": message})
    else:
        found = await wire.ask(door, "SendMessage", params)
    assert found.error["code"] in (-32602, 400)
    assert "role" in found.error["message"]


@keeps("1.5-base64")
@pytest.mark.parametrize("written", ["+/+/", "-_-_", "+/8=", "-_8", "+/8", ""])
async def test_bytes_are_base64_in_either_alphabet(door: Door, written: str) -> None:
    plain = base64.b64encode(base64.b64decode(written.replace("-", "+").replace("_", "/") + "==")).decode()
    part: dict[str, Any] = {"raw": written}
    if door.version == "0.3":
        part = {"kind": "file", "file": {"bytes": written, "name": "a"}}
    else:
        part["filename"] = "a"
    params = sending("back")
    _, path, body = wire.request_of(door, "SendMessage", params)
    body.get("params", body)["message"]["parts"].append(part)
    result = (await wire.send(door, "POST", path, body)).result
    back = result.get("task", result)["artifacts"][0]["parts"][0]
    assert (back["file"]["bytes"] if door.version == "0.3" else back["raw"]) == plain


@keeps("1.5-times-out")
async def test_times_are_utc_with_milliseconds(door: Door) -> None:
    """Section 5.6.1."""
    found = await wire.ask(door, "SendMessage", sending("hi"))
    times = list(values_of(found.json, "timestamp"))
    assert times
    assert all(map(TIME, times)), times
    stream = await wire.ask(door, "SendStreamingMessage", sending("hi"))
    events = [json.loads(line[6:]) for line in stream.body.decode().splitlines() if line.startswith("data: ")]
    times = list(values_of(events, "timestamp"))
    assert times
    assert all(map(TIME, times)), times


@keeps("1.5-times-in")
async def test_times_are_read_with_any_offset(door: Door) -> None:
    task = await door.send("hi")
    after, before = "2020-01-01T12:00:00.5+05:30", "2999-01-01T00:00:00-08:00"
    assert (await door.list(contextId=task["contextId"], statusTimestampAfter=after))["totalSize"] == 1
    found = await wire.ask(
        door, "ListTasks", {"contextId": task["contextId"], "statusTimestampAfter": before}
    )
    assert found.result["totalSize"] == 0


@keeps("1.5-required-empty")
async def test_an_empty_page_has_what_the_contract_requires(door: Door) -> None:
    found = (await wire.ask(door, "ListTasks", {"contextId": "none such"})).result
    assert found == {"tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 0}


@keeps("1.5-unknown-fields")
async def test_fields_that_nobody_knows_are_ignored(door: Door) -> None:
    _, path, body = wire.request_of(door, "SendMessage", sending("tell"))
    asked = body.get("params", body)
    message = asked.get("message", asked.get("request"))
    asked["novelty"], message["flavour"] = {"a": [1]}, "sweet"
    asked["configuration"] = {"blocking": True, "speed": 7}
    message[next(name for name in ("parts", "content") if name in message)][0]["colour"] = "red"
    result = (await wire.send(door, "POST", path, body)).result
    assert "flavour" not in json.dumps(result)


MISSING: list[tuple[str, Any, set[str]]] = [
    ("no message", {}, {"message"}),
    (
        "an empty message",
        {"message": {}},
        {"message.messageId", "message.role", "message.parts"},
    ),
    ("no id", {"message": {"role": "ROLE_USER", "parts": [{"text": "x"}]}}, {"message.messageId"}),
    ("no role", {"message": {"messageId": "m", "parts": [{"text": "x"}]}}, {"message.role"}),
    ("no parts", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": []}}, {"message.parts"}),
]


@keeps("1.5-required")
@pytest.mark.parametrize(("params", "fields"), [one[1:] for one in MISSING], ids=[one[0] for one in MISSING])
async def test_what_is_missing_is_named(door: Door, params: Any, fields: set[str]) -> None:
    """Section 5.7: REQUIRED fields, and lists so marked that are empty."""
    for ask in (door.call("SendMessage", params), streamed(door, params)):
        with pytest.raises(Refused) as refused:
            await ask
        assert refused.value.reason == "INVALID_PARAMS"
        assert refused.value.code in (-32602, 400, "INVALID_ARGUMENT")
        assert {*refused.value.violations} == fields


async def streamed(door: Door, params: Any) -> None:
    async with door.stream("SendStreamingMessage", params) as events:
        await events.all()


@keeps("1.5-null")
async def test_a_null_is_a_field_left_out(door: Door) -> None:
    _, path, body = wire.request_of(door, "SendMessage", sending("hi"))
    asked = body.get("params", body)
    message = asked.get("message", asked.get("request"))
    message |= dict.fromkeys(("metadata", "extensions"))
    asked["configuration"] = None
    result = (await wire.send(door, "POST", path, body)).result
    assert "metadata" not in next(values_of(result, "history"))[0]


@keeps("1.5-plain-json")
async def test_metadata_and_data_are_plain_json(door: Door) -> None:
    params = sending("tell", metadata={"of": DATA})
    params["message"]["metadata"] = DATA
    params["message"]["parts"].append({"data": DATA, "metadata": DATA})
    task = (await door.call("SendMessage", params)).found["task"]
    known = task["artifacts"][0]["parts"][0]["data"]
    assert known["message"]["metadata"] == DATA
    assert known["message"]["parts"][1] == {"data": DATA, "metadata": DATA}
    assert known["requestMetadata"]["of"] == DATA
    assert task["history"][0]["metadata"] == DATA
    assert task["history"][0]["parts"][1] == {"data": DATA, "metadata": DATA}


@keeps("1.5-query")
async def test_a_query_is_read_as_protojson_has_it(door: Door) -> None:
    task = await door.send("hi")
    context = task["contextId"]
    for query in (
        f"contextId={context}&status=TASK_STATE_COMPLETED&pageSize=1&includeArtifacts=true&historyLength=0",
        f"context_id={context}&status=TASK_STATE_COMPLETED&page_size=1&include_artifacts=true&history_length=0&novelty=1",
        f"contextId={context}&pageToken=&includeArtifacts=true&historyLength=0"
        "&statusTimestampAfter=2020-01-01T00:00:00Z",
    ):
        found = (await wire.send(door, "GET", f"/tasks?{query}")).result
        assert [one["id"] for one in found["tasks"]] == [task["id"]], query
        assert "history" not in found["tasks"][0]
        assert found["tasks"][0]["artifacts"]
    found = (await wire.send(door, "GET", f"/tasks?contextId={context}&includeArtifacts=false")).result
    assert "artifacts" not in found["tasks"][0]


@keeps("1.5-query-bad")
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("includeArtifacts=yes", "includeArtifacts"),
        ("includeArtifacts=", "includeArtifacts"),
        ("status=done", "status"),
        ("status=TASK_STATE_RUNNING", "status"),
        ("pageSize=many", "pageSize"),
        ("pageSize=1.5", "pageSize"),
        ("statusTimestampAfter=yesterday", "statusTimestampAfter"),
        ("pageSize=1&pageSize=2", "pageSize"),
    ],
)
async def test_what_a_querys_field_cannot_take_is_refused(door: Door, query: str, field: str) -> None:
    found = await wire.send(door, "GET", f"/tasks?{query}")
    assert found.status == 400
    assert field in found.error["message"]
