"""A2A 1.0 sections 3.1.1 and 3.2.2, 1.10 of the table: what a send waits for, and what it answers with."""

import asyncio
from uuid import uuid4

import pytest
from a2a_rules.actor import let_go, tasks
from a2a_rules.reading import (
    OVER,
    all_of,
    kind_of,
    known_by,
    refused_by,
    state_of,
    states_in,
    text_in,
    text_of,
)
from a2a_rules.table import keeps
from support.doors import Door, sending
from support.scripted_agent import until


@pytest.fixture
def key() -> str:
    """What the agent waits for, until `let_go[key].set()`."""
    return uuid4().hex


async def finished(door: Door, task: str) -> None:
    """Wait until a task is over, as a client would."""

    async def over() -> bool:
        return state_of(await door.get(task)) in OVER

    await until(over)


@keeps("1.10-blocking-waits", "1.14-send-timing")
async def test_a_send_that_says_nothing_waits_until_the_task_is_over(door: Door, key: str) -> None:
    asyncio.get_running_loop().call_later(0.05, let_go[key].set)
    found = (await door.call("SendMessage", sending(f"hold {key}"))).found["task"]
    assert (state_of(found), text_of(found)) == ("COMPLETED", "first last")
    assert found == await door.get(found["id"])


@keeps("1.10-blocking-interrupted")
@pytest.mark.parametrize(("word", "state"), [("ask", "INPUT_REQUIRED"), ("login", "AUTH_REQUIRED")])
async def test_a_send_returns_when_the_task_wants_something(door: Door, word: str, state: str) -> None:
    task = await door.send(word)
    assert state_of(task) == state
    assert "artifacts" in task
    assert task["status"]["message"]["parts"] == [{"text": "what do you want?"}]


@keeps("1.10-return-immediately")
async def test_a_send_that_asks_for_it_returns_at_once(door: Door, key: str) -> None:
    task = await door.send(f"hold {key}", wait=False)
    assert state_of(task) in ("SUBMITTED", "WORKING")
    let_go[key].set()
    await finished(door, task["id"])
    assert text_of(await door.get(task["id"])) == "first last"


@keeps("1.10-return-immediately-message")
async def test_returning_at_once_changes_nothing_for_a_plain_message(door: Door) -> None:
    message = await door.send("plain", wait=False)
    assert message["parts"] == [{"text": "just this"}]


@keeps("1.10-return-immediately-stream")
async def test_returning_at_once_changes_nothing_for_streams(door: Door) -> None:
    params = sending("hi", wait=False)
    events = await all_of(door.stream("SendStreamingMessage", params))
    assert states_in(events)[-1] == "COMPLETED"
    assert text_in(events) == "you said: hi"


@keeps("1.10-message-answer")
async def test_a_plain_message_has_a_context_and_no_task(door: Door) -> None:
    found = (await door.call("SendMessage", sending("plain"))).found
    assert found.keys() == {"message"}
    message = found["message"]
    assert message["role"] == "ROLE_AGENT"
    assert message["messageId"]
    assert message["contextId"]
    assert "taskId" not in message
    again = (await door.call("SendMessage", sending("plain", contextId=message["contextId"]))).found
    assert again["message"]["contextId"] == message["contextId"]
    assert again["message"]["messageId"] != message["messageId"]


@keeps("1.10-message-stream")
async def test_a_plain_message_is_the_only_event_of_its_stream(door: Door) -> None:
    events = await all_of(door.streamed("plain"))
    assert [kind_of(event) for event in events] == ["message"]
    assert events[0].found["message"]["contextId"]


@keeps("1.10-message-no-task")
async def test_who_is_answered_with_a_plain_message_finds_no_task(door: Door, house: object) -> None:
    context = (await door.send("plain"))["contextId"]
    known = known_by(await door.send("tell", contextId=context))
    said = [message["parts"][0]["text"] for message in known["history"]]
    assert said == ["plain", "just this"], "it belongs to the conversation all the same"
    if "ListTasks" not in door.unknown:
        listed = await door.list(contextId=context)
        assert len(listed["tasks"]) == 1


