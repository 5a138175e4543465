"""Ours, at every door: webhooks of tasks that wait, of answers without a task, of refused messages."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from a2a_rules.house import House
from a2a_rules.reading import refused_by, state_of
from a2a_rules.table import keeps
from support.doors import Door
from support.receiver import Receiver, receiving


@pytest_asyncio.fixture(loop_scope="session")
async def hook() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def pusher(house: House, door: Door) -> Door:
    return house.door(type(door), "pusher")


def states(hook: Receiver) -> list[str]:
    """The states that were told, in order."""
    found = []
    for one in hook.all:
        inner = one.found.get("task") or one.found.get("statusUpdate") or one.found
        if "status" in inner:
            found.append(inner["status"]["state"].removeprefix("TASK_STATE_").lower().replace("_", "-"))
    return found


@keeps("1.12-waiting")
async def test_who_waits_for_the_client_says_so(door: Door, pusher: Door, hook: Receiver) -> None:
    push = {"taskPushNotificationConfig": {"url": hook.url}}
    task = await pusher.send("ask", configuration=push)
    await hook.until(lambda told: states(hook)[-1:] == ["input-required"])
    await pusher.send("hi", taskId=task["id"])
    await hook.until_over()
    assert states(hook)[-1] == "completed"
    assert states(hook).count("input-required") == 1


@keeps("1.12-with-follow-up")
async def test_a_follow_up_may_bring_a_webhook(door: Door, pusher: Door, hook: Receiver) -> None:
    task = await pusher.send("ask")
    push = {"taskPushNotificationConfig": {"url": hook.url, "id": "late"}}
    await pusher.send("hi", taskId=task["id"], configuration=push)
    told = await hook.until_over()
    assert all(one.event_id.startswith(task["id"]) for one in told)
    assert states(hook)[0] == "working"
    assert [one["id"] for one in await pusher.list_push(task["id"])] == ["late"]


@keeps("1.12-refused")
async def test_a_message_that_is_refused_leaves_no_webhook(door: Door, pusher: Door, hook: Receiver) -> None:
    task = await pusher.send("hi")
    assert state_of(task) == "COMPLETED"
    push = {"taskPushNotificationConfig": {"url": hook.url}}
    refused = await refused_by(pusher.send("more", taskId=task["id"], configuration=push))
    assert refused.reason == "UNSUPPORTED_OPERATION"
    assert await pusher.list_push(task["id"]) == []


@keeps("1.12-plain-message")
async def test_an_answer_without_a_task_is_told_as_it_is(door: Door, pusher: Door, hook: Receiver) -> None:
    push = {"taskPushNotificationConfig": {"url": hook.url}}
    answer = await pusher.send("plain", configuration=push)
    (told,) = await hook.until(lambda told: bool(told))
    if door.version == "0.3":
        assert told.found["kind"] == "message"
        assert told.found["messageId"] == answer["messageId"]
    else:
        assert told.found["message"]["messageId"] == answer["messageId"]
