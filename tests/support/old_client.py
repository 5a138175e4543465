"""What a client with the SDK of A2A 0.3 sees of us; run by that SDK's own Python.

    python old_client.py AGENT_URL

Writes one JSON object: for each transport, what came back, in the SDK's own words.
"""

import asyncio
import json
import sys
from typing import Any
from uuid import uuid4

import grpc.aio
import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import (
    DataPart,
    FilePart,
    FileWithBytes,
    FileWithUri,
    GetTaskPushNotificationConfigParams,
    Message,
    Part,
    PushNotificationConfig,
    Role,
    TaskIdParams,
    TaskPushNotificationConfig,
    TaskQueryParams,
    TextPart,
)

TRANSPORTS = ("JSONRPC", "HTTP+JSON", "GRPC")


def message(text: str, *parts: Any, **more: Any) -> Message:
    made = [Part(root=one) for one in (TextPart(text=text), *parts)]
    return Message(message_id=uuid4().hex, role=Role.user, parts=made, **more)


def dumped(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def last(events: Any) -> Any:
    """Return the task or message that a send ends with."""
    found = None
    async for event in events:
        found = event
    return found if isinstance(found, Message) else found[0]


async def outcome(asking: Any) -> str:
    """Return what a failure is called."""
    try:
        await asking
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing went wrong"


async def seen(agent: str, transport: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
        card = await A2ACardResolver(http, agent).get_agent_card()
        found["card"] = dumped(card)

        def client(streaming: bool) -> Any:
            config = ClientConfig(
                streaming=streaming,
                httpx_client=http,
                grpc_channel_factory=grpc.aio.insecure_channel,
                supported_transports=[transport],
            )
            return ClientFactory(config).create(card)

        whole, streams = client(streaming=False), client(streaming=True)
        found["sent"] = dumped(await last(whole.send_message(message("hi"))))
        updates = [update async for _, update in streams.send_message(message("pieces"))]
        found["streamed"] = [None if one is None else dumped(one) for one in updates]
        found["plain"] = [dumped(one) async for one in streams.send_message(message("plain"))]
        parts = (
            FilePart(file=FileWithBytes(bytes="aGk=", mime_type="image/png", name="a.png")),
            FilePart(file=FileWithUri(uri="https://files.test/x", mime_type="text/html")),
            DataPart(data={"a": {"b": [1, None]}}, metadata={"m": 1}),
        )
        found["back"] = dumped(await last(whole.send_message(message("back", *parts))))
        asked = await last(streams.send_message(message("ask")))
        found["asked"] = dumped(asked)
        context = {"task_id": asked.id, "context_id": asked.context_id}
        found["answered"] = dumped(await last(whole.send_message(message("hi", **context))))
        found["got"] = dumped(await whole.get_task(TaskQueryParams(id=asked.id, history_length=1)))
        waiting = await last(whole.send_message(message("ask")))
        config = PushNotificationConfig(id="mine", url="http://127.0.0.1:9/hook")
        await whole.set_task_callback(
            TaskPushNotificationConfig(task_id=waiting.id, push_notification_config=config)
        )
        params = GetTaskPushNotificationConfigParams(id=waiting.id, push_notification_config_id="mine")
        found["callback"] = dumped(await whole.get_task_callback(params))
        found["cancelled"] = dumped(await whole.cancel_task(TaskIdParams(id=waiting.id)))
        found["again"] = await outcome(whole.cancel_task(TaskIdParams(id=waiting.id)))
        found["unknown"] = await outcome(whole.get_task(TaskQueryParams(id="gone")))
        found["resubscribed"] = await followed(streams)
        await whole.close()
    return found


async def followed(client: Any) -> list[str]:
    """Return the kinds of what a subscription brings, begun while the task is at work."""
    key = uuid4().hex
    sent = client.send_message(message(f"hold {key}"))
    task, _ = await anext(sent)
    kinds = []
    async for _, update in client.resubscribe(TaskIdParams(id=task.id)):
        kinds.append("task" if update is None else update.kind)
        if update is None:
            await last(client.send_message(message(f"open {key}")))
    await sent.aclose()
    return kinds


async def main() -> None:
    results = {one: await seen(sys.argv[1], one) for one in TRANSPORTS}
    sys.stdout.write(json.dumps(results))


asyncio.run(main())
