"""The SDK of A2A 0.3, as its users have it installed, against our server and real agents."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from a2a_rules import house as houses
from support.old_sdk import python_of_old_sdk

CLIENT = Path(houses.__file__).parents[1] / "support" / "old_client.py"
TRANSPORTS = ("JSONRPC", "HTTP+JSON", "GRPC")
AGENTS = {"actor": {**houses.ANY, "a2a": {"push_notifications": True}}}

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("transport", TRANSPORTS),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def all_seen() -> AsyncIterator[Any]:
    """What the client saw over each of its transports."""
    python = await asyncio.to_thread(python_of_old_sdk)
    async with houses.opened("local", AGENTS, auth={"enabled": False}) as house:
        process = await asyncio.create_subprocess_exec(
            python, str(CLIENT), f"{house.place.url}/agents/actor", stdout=-1, stderr=-1
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    yield json.loads(out)


@pytest.fixture
def seen(all_seen: Any, transport: str) -> Any:
    return all_seen[transport]


def text_of(task: Any) -> str:
    parts = [part for artifact in task["artifacts"] for part in artifact["parts"]]
    return "".join(part["text"] for part in parts)


async def test_it_reads_our_card(seen: Any) -> None:
    assert seen["card"]["name"] == "actor"
    assert seen["card"]["preferredTransport"] == "JSONRPC"
    assert {one["transport"] for one in seen["card"]["additionalInterfaces"]} == {"HTTP+JSON", "GRPC"}
    assert seen["card"]["capabilities"]["streaming"] is True


async def test_it_sends_and_gets_the_task(seen: Any) -> None:
    assert seen["sent"]["status"]["state"] == "completed"
    assert text_of(seen["sent"]) == "you said: hi"
    assert seen["sent"]["history"][0]["role"] == "user"


async def test_it_gets_every_event_of_a_stream(seen: Any) -> None:
    first, *updates = seen["streamed"]
    assert first is None  # the task itself
    pieces = [one for one in updates if one["kind"] == "artifact-update"]
    assert [(one["artifact"]["artifactId"], one["append"], one["lastChunk"]) for one in pieces] == [
        ("report", False, False),
        ("list", False, False),
        ("report", True, False),
        ("list", True, True),
        ("report", True, True),
    ]
    assert [one["final"] for one in updates if one["kind"] == "status-update"][-1] is True
    assert updates[-1]["status"]["state"] == "completed"


async def test_it_takes_a_plain_message_for_the_answer(seen: Any) -> None:
    (message,) = seen["plain"]
    assert message["kind"] == "message"
    assert message["role"] == "agent"
    assert message["parts"][0]["text"] == "just this"
    assert message["contextId"]


async def test_files_and_data_come_back_as_it_sent_them(seen: Any) -> None:
    content, link, data = seen["back"]["artifacts"][0]["parts"]
    assert content["file"] == {"bytes": "aGk=", "mimeType": "image/png", "name": "a.png"}
    assert link["file"]["uri"] == "https://files.test/x"
    assert link["file"]["mimeType"] == "text/html"
    assert data["data"] == {"a": {"b": [1, None]}}
    assert data["metadata"] == {"m": 1}


async def test_it_answers_what_a_task_asks(seen: Any) -> None:
    assert seen["asked"]["status"]["state"] == "input-required"
    assert seen["asked"]["status"]["message"]["parts"][0]["text"] == "what do you want?"
    assert seen["answered"]["id"] == seen["asked"]["id"]
    assert seen["answered"]["status"]["state"] == "completed"
    assert len(seen["got"]["history"]) == 1


async def test_it_sets_and_gets_a_webhook(seen: Any) -> None:
    config = seen["callback"]["pushNotificationConfig"]
    assert (config["id"], config["url"]) == ("mine", "http://127.0.0.1:9/hook")


async def test_it_cancels_and_knows_our_errors(seen: Any, transport: str) -> None:
    assert seen["cancelled"]["status"]["state"] == "canceled"
    assert "is over" in seen["again"] or transport == "HTTP+JSON", seen["again"]
    assert "no task 'gone'" in seen["unknown"] or transport == "HTTP+JSON", seen["unknown"]
    if transport == "HTTP+JSON":  # of which its client keeps the status only
        assert "400" in seen["again"]
        assert "404" in seen["unknown"]


async def test_it_follows_a_task_to_its_end(seen: Any) -> None:
    assert seen["resubscribed"][0] == "task"
    assert seen["resubscribed"][-1] == "status-update"
    assert "artifact-update" in seen["resubscribed"]
