"""What both servers are asked: each a few steps at one door."""

import asyncio
from typing import Any

from differential.twins import Scenario, attempt, events_of, summed
from support.doors import Door, sending
from support.receiver import receiving

NOBODY = "0191a1a1-0000-7000-8000-000000000000"
PARTS: list[Any] = [
    {"text": "give-back"},
    {"text": "text", "mediaType": "text/markdown", "metadata": {"k": [1, None, {"x": "y"}]}},
    {"raw": "aGVsbG8=", "mediaType": "text/plain", "filename": "a.txt"},
    {"url": "https://files.test/b.png", "mediaType": "image/png", "filename": "b.png"},
    {"data": {"deep": {"list": [1, 2.5, True, None, "x"]}}},
]
CALL = "SendMessage"


async def echo(door: Door) -> dict[str, Any]:
    task = await attempt(door.send("hello"))
    return {"sent": task, "got": await attempt(door.get(task["id"]))}


async def every_kind_of_part(door: Door) -> dict[str, Any]:
    return {"sent": await attempt(door.send(parts=PARTS))}


async def artifacts_in_pieces(door: Door) -> dict[str, Any]:
    return {"sent": await attempt(door.send("pieces"))}


async def failure(door: Door) -> dict[str, Any]:
    return {"sent": await attempt(door.send("fail"))}


async def rejection(door: Door) -> dict[str, Any]:
    return {"sent": await attempt(door.send("reject"))}


async def plain_message(door: Door) -> dict[str, Any]:
    return {"sent": await attempt(door.send("plain"))}


async def input_required(door: Door) -> dict[str, Any]:
    first = await attempt(door.send("ask"))
    known = {"taskId": first["id"], "contextId": first["contextId"]}
    return {"asked": first, "answered": await attempt(door.send("hello", messageId="m2", **known))}


async def auth_required(door: Door) -> dict[str, Any]:
    return {"asked": await attempt(door.send("login"))}


async def streamed(door: Door) -> dict[str, Any]:
    return {"events": await attempt(events_of(door.streamed("count 5")))}


async def streamed_failure(door: Door) -> dict[str, Any]:
    return {"events": await attempt(events_of(door.streamed("fail")))}


async def streamed_question(door: Door) -> dict[str, Any]:
    return {"events": await attempt(events_of(door.streamed("ask")))}


async def streamed_message(door: Door) -> dict[str, Any]:
    return {"events": await attempt(events_of(door.streamed("plain")))}


async def cancelled(door: Door) -> dict[str, Any]:
    task = await attempt(door.send("hold", wait=False))
    found = {"cancelled": await attempt(door.cancel(task["id"]))}
    for key in ("artifacts", "history"):  # how far it had come is a matter of moments
        found["cancelled"].pop(key, None)
    return {**found, "again": await attempt(door.cancel(task["id"]))}


async def watched(door: Door) -> dict[str, Any]:
    """Subscribe while it is at work; others get the same end."""
    task = await attempt(door.send("hold", wait=False))
    watching = [asyncio.create_task(attempt(events_of(door.subscribe(task["id"])))) for _ in range(2)]
    await asyncio.sleep(0.3)
    await attempt(door.cancel(task["id"]))
    async with asyncio.timeout(10):
        ends = [await one for one in watching]
    return {"ends": [events.get("last", events) for events in ends]}


async def at_once(door: Door) -> dict[str, Any]:
    task = await attempt(door.send("hold", wait=False))
    await attempt(door.cancel(task["id"]))
    return {"is task": "id" in task, "state is active": task["status"]["state"] in ACTIVE}


ACTIVE = ("TASK_STATE_SUBMITTED", "TASK_STATE_WORKING")


