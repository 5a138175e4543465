"""A2A 1.0 sections 4.1.3 and 7, and 1.4 of the table: the states of tasks, and what can be done in them."""

import pytest
from a2a_rules import wire
from a2a_rules.reading import all_of, refused_by, state_of, states_in, text_of, until
from a2a_rules.table import keeps
from support.doors import Door

ENDS = {"hi": "COMPLETED", "fail": "FAILED", "reject": "REJECTED", "break": "FAILED"}
WAITS = {"ask": "INPUT_REQUIRED", "login": "AUTH_REQUIRED"}


@keeps("1.4-states")
@pytest.mark.parametrize(("text", "state"), [*ENDS.items(), *WAITS.items()])
async def test_every_state_is_told_by_its_own_name(door: Door, text: str, state: str) -> None:
    assert state_of(await door.send(text)) == state
    async with door.streamed(text) as events:
        seen = await until(events, state)
    assert states_in(seen)[-1] == state
    task = (await door.send("ask"))["id"]
    assert state_of(await door.cancel(task)) == "CANCELED"
    assert states_in(await all_of(door.streamed("count 3")))[-2:] == ["WORKING", "COMPLETED"]


@keeps("1.4-terminal-no-message")
@pytest.mark.parametrize("text", [*ENDS, "ask"])
async def test_a_task_that_is_over_takes_no_message(door: Door, text: str) -> None:
    task = await over(door, text)
    for asking in (door.send("hi", taskId=task), all_of(door.streamed("hi", taskId=task))):
        refused = await refused_by(asking)
        assert refused.reason == "UNSUPPORTED_OPERATION"


async def over(door: Door, text: str) -> str:
    """Return a task that is over, cancelled where it does not end by itself."""
    task = await door.send(text)
    if state_of(task) in WAITS.values():
        await door.cancel(task["id"])
    return str(task["id"])


@keeps("1.4-terminal-no-cancel")
@pytest.mark.parametrize("text", [*ENDS, "ask"])
async def test_a_task_that_is_over_cannot_be_cancelled(door: Door, text: str) -> None:
    task = await over(door, text)
    before = await door.get(task)
    assert (await refused_by(door.cancel(task))).reason == "TASK_NOT_CANCELABLE"
    assert await door.get(task) == before


@keeps("1.4-terminal-no-subscription")
@pytest.mark.parametrize("text", [*ENDS, "ask"])
async def test_a_task_that_is_over_has_no_stream(door: Door, text: str) -> None:
    task = await over(door, text)
    assert (await refused_by(all_of(door.subscribe(task)))).reason == "UNSUPPORTED_OPERATION"


@keeps("1.4-input-required-goes-on")
async def test_a_message_takes_up_a_task_that_wants_input(door: Door) -> None:
    await goes_on(door, "ask")


@keeps("1.4-auth-required-goes-on")
async def test_a_message_takes_up_a_task_that_wants_credentials(door: Door) -> None:
    await goes_on(door, "login")


async def goes_on(door: Door, text: str) -> None:
    task = await door.send(text)
    assert state_of(task) == WAITS[text]
    assert state_of(await door.get(task["id"])) == WAITS[text]
    again = await door.send(text, taskId=task["id"])
    assert (again["id"], state_of(again)) == (task["id"], WAITS[text])
    done = await door.send("hi", taskId=task["id"], contextId=task["contextId"])
    assert (done["id"], state_of(done)) == (task["id"], "COMPLETED")
    assert text_of(done).endswith("you said: hi")
    said = [one["parts"][0]["text"] for one in done["history"] if one["role"] == "ROLE_USER"]
    assert said == [text, text, "hi"]


@keeps("1.4-interrupted-is-cancelled")
@pytest.mark.parametrize("text", WAITS)
async def test_a_task_that_waits_for_somebody_can_be_cancelled(door: Door, text: str) -> None:
    task = (await door.send(text))["id"]
    assert state_of(await door.cancel(task)) == "CANCELED"
    assert state_of(await door.get(task)) == "CANCELED"


@keeps("1.4-roles")
async def test_users_say_user_and_agents_say_agent(door: Door) -> None:
    task = await door.send("ask")
    assert task["history"][0]["role"] == "ROLE_USER"
    assert task["status"]["message"]["role"] == "ROLE_AGENT"
    if door.binding != "GRPC":
        spelled = (
            ("user", "agent")
            if (door.version, door.binding) == ("0.3", "JSONRPC")
            else ("ROLE_USER", "ROLE_AGENT")
        )
        found = (await wire.ask(door, "GetTask", {"id": task["id"]})).result
        assert found["history"][0]["role"] == spelled[0]
        status = found["status"]
        assert (status.get("message") or status["update"])["role"] == spelled[1]


@keeps("1.10-cancel")
async def test_cancelling_ends_a_task_as_canceled(door: Door) -> None:
    task = (await door.send("ask"))["id"]
    found = await door.cancel(task)
    assert (found["id"], state_of(found)) == (task, "CANCELED")
    assert state_of(await door.get(task)) == "CANCELED"


@keeps("1.10-cancel-again")
async def test_a_second_cancel_is_refused(door: Door) -> None:
    task = (await door.send("ask"))["id"]
    await door.cancel(task)
    before = await door.get(task)
    assert (await refused_by(door.cancel(task))).reason == "TASK_NOT_CANCELABLE"
    assert await door.get(task) == before


@keeps("1.10-cancel-unknown")
async def test_nobody_can_cancel_a_task_that_is_not_known(door: Door) -> None:
    assert (await refused_by(door.cancel("gone"))).reason == "TASK_NOT_FOUND"


@keeps("1.10-get-unknown")
async def test_nobody_can_get_a_task_that_is_not_known(door: Door) -> None:
    for task in ("gone", "a b", "ü", "x" * 500):
        assert (await refused_by(door.get(task))).reason == "TASK_NOT_FOUND", task
