"""A2A 1.0 section 4, and 1.3 of the table: what messages, tasks, artifacts and events hold, and keep."""

from typing import Any

import pytest
from a2a_rules import wire
from a2a_rules.reading import all_of, known_by, refused_by, text_of
from a2a_rules.table import keeps
from support.doors import Door, sending

OFFERED = "https://extensions.test/offered/v1"
PARTS: list[Any] = [
    {"text": "words ü 日本 \U0001f600", "metadata": {"n": 1}},
    {"raw": "AAEC/w==", "mediaType": "image/png", "filename": "a b.png", "metadata": {"n": 2}},
    {"raw": "aGk=", "mediaType": "text/plain"},
    {"url": "https://files.test/x?y=z", "mediaType": "application/pdf", "filename": "x.pdf"},
    {"data": {"deep": {"list": [1, 2.5, None, True, "x"]}}, "metadata": {"n": 5}},
]
ANY = [[1, [2, {"a": []}]], [], "text", "", 7, -0.5, True, False, None, {}]


def knows_no_references(door: Door) -> bool:
    """Say whether a door's messages have no such field: 0.3's proto forgot it."""
    return door.version == "0.3" and door.binding != "JSONRPC"


def message_of(text: str, **more: Any) -> Any:
    return {"message": {**sending(text)["message"], **more}}


@keeps("1.3-message-arrives")
async def test_all_that_a_message_says_reaches_the_agent(door: Door) -> None:
    context = (await door.send("hi"))["contextId"]
    earlier = (await door.send("hi", contextId=context))["id"]
    more = {
        "messageId": "id-1",
        "contextId": context,
        "metadata": {"a": {"b": [1, None]}, OFFERED: {"c": True}},
        "extensions": [OFFERED, "https://extensions.test/other"],
        "referenceTaskIds": [earlier],
    }
    if knows_no_references(door):
        del more["referenceTaskIds"]
    task = (await door.call("SendMessage", message_of("tell", **more))).found["task"]
    known = known_by(task)
    assert known["message"] == {
        **more,
        "taskId": task["id"],
        "role": "ROLE_USER",
        "parts": [{"text": "tell"}],
    }
    assert [one["parts"][0]["text"] for one in known["history"] if one["role"] == "ROLE_USER"] == ["hi"] * 2
    assert known["caller"] == "ada"


@keeps("1.3-message-kept")
async def test_the_history_shows_the_message_as_it_was_sent(door: Door) -> None:
    earlier = (await door.send("hi"))["id"]
    more = {
        "messageId": "id-2",
        "metadata": {"k": "v"},
        "extensions": [OFFERED],
        "referenceTaskIds": [earlier],
    }
    if knows_no_references(door):
        del more["referenceTaskIds"]
    params = message_of("back", parts=[{"text": "back"}, *PARTS], **more)
    task = (await door.call("SendMessage", params)).found["task"]
    kept = (await door.get(task["id"]))["history"][0]
    assert kept == {
        **params["message"],
        "taskId": task["id"],
        "contextId": task["contextId"],
    }


@keeps("1.3-parts")
async def test_parts_arrive_and_come_back_whole(door: Door) -> None:
    params = message_of("back", parts=[{"text": "back"}, *PARTS])
    task = (await door.call("SendMessage", params)).found["task"]
    assert task["artifacts"][0]["parts"] == PARTS
    events = await all_of(door.stream("SendStreamingMessage", params))
    (artifact,) = [one.found["artifactUpdate"]["artifact"] for one in events if "artifactUpdate" in one.found]
    assert artifact["parts"] == PARTS


@keeps("1.3-text-media-type")
async def test_text_may_have_a_media_type(door: Door) -> None:
    part = {"text": "<b>", "mediaType": "text/html", "filename": "a.html"}
    params = message_of("back", parts=[{"text": "back"}, part])
    task = (await door.call("SendMessage", params)).found["task"]
    assert task["artifacts"][0]["parts"] == [part]


@keeps("1.3-data-any")
@pytest.mark.parametrize("data", ANY, ids=repr)
async def test_a_data_part_holds_any_json(door: Door, data: Any) -> None:
    params = message_of("back", parts=[{"text": "back"}, {"data": data}])
    task = (await door.call("SendMessage", params)).found["task"]
    assert task["artifacts"][0]["parts"] == [{"data": data}]
    assert task["history"][0]["parts"][1] == {"data": data}


@keeps("1.3-request-metadata")
async def test_metadata_of_the_request_reaches_the_agent(door: Door) -> None:
    known = known_by(await door.send("tell", metadata={"k": {"v": [1, None]}}))
    assert known["requestMetadata"] == {"k": {"v": [1, None]}}


@keeps("1.3-accepted-modes")
async def test_the_media_types_that_the_client_takes_reach_the_agent(door: Door) -> None:
    modes = ["text/plain", "application/json"]
    known = known_by(await door.send("tell", configuration={"acceptedOutputModes": modes}))
    assert known["acceptedOutputModes"] == modes