async def history(door: Door) -> dict[str, Any]:
    task = await attempt(door.send("ask"))
    known = {"taskId": task["id"], "contextId": task["contextId"]}
    for number, text in enumerate(("ask again", "hello")):
        await attempt(door.send(text, messageId=f"m{number}", **known))
    return {
        f"of {length}": await attempt(door.get(task["id"], historyLength=length)) for length in (0, 1, 2, 100)
    }


async def listed(door: Door) -> dict[str, Any]:
    if "ListTasks" in door.unknown:
        return {}
    task = await attempt(door.send("first"))
    await attempt(door.send("second", contextId=task["contextId"]))
    context = {"contextId": task["contextId"]}
    first = await attempt(door.list(**context, pageSize=1))
    token = first.get("nextPageToken", "none")
    second = await attempt(door.list(**context, pageSize=1, pageToken=token))
    first["nextPageToken"] = bool(token)
    return {
        "first": first,
        "second": second,
        "with artifacts": await attempt(door.list(**context, includeArtifacts=True)),
        "none": await attempt(door.list(contextId="nobody's")),
        "working": await attempt(door.list(**context, status="TASK_STATE_WORKING")),
    }


async def push_configs(door: Door) -> dict[str, Any]:
    task = (await attempt(door.send("ask")))["id"]
    made = await attempt(door.set_push(task, "http://127.0.0.1:9/hook", id="one"))
    return {
        "made": made,
        "got": await attempt(door.get_push(task, "one")),
        "listed": await attempt(door.list_push(task)),
        "deleted": await attempt(door.delete_push(task, "one")),
        "again": await attempt(door.delete_push(task, "one")),
        "gone": await attempt(door.get_push(task, "one")),
    }


async def streamed_to_a_webhook(door: Door) -> dict[str, Any]:
    async with receiving() as hook:
        config = {"taskPushNotificationConfig": {"url": hook.url, "token": "the-token"}}
        await attempt(door.send("pieces", configuration=config))
        told = await hook.until_over()
        tokens = {one.headers["x-a2a-notification-token"] for one in told}
        return {"events": summed([one.found for one in told]), "tokens": sorted(tokens)}


async def unknown_things(door: Door) -> dict[str, Any]:
    return {
        "get": await attempt(door.get(NOBODY)),
        "cancel": await attempt(door.cancel(NOBODY)),
        "subscribe": await attempt(events_of(door.subscribe(NOBODY))),
        "send": await attempt(door.send("x", taskId=NOBODY)),
        "push": await attempt(door.get_push(NOBODY, "one")),
    }


async def things_that_are_over(door: Door) -> dict[str, Any]:
    task = await attempt(door.send("hello"))
    return {
        "cancel": await attempt(door.cancel(task["id"])),
        "subscribe": await attempt(events_of(door.subscribe(task["id"]))),
        "send": await attempt(door.send("x", taskId=task["id"], contextId=task["contextId"])),
    }


async def wrong_things(door: Door) -> dict[str, Any]:
    message = sending("x")["message"]
    asked = {
        "no parts": {"message": {**message, "parts": []}},
        "no id": {"message": {**message, "messageId": ""}},
        "no role": {"message": {**message, "role": "ROLE_UNSPECIFIED"}},
        "no message": {},
        "an empty part": {"message": {**message, "parts": [{}]}},
        "a negative history": {"message": message, "configuration": {"historyLength": -1}},
    }
    return {what: await attempt(_sent(door, params)) for what, params in asked.items()}


async def _sent(door: Door, params: Any) -> Any:
    return (await door.call(CALL, params)).found


SCENARIOS: dict[str, Scenario] = {
    one.__name__.replace("_", " "): one
    for one in (
        *(echo, every_kind_of_part, artifacts_in_pieces, failure, rejection, plain_message, input_required),
        *(auth_required, streamed, streamed_failure, streamed_question, streamed_message, cancelled, watched),
        *(
            at_once,
            history,
            listed,
            push_configs,
            streamed_to_a_webhook,
            unknown_things,
            things_that_are_over,
            wrong_things,
        ),
    )
}
