"""Ours, at every door: webhooks of tasks that wait, of answers without a task, of refused messages."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from a2a_rules.house import House
from a2a_rules.reading import refused_by, state_of
from support.doors import DOORS, Door
from support.receiver import Receiver, receiving

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize("door", DOORS, indirect=True, ids=lambda kind: kind.__name__),
]


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


async def test_who_waits_for_the_client_says_so(door: Door, pusher: Door, hook: Receiver) -> None:
    push = {"taskPushNotificationConfig": {"url": hook.url}}
    task = await pusher.send("ask", configuration=push)
    await hook.until(lambda told: states(hook)[-1:] == ["input-required"])
    await pusher.send("hi", taskId=task["id"])
    await hook.until_over()
    assert states(hook)[-1] == "completed"
    assert states(hook).count("input-required") == 1


async def test_a_follow_up_may_bring_a_webhook(door: Door, pusher: Door, hook: Receiver) -> None:
    task = await pusher.send("ask")
    push = {"taskPushNotificationConfig": {"url": hook.url, "id": "late"}}
    await pusher.send("hi", taskId=task["id"], configuration=push)
    told = await hook.until_over()
    assert all(one.event_id.startswith(task["id"]) for one in told)
    assert states(hook)[0] == "working"
    assert [one["id"] for one in await pusher.list_push(task["id"])] == ["late"]


async def test_a_message_that_is_refused_leaves_no_webhook(door: Door, pusher: Door, hook: Receiver) -> None:
    task = await pusher.send("hi")
    assert state_of(task) == "COMPLETED"
    push = {"taskPushNotificationConfig": {"url": hook.url}}
    refused = await refused_by(pusher.send("more", taskId=task["id"], configuration=push))
    assert refused.reason == "UNSUPPORTED_OPERATION"
    assert await pusher.list_push(task["id"]) == []


async def test_an_answer_without_a_task_is_told_as_it_is(door: Door, pusher: Door, hook: Receiver) -> None:
    push = {"taskPushNotificationConfig": {"url": hook.url}}
    answer = await pusher.send("plain", configuration=push)
    (told,) = await hook.until(lambda told: bool(told))
    if door.version == "0.3":
        assert told.found["kind"] == "message"
        assert told.found["messageId"] == answer["messageId"]
    else:
        assert told.found["message"]["messageId"] == answer["messageId"]
