"""A2A 1.0 sections 3.1.7 to 3.1.10 and 4.3, and 1.12 of the table: telling webhooks what becomes of tasks."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from a2a.compat.v0_3 import types as v03
from a2a.types import a2a_pb2 as pb
from a2a_rules.actor import let_go
from a2a_rules.house import House
from a2a_rules.reading import all_of, refused_by, state_of, text_of
from a2a_rules.table import keeps
from aiohttp import web
from support.doors import Door, sending
from support.published import read_v03, read_v1
from support.receiver import Receiver, Told, receiving

SECRET = {"token": "the-token", "authentication": {"scheme": "Bearer", "credentials": "the-credentials"}}


@pytest_asyncio.fixture(loop_scope="session")
async def hook() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def pusher(house: House, door: Door) -> Door:
    return house.door(type(door), "pusher")


async def asked(pusher: Door) -> str:
    """Return a task that waits."""
    return str((await pusher.send("ask"))["id"])


@keeps("1.12-create")
async def test_a_config_is_kept_under_its_id(door: Door, pusher: Door, hook: Receiver) -> None:
    task = await asked(pusher)
    mine = await pusher.set_push(task, hook.url, id="mine")
    assert (mine["id"], mine["taskId"], mine["url"]) == ("mine", task, hook.url)
    made = await pusher.set_push(task, hook.url)
    assert made["id"]
    assert made["id"] != "mine"
    again = await pusher.set_push(task, hook.url + "/new", id="mine")
    assert again["url"] == hook.url + "/new"
    assert {one["id"] for one in await pusher.list_push(task)} == {"mine", made["id"]}


@keeps("1.12-get")
async def test_it_is_got_without_its_secrets(door: Door, pusher: Door, hook: Receiver) -> None:
    """a2a-sdk shows them to whoever reads."""
    task = await asked(pusher)
    made = await pusher.set_push(task, hook.url, id="mine", **SECRET)
    found = await pusher.get_push(task, "mine")
    assert (found["id"], found["url"]) == ("mine", hook.url)
    assert found["authentication"]["scheme"] == "Bearer"
    for shown in (made, found, await pusher.list_push(task)):
        assert "the-credentials" not in json.dumps(shown)
        assert "the-token" not in json.dumps(shown)


@keeps("1.12-get-unknown")
async def test_a_config_that_is_not_known_is_not_found(door: Door, pusher: Door) -> None:
    task = await asked(pusher)
    for asking in (
        pusher.get_push(task, "none"),
        pusher.get_push("gone", "none"),
        pusher.list_push("gone"),
        pusher.delete_push("gone", "none"),
        pusher.set_push("gone", "https://hooks.test/"),
    ):
        assert (await refused_by(asking)).reason == "TASK_NOT_FOUND"


@keeps("1.12-list")
async def test_all_configs_of_a_task_are_listed(door: Door, pusher: Door, hook: Receiver) -> None:
    task = await asked(pusher)
    assert await pusher.list_push(task) == []
    for name in ("a", "b", "c"):
        await pusher.set_push(task, hook.url, id=name)
    await pusher.set_push(await asked(pusher), hook.url, id="of another task")
    assert [one["id"] for one in await pusher.list_push(task)] == ["a", "b", "c"]


@keeps("1.12-delete")
async def test_deleting_ends_it_and_can_be_repeated(door: Door, pusher: Door, hook: Receiver) -> None:
    task = await asked(pusher)
    await pusher.set_push(task, hook.url, id="mine")
    for _ in range(2):
        await pusher.delete_push(task, "mine")
    assert await pusher.list_push(task) == []
    assert (await refused_by(pusher.get_push(task, "mine"))).reason == "TASK_NOT_FOUND"


async def told_of(pusher: Door, hook: Receiver, text: str = "pieces", **config: Any) -> list[Told]:
    """Send a message with a webhook, and return what that was told."""
    push = {"url": hook.url, **config}
    params = sending(text, configuration={"taskPushNotificationConfig": push})
    await pusher.call("SendMessage", params)
    return await hook.until_over()


@keeps("1.12-with-send")
async def test_a_config_can_come_with_a_message(door: Door, pusher: Door, hook: Receiver) -> None:
    push = {"taskPushNotificationConfig": {"url": hook.url, "id": "mine"}}
    task = await pusher.send("ask", configuration=push)
    assert [one["id"] for one in await pusher.list_push(task["id"])] == ["mine"]
    await pusher.send("hi", taskId=task["id"])
    await hook.until_over()
    events = await all_of(pusher.stream("SendStreamingMessage", sending("hi", configuration=push)))
    assert [one["id"] for one in await pusher.list_push(events[0].found["task"]["id"])] == ["mine"]


@keeps("1.12-delivered")
async def test_what_a_stream_shows_is_posted_in_order(door: Door, pusher: Door, hook: Receiver) -> None:
    told = await told_of(pusher, hook)
    assert [one.seq for one in told] == sorted({one.seq for one in told})
    last = told[-1].found
    if door.version == "0.3":
        assert last["status"]["state"] == "completed"
        assert [one["artifactId"] for one in last["artifacts"]] == ["report", "list"]
    else:
        assert "task" in told[0].found
        assert last["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
        shown = [
            one.found["artifactUpdate"]["artifact"]["artifactId"]
            for one in told
            if "artifactUpdate" in one.found
        ]
        assert shown == ["report", "list", "report", "list", "report"]


@keeps("1.12-body")
async def test_the_body_is_a_stream_response(door: Door, pusher: Door, hook: Receiver) -> None:
    for one in await told_of(pusher, hook):
        assert one.headers["content-type"] == "application/a2a+json"
        assert read_v1(one.found, pb.StreamResponse).WhichOneof("payload")


@keeps("1.15-push-task")
async def test_03_is_told_the_whole_task(door: Door, pusher: Door, hook: Receiver) -> None:
    for one in await told_of(pusher, hook):
        assert one.headers["content-type"] == "application/json"
        assert read_v03(one.found, v03.Task).kind == "task"


@keeps("1.12-headers")
async def test_credentials_and_token_go_into_headers(door: Door, pusher: Door, hook: Receiver) -> None:
    for one in await told_of(pusher, hook, **SECRET):
        assert one.headers["authorization"] == "Bearer the-credentials"
        assert one.headers["x-a2a-notification-token"] == "the-token"


@keeps("1.12-several")
async def test_every_config_of_a_task_gets_everything(door: Door, pusher: Door, hook: Receiver) -> None:
    key = uuid4().hex
    task = (await pusher.send(f"hold {key}", wait=False))["id"]
    async with receiving() as other:
        await pusher.set_push(task, hook.url, id="one")
        await pusher.set_push(task, other.url, id="other")
        let_go[key].set()
        told, also = await asyncio.gather(hook.until_over(), other.until_over())
    assert told[-1].found == also[-1].found
    assert told[-1].seq == also[-1].seq
    assert told[-1].event_id != also[-1].event_id, "one receiver may have both, and takes each event once"
    assert text_of(await pusher.get(task)) == "first last"


@keeps("1.12-retried")
async def test_a_delivery_that_fails_is_tried_again(door: Door, pusher: Door, hook: Receiver) -> None:
    hook.answers += [500, 503]
    told = await told_of(pusher, hook)
    assert told[0].body == told[1].body == told[2].body
    assert len({one.event_id for one in told[:3]}) == 1
    assert len({one.event_id for one in told}) == len(told) - 2


@keeps("1.12-private-addresses")
@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/x", "http://169.254.169.254/latest", "http://[::1]:9/", "ftp://x.test/", "file:///x"],
)
async def test_addresses_inside_are_refused(door: Door, pusher: Door, url: str) -> None:
    task = await asked(pusher)
    refused = await refused_by(pusher.set_push(task, url))
    assert refused.code in (-32602, 400, "INVALID_ARGUMENT")
    push = {"taskPushNotificationConfig": {"url": url}}
    refused = await refused_by(pusher.send("hi", configuration=push))
    assert refused.code in (-32602, 400, "INVALID_ARGUMENT")


@keeps("1.12-not-offered")
async def test_an_agent_without_push_refuses_all_of_it(door: Door) -> None:
    url = "https://hooks.test/"
    for asking in (
        door.set_push("gone", url),
        door.get_push("gone", "c"),
        door.list_push("gone"),
        door.delete_push("gone", "c"),
        door.send("hi", configuration={"taskPushNotificationConfig": {"url": url}}),
        all_of(
            door.stream(
                "SendStreamingMessage",
                sending("hi", configuration={"taskPushNotificationConfig": {"url": url}}),
            )
        ),
    ):
        assert (await refused_by(asking)).reason == "PUSH_NOTIFICATION_NOT_SUPPORTED"


@keeps("1.12-own")
async def test_nobody_sees_configs_of_somebody_elses_task(
    door: Door, pusher: Door, house: House, hook: Receiver
) -> None:
    task = await asked(pusher)
    await pusher.set_push(task, hook.url, id="mine")
    bob = house.door(type(door), "pusher", "bob")
    for asking in (
        bob.get_push(task, "mine"),
        bob.list_push(task),
        bob.delete_push(task, "mine"),
        bob.set_push(task, hook.url, id="mine"),
    ):
        assert (await refused_by(asking)).reason == "TASK_NOT_FOUND"
    assert [one["url"] for one in await pusher.list_push(task)] == [hook.url]
    assert state_of(await pusher.get(task)) == "INPUT_REQUIRED"


@keeps("1.12-not-in-the-way")
async def test_a_webhook_that_takes_its_time_delays_nobody(door: Door, pusher: Door) -> None:
    """a2a-sdk awaits it between an event and the next."""
    answered = asyncio.Event()

    async def slow(request: Any) -> web.Response:
        await answered.wait()
        return web.Response(status=204)

    async with receiving() as hook:
        hook.usual = slow
        push = {"taskPushNotificationConfig": {"url": hook.url}}
        task = await pusher.send("pieces", configuration=push)
        assert state_of(task) == "COMPLETED"
        await hook.until(bool)
        assert len(hook.all) == 1, "and it gets one at a time"
        answered.set()
        await hook.until_over()
