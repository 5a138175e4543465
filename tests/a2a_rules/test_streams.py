"""A2A 1.0 sections 3.1.2, 3.1.6, 3.5, 7.6.1, and 1.10 of the table: what streams bring, and when they end."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from a2a_rules import wire
from a2a_rules.actor import let_go, tasks
from a2a_rules.house import House
from a2a_rules.reading import (
    all_of,
    kind_of,
    refused_by,
    state_of,
    states_in,
    text_in,
    text_of,
    until,
)
from a2a_rules.table import keeps
from support.doors import DOORS, Door, Event, Refused, sending


@pytest.fixture
def key() -> str:
    """What the agent waits for, until `let_go[key].set()`."""
    return uuid4().hex


def told(events: list[Event]) -> list[Any]:
    """Return what events say, without the task that each stream begins with."""
    return [event.found for event in events if "task" not in event.found]


@keeps("1.10-stream-first-task")
@pytest.mark.parametrize("text", ["hi", "pieces", "ask", "login", "fail", "reject"])
async def test_a_stream_begins_with_the_task(door: Door, text: str) -> None:
    async with door.streamed(text) as events:
        first = await anext(aiter(events))
    assert kind_of(first) == "task"
    assert state_of(first.found["task"]) in ("SUBMITTED", "WORKING")
    assert first.found["task"]["history"][0]["parts"] == [{"text": text}]


@keeps("1.10-stream-order")
async def test_events_come_in_the_order_in_which_they_were_made(door: Door) -> None:
    events = await all_of(door.streamed("count 30"))
    numbers = [part["text"] for event in told(events) for part in parts_of(event)]
    assert "".join(numbers) == "".join(f"{number} " for number in range(30))
    assert states_in(events)[-1] == "COMPLETED"
    assert "statusUpdate" in events[-1].found


def parts_of(event: Any) -> list[Any]:
    found: list[Any] = event.get("artifactUpdate", {}).get("artifact", {}).get("parts", [])
    return found


@keeps("1.10-stream-closes")
@pytest.mark.parametrize(("text", "state"), [("hi", "COMPLETED"), ("fail", "FAILED"), ("reject", "REJECTED")])
async def test_a_stream_closes_when_the_task_is_over(door: Door, text: str, state: str) -> None:
    events = await all_of(door.streamed(text))
    assert states_in(events)[-1] == state
    assert state_of(events[-1].found["statusUpdate"]) == state


@keeps("1.10-stream-input-required", "1.14-interrupted-streams")
async def test_a_sends_stream_closes_when_the_task_wants_input(door: Door) -> None:
    events = await all_of(door.streamed("ask"))
    assert states_in(events)[-1] == "INPUT_REQUIRED"
    task = events[0].found["task"]["id"]
    again = await all_of(door.streamed("hi", taskId=task))
    assert states_in(again)[-1] == "COMPLETED"
    assert again[0].found["task"]["id"] == task


@keeps("1.10-stream-auth-required", "1.14-interrupted-streams")
async def test_a_sends_stream_stays_open_when_the_task_wants_credentials(door: Door) -> None:
    """Section 7.6.1: they may arrive by another way than this client."""
    async with door.streamed("login") as events:
        seen = await until(events, "AUTH_REQUIRED")
        await door.send("hi", taskId=seen[0].found["task"]["id"])
        seen += [event async for event in events]
    assert states_in(seen)[-1] == "COMPLETED"
    assert text_in(seen).endswith("you said: hi")


@keeps("1.10-streams-alike")
async def test_all_streams_of_a_task_bring_the_same(door: Door, house: House, key: str) -> None:
    doors = [door, door, *(house.door(kind) for kind in DOORS if kind is not type(door))]
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(door.streamed(f"hold {key}"))
        seen = [await until(first, "first ")]
        task = seen[0][0].found["task"]["id"]
        streams = [first]
        for other in doors:
            stream = await stack.enter_async_context(other.subscribe(task))
            streams.append(stream)
            seen.append(await until(stream, "first "))
        let_go[key].set()
        for stream, events in zip(streams, seen, strict=True):
            events += [event async for event in stream]
    assert {text_in(events) for events in seen} == {"first last"}
    after = [[*map(str, plain(events))] for events in seen]
    assert all(one == after[0] for one in after), "each brought the same after the first piece"


def plain(events: list[Event]) -> list[Any]:
    """Return what came after the first piece of text, as far as every version can say it."""
    found = [
        (parts_of(one), one.get("statusUpdate", {}).get("status", {}).get("state")) for one in told(events)
    ]
    first = next((at for at, (parts, _) in enumerate(found) if parts == [{"text": "first "}]), -1)
    return found[first + 1 :]


@keeps("1.10-stream-left")
async def test_closing_one_stream_changes_nothing(door: Door, key: str) -> None:
    async with door.streamed(f"hold {key}") as left:
        task = (await until(left, "first "))[0].found["task"]["id"]
        async with door.subscribe(task) as kept:
            seen = await until(kept, "first ")
            async with door.subscribe(task) as gone:
                await until(gone, "first ")
            let_go[key].set()
            seen += [event async for event in kept]
    assert text_in(seen) == "first last"
    assert states_in(seen)[-1] == "COMPLETED"
    assert text_of(await door.get(task)) == "first last"


@keeps("1.10-subscribe-first-task")
async def test_a_subscription_begins_with_the_task_as_it_is(door: Door, key: str) -> None:
    task = (await door.send(f"hold {key}", wait=False))["id"]
    async with door.subscribe(task) as events:
        seen = await until(events, "first ")
        assert kind_of(seen[0]) == "task"
        assert seen[0].found["task"]["id"] == task
        let_go[key].set()
        seen += [event async for event in events]
    assert [kind_of(event) for event in seen].count("task") == 1
    assert text_in(seen) == "first last"


@keeps("1.10-subscribe-no-gap")
async def test_nothing_is_missing_and_nothing_comes_twice(door: Door, key: str) -> None:
    """Streams that begin at whatever moment all end with the same task."""
    task = (await door.send(f"walk 60 {key}", wait=False))["id"]
    begun: asyncio.Queue[None] = asyncio.Queue()

    async def follow() -> dict[str, str]:
        found: dict[str, str] = {}
        async with door.subscribe(task) as events:
            async for event in events:
                if "task" in event.found:
                    begun.put_nowait(None)
                for artifact in event.found.get("task", {}).get("artifacts", ()):
                    found[artifact["artifactId"]] = text_of({"artifacts": [artifact]})
                if update := event.found.get("artifactUpdate"):
                    name = update["artifact"]["artifactId"]
                    before = found[name] if update.get("append") else ""
                    found[name] = before + text_of({"artifacts": [update["artifact"]]})
        return found

    async with asyncio.timeout(15), asyncio.TaskGroup() as group:
        streams = []
        for _ in range(6):  # one after the other, while the agent walks
            streams.append(group.create_task(follow()))
            await begun.get()
        let_go[key].set()
    whole = await door.get(task)
    expected = {one["artifactId"]: text_of({"artifacts": [one]}) for one in whole["artifacts"]}
    assert expected["answer-1"] == "".join(f"{number} " for number in range(60))
    assert len(expected) == 10
    assert [one.result() for one in streams] == [expected] * 6


@keeps("1.10-subscribe-interrupted")
async def test_a_subscription_stays_open_while_the_task_waits(door: Door) -> None:
    task = (await door.send("ask"))["id"]
    async with door.subscribe(task) as events:
        seen = [await anext(aiter(events))]
        assert state_of(seen[0].found["task"]) == "INPUT_REQUIRED"
        await door.send("hi", taskId=task)
        seen += [event async for event in events]
    assert states_in(seen)[-1] == "COMPLETED"
    assert text_in(seen).endswith("you said: hi")


@keeps("1.10-subscribe-unknown")
async def test_nobody_can_subscribe_to_a_task_that_is_not_known(door: Door) -> None:
    assert (await refused_by(all_of(door.subscribe("gone")))).reason == "TASK_NOT_FOUND"


@keeps("1.10-subscribe-no-streaming")
async def test_agents_that_do_not_stream_refuse_streams(door: Door, house: House) -> None:
    whole = house.door(type(door), "whole")
    task = await whole.send("ask")
    for stream in (whole.streamed("hi"), whole.subscribe(task["id"])):
        assert (await refused_by(all_of(stream))).reason == "UNSUPPORTED_OPERATION"
    assert text_of(await whole.send("hi", taskId=task["id"])).endswith("you said: hi")


@keeps("1.10-sse-framing")
async def test_an_event_is_one_line_of_json(door: Door) -> None:
    found = await wire.ask(door, "SendStreamingMessage", sending("a\nb ü\u2028 c"))
    blocks = found.body.decode().split("\n\n")
    assert blocks.pop() == ""
    for block in blocks:
        lines = [line for line in block.split("\n") if not line.startswith(":")]
        data = [line for line in lines if line.startswith("data: ")]
        assert len(data) == 1 or not lines or lines[0].startswith("retry:")
        for line in data:
            body = json.loads(line.removeprefix("data: "))
            if door.binding == "JSONRPC":
                assert body.keys() == {"jsonrpc", "id", "result"}
                assert (body["jsonrpc"], body["id"]) == ("2.0", "q")
    assert "\r" not in found.body.decode()


@keeps("1.10-sse-id")
async def test_events_have_ids_which_grow(door: Door) -> None:
    events = await all_of(door.streamed("count 10"))
    places = [place_of(event.place) for event in events]
    assert places == sorted(set(places))


def place_of(name: str) -> tuple[float, float]:
    """Return the order of a place: `seq.offset` is within what stands at `seq` once it is committed."""
    seq, _, offset = name.partition(".")
    return int(seq), int(offset) if offset else float("inf")


@keeps("1.10-cancel-ends-streams")
async def test_a_cancelled_tasks_streams_say_so(door: Door, key: str) -> None:
    async with door.streamed(f"hold {key}") as one:
        seen = await until(one, "first ")
        task = seen[0].found["task"]["id"]
        async with door.subscribe(task) as other:
            also = await until(other, "first ")
            await door.cancel(task)
            async with asyncio.timeout(10):
                seen += [event async for event in one]
                also += [event async for event in other]
    assert states_in(seen)[-1] == states_in(also)[-1] == "CANCELED"
    assert tasks[key] == task


@keeps("1.10-results-in-artifacts")
async def test_what_a_stream_brought_is_in_the_task_afterwards(door: Door) -> None:
    events = await all_of(door.streamed("pieces"))
    task = await door.get(events[0].found["task"]["id"])
    assert gathered(events) == {one["artifactId"]: joined(one["parts"]) for one in task["artifacts"]}


def gathered(events: list[Event]) -> dict[str, Any]:
    """Put the pieces of artifacts together, as a client does."""
    found: dict[str, Any] = {}
    for event in events:
        update = event.found.get("artifactUpdate")
        if update is None:
            continue
        artifact = update["artifact"]
        if update.get("append"):
            found[artifact["artifactId"]] += artifact["parts"]
        else:
            found[artifact["artifactId"]] = list(artifact["parts"])
    return {name: joined(parts) for name, parts in found.items()}


def joined(parts: list[Any]) -> list[Any]:
    """Join pieces of text: what was said in many the task may have in one."""
    found: list[Any] = []
    for part in parts:
        if part.keys() == {"text"} and found and found[-1].keys() == {"text"}:
            found[-1] = {"text": found[-1]["text"] + part["text"]}
        else:
            found.append(part)
    return found


@keeps("1.10-artifact-new")
async def test_an_artifact_without_append_takes_the_place_of_its_namesake(door: Door) -> None:
    task = await door.send("replace")
    assert [one["artifactId"] for one in task["artifacts"]] == ["draft", "other"]
    assert task["artifacts"][0]["parts"] == [{"text": "second"}]
    events = await all_of(door.streamed("replace"))
    shown = [one["artifactUpdate"] for one in told(events) if "artifactUpdate" in one]
    assert [(one["artifact"]["artifactId"], one.get("append", False)) for one in shown] == [
        ("draft", False),
        ("other", False),
        ("draft", False),
    ]


@keeps("1.10-artifact-append", "1.10-artifact-last")
async def test_pieces_with_append_add_parts(door: Door) -> None:
    events = await all_of(door.streamed("pieces"))
    shown = [one["artifactUpdate"] for one in told(events) if "artifactUpdate" in one]
    report = [one for one in shown if one["artifact"]["artifactId"] == "report"]
    assert [one.get("append", False) for one in report] == [False, True, True]
    assert [one.get("lastChunk", False) for one in report] == [False, False, True]
    task = await door.get(events[0].found["task"]["id"])
    (kept,) = [one for one in task["artifacts"] if one["artifactId"] == "report"]
    assert kept["parts"] == [{"text": "one"}, {"data": {"two": 2}}, {"text": "three"}]
    assert kept["name"] == "Report"


@keeps("1.10-artifact-append-unknown")
async def test_to_append_to_what_is_not_there_is_the_agents_mistake(door: Door) -> None:
    """Section 3.3.2: what the agent says must be A2A; where it is not, that is no fault of the client's."""
    assert (await refused_by(door.send("append"))).reason == "INVALID_AGENT_RESPONSE"
    seen: list[Event] = []
    try:
        await all_of(door.streamed("append"), seen)
    except Refused as refused:
        assert refused.reason == "INVALID_AGENT_RESPONSE"  # noqa: PT017 - a failed state says the same
    task = await door.get(seen[0].found["task"]["id"])
    assert state_of(task) == "FAILED"
    assert "artifacts" not in task