@keeps("1.3-task")
async def test_a_task_has_all_that_it_should(door: Door) -> None:
    task = await door.send("note")
    assert {"id", "contextId", "status", "artifacts", "history", "metadata"} == {*task}
    assert task["status"].keys() >= {"state", "timestamp"}
    assert task["metadata"]["note"] == {"of": "the agent"}
    assert task == await door.get(task["id"])


@keeps("1.3-artifact")
async def test_an_artifact_keeps_all_that_it_has(door: Door) -> None:
    params = message_of("back", parts=[{"text": "back"}, {"text": "x"}])
    (artifact,) = (await door.call("SendMessage", params)).found["task"]["artifacts"]
    assert artifact == {
        "artifactId": "back",
        "name": "Back",
        "description": "As it came.",
        "parts": [{"text": "x"}],
        "metadata": {"k": {"deep": [1, None, "x"]}},
        "extensions": [OFFERED],
    }


@keeps("1.3-artifact-ids")
async def test_ids_of_artifacts_are_unique_within_a_task(door: Door) -> None:
    for text in ("pieces", "replace", "hi"):
        names = [one["artifactId"] for one in (await door.send(text))["artifacts"]]
        assert names
        assert len({*names}) == len(names)
        assert all(names)


@keeps("1.3-artifact-needs-parts")
async def test_an_artifact_without_parts_is_the_agents_mistake(door: Door) -> None:
    assert (await refused_by(door.send("nothing"))).reason == "INVALID_AGENT_RESPONSE"


@keeps("1.3-status-message")
async def test_a_state_may_bring_a_message(door: Door) -> None:
    task = await door.send("ask")
    message = task["status"]["message"]
    assert message["role"] == "ROLE_AGENT"
    assert message["parts"] == [{"text": "what do you want?"}]
    assert (message["taskId"], message["contextId"]) == (task["id"], task["contextId"])
    assert message["messageId"]
    events = await all_of(door.streamed("ask"))
    told = events[-1].found["statusUpdate"]["status"]["message"]
    assert told["parts"] == message["parts"]


@keeps("1.3-event-ids")
async def test_every_event_names_its_task_and_context(door: Door) -> None:
    events = await all_of(door.streamed("pieces"))
    task = events[0].found["task"]
    for event in events[1:]:
        (payload,) = event.found.values()
        assert (payload["taskId"], payload["contextId"]) == (task["id"], task["contextId"])
    assert len(events) > 3


@keeps("1.3-event-metadata")
async def test_metadata_of_the_agents_events_is_shown(door: Door) -> None:
    events = await all_of(door.streamed("note"))
    told = [one.found["statusUpdate"].get("metadata", {}) for one in events if "statusUpdate" in one.found]
    assert {"of": "the agent"} in [one.get("note") for one in told]


@keeps("1.3-part-needs-content")
@pytest.mark.parametrize("part", [{}, {"metadata": {"a": 1}}, {"filename": "x", "mediaType": "text/plain"}])
async def test_a_part_without_content_is_refused(door: Door, part: Any) -> None:
    """a2a-sdk takes it."""
    if door.binding == "GRPC" or door.version == "1.0":
        params = message_of("hi", parts=[{"text": "hi"}])
        if door.version == "1.0":
            params["message"]["parts"].append(part)
            refused = await refused_by(door.call("SendMessage", params))
            assert {*refused.violations} == {"message.parts[1]"}
        return
    _, path, body = wire.request_of(door, "SendMessage", sending("hi"))
    asked = body.get("params", body)
    message = asked.get("message", asked.get("request"))
    message["parts" if "parts" in message else "content"].append(part)
    found = await wire.send(door, "POST", path, body)
    assert found.error["code"] in (-32602, 400)


@keeps("1.3-one-content")
async def test_a_part_with_two_contents_is_refused(door: Door) -> None:
    params = message_of("hi", parts=[{"text": "hi", "url": "https://x.test/"}])
    refused = await refused_by(door.call("SendMessage", params))
    assert {*refused.violations} == {"message.parts[0].url"}


@keeps("1.3-parts-needed")
async def test_a_message_without_parts_is_refused(door: Door) -> None:
    refused = await refused_by(door.call("SendMessage", message_of("", parts=[])))
    assert {*refused.violations} == {"message.parts"}


@keeps("1.3-message-id-needed")
async def test_a_message_without_an_id_is_refused(door: Door) -> None:
    refused = await refused_by(door.call("SendMessage", message_of("hi", messageId="")))
    assert {*refused.violations} == {"message.messageId"}


@keeps("1.3-role-needed")
async def test_a_message_that_is_not_a_users_is_refused(door: Door) -> None:
    refused = await refused_by(door.call("SendMessage", message_of("hi", role="ROLE_AGENT")))
    assert {*refused.violations} == {"message.role"}
    params = message_of("hi")
    del params["message"]["role"]
    refused = await refused_by(door.call("SendMessage", params))
    assert {*refused.violations} == {"message.role"}


@keeps("1.3-no-final")
async def test_a_status_update_has_no_final(door: Door) -> None:
    """The strict readers of the doors would refuse it; this is that it ends without."""
    events = await all_of(door.streamed("hi"))
    assert "final" not in events[-1].found["statusUpdate"]
    assert text_of(await door.get(events[0].found["task"]["id"])) == "you said: hi"