@keeps("1.10-client-left")
async def test_a_client_that_goes_away_stops_nothing(door: Door, key: str) -> None:
    sent = asyncio.create_task(door.send(f"hold {key}", contextId=f"left-{key}"))
    async with asyncio.timeout(10):
        await let_go[f"begun {key}"].wait()
    sent.cancel()
    await asyncio.gather(sent, return_exceptions=True)
    task = tasks[key]
    assert state_of(await door.get(task)) == "WORKING"
    let_go[key].set()
    await finished(door, task)
    assert text_of(await door.get(task)) == "first last"


@keeps("1.10-task-id-servers")
async def test_a_message_for_a_task_that_is_not_known_is_refused(door: Door) -> None:
    for task in ("of-my-own", "00000000-0000-0000-0000-000000000000"):
        assert (await refused_by(door.send("hi", taskId=task))).reason == "TASK_NOT_FOUND"
        assert (await refused_by(all_of(door.streamed("hi", taskId=task)))).reason == "TASK_NOT_FOUND"


@keeps("1.10-context-made")
async def test_who_names_no_context_gets_a_new_one(door: Door) -> None:
    tasks = [await door.send("hi") for _ in range(3)]
    assert len({task["contextId"] for task in tasks}) == 3
    assert all(task["contextId"] for task in tasks)


@keeps("1.10-context-kept")
async def test_who_names_a_context_stays_in_it(door: Door, key: str) -> None:
    for context in (f"mine-{key}", (await door.send("hi"))["contextId"]):
        tasks = [await door.send("hi", contextId=context) for _ in range(2)]
        assert [task["contextId"] for task in tasks] == [context] * 2
        assert tasks[0]["id"] != tasks[1]["id"]


@keeps("1.10-context-inferred")
async def test_a_message_with_a_tasks_id_alone_goes_into_its_context(door: Door) -> None:
    """a2a-sdk gives it a context of its own, and fails the task after a restart."""
    task = await door.send("ask")
    again = await door.send("tell", taskId=task["id"])
    assert (again["id"], again["contextId"]) == (task["id"], task["contextId"])
    assert known_by(again)["context"] == task["contextId"]
    assert {message["contextId"] for message in again["history"]} == {task["contextId"]}


@keeps("1.10-context-mismatch")
async def test_a_message_with_a_tasks_id_and_another_context_is_refused(door: Door) -> None:
    task = await door.send("ask")
    other = (await door.send("hi"))["contextId"]
    refused = await refused_by(door.send("hi", taskId=task["id"], contextId=other))
    assert refused.reason == "INVALID_PARAMS"
    assert {*refused.violations} == {"message.contextId"}
    assert state_of(await door.get(task["id"])) == "INPUT_REQUIRED"


@keeps("1.10-context-refused")
async def test_a_context_that_cannot_be_taken_is_refused(door: Door) -> None:
    refused = await refused_by(door.send("hi", contextId="c" * 200))
    assert refused.reason == "INVALID_PARAMS"
    assert {*refused.violations} == {"message.contextId"}
    assert (await door.send("hi", contextId="c" * 100))["contextId"] == "c" * 100


@keeps("1.10-message-id-repeats")
async def test_the_same_message_id_twice_is_two_messages(door: Door) -> None:
    """A2A's test kit reuses one; only an idempotency key says that a message is the same."""
    first = await door.send("hi", messageId="again")
    second = await door.send("there", messageId="again", contextId=first["contextId"])
    assert first["id"] != second["id"]
    assert text_of(second) == "you said: there"


@keeps("1.10-ids-plain")
async def test_ids_are_plain_words(door: Door) -> None:
    task = await door.send("hi")
    for found in (task["id"], task["contextId"], task["artifacts"][0]["artifactId"]):
        assert "/" not in found
        assert found.isascii()
        assert " " not in found
