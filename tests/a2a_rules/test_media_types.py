"""A2A 1.0 sections 9.1 and 11.1, and 1.6 of the table: what bodies are called."""

import json

import pytest
from a2a_rules import wire
from a2a_rules.table import keeps
from support.doors import Door, sending

JSON, OURS = "application/json", "application/a2a+json"


@keeps("1.6-rpc")
@pytest.mark.parametrize("accept", [JSON, OURS, "text/html", "*/*", ""])
async def test_json_rpc_answers_json_whatever_is_asked_for(door: Door, accept: str) -> None:
    assert (await wire.ask(door, "SendMessage", sending("hi"), {"accept": accept})).kind == JSON


@keeps("1.6-rest-asked")
@pytest.mark.parametrize(
    "headers", [{"accept": OURS}, {"content-type": OURS}, {"accept": f"text/html, {OURS};q=0.5"}]
)
async def test_who_names_a2as_own_media_type_gets_it(door: Door, headers: dict[str, str]) -> None:
    assert (await wire.ask(door, "SendMessage", sending("hi"), headers)).kind == OURS


@keeps("1.6-rest-else")
@pytest.mark.parametrize("headers", [{}, {"accept": JSON}, {"accept": "*/*"}])
async def test_everybody_else_gets_json(door: Door, headers: dict[str, str]) -> None:
    assert (await wire.ask(door, "SendMessage", sending("hi"), headers)).kind == JSON


@keeps("1.6-rest-errors")
async def test_errors_have_the_media_type_of_answers(door: Door) -> None:
    found = await wire.ask(door, "GetTask", {"id": "gone"}, {"accept": OURS})
    assert (found.status, found.kind) == (404, OURS)
    found = await wire.ask(door, "GetTask", {"id": "gone"}, {"accept": JSON})
    assert (found.status, found.kind) == (404, JSON)


@keeps("1.6-streams")
@pytest.mark.parametrize("accept", ["text/event-stream", OURS, "*/*"])
async def test_streams_are_server_sent_events(door: Door, accept: str) -> None:
    found = await wire.ask(door, "SendStreamingMessage", sending("hi"), {"accept": accept})
    assert (found.status, found.kind) == (200, "text/event-stream")
    assert found.headers["cache-control"].startswith("no-")


@keeps("1.6-requests")
@pytest.mark.parametrize(
    "kind", [JSON, OURS, f"{JSON}; charset=utf-8", f"{OURS};charset=UTF-8", "APPLICATION/JSON"]
)
async def test_requests_are_json_under_either_name(door: Door, kind: str) -> None:
    found = await wire.ask(door, "SendMessage", sending("hi"), {"content-type": kind})
    assert found.status == 200, found.body
    assert "error" not in found.json


@keeps("1.6-wrong")
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", ""]
)
async def test_a_request_that_calls_itself_something_else_is_refused(door: Door, kind: str) -> None:
    """A browser's form may be posted from anywhere, but cannot call itself JSON."""
    verb, path, body = wire.request_of(door, "SendMessage", sending("hi"))
    found = await wire.send(door, verb, path, json.dumps(body).encode(), {"content-type": kind})
    assert found.status == 415, found.body
    assert found.error["details"]
