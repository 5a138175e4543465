"""Six doors to the same tasks: A2A 1.0 and 0.3, each over JSON-RPC, HTTP+JSON and gRPC."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import grpc.aio
import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2 as old
from a2a.compat.v0_3 import a2a_v0_3_pb2_grpc as old_grpc
from support.scripted_agent import ScriptedModel, serving

import hector_a2a as a2a
from hector.llm.v1 import StreamTextResponse
from hector_gateway.config import GatewaySection
from hector_gateway.room import Border

Seen = tuple[str, str, str, str]
"""Of a task: id, context, state and text, in the same words for all doors."""


def seen(task: str, context: str, state: str, texts: Any) -> Seen:
    state = state.removeprefix("TASK_STATE_").replace("-", "_").upper()
    return task, context, {"CANCELLED": "CANCELED"}.get(state, state), "".join(texts)


class GrpcV1:
    """lf.a2a.v1 over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub = a2a.A2AServiceStub(channel)

    async def send(self, text: str, *, wait: bool, context: str = "") -> Seen:
        request = a2a.SendMessageRequest()
        request.message.message_id, request.message.role = "m", a2a.ROLE_USER
        request.message.context_id = context
        request.message.parts.add(text=text)
        request.configuration.return_immediately = not wait
        return self.seen((await self.stub.SendMessage(request, timeout=20)).task)

    async def get(self, task: str) -> Seen:
        return self.seen(await self.stub.GetTask(a2a.GetTaskRequest(id=task), timeout=20))

    async def cancel(self, task: str) -> Seen:
        return self.seen(await self.stub.CancelTask(a2a.CancelTaskRequest(id=task), timeout=20))

    async def follow(self, task: str) -> AsyncIterator[str]:
        async for event in self.stub.SubscribeToTask(a2a.SubscribeToTaskRequest(id=task), timeout=20):
            if event.HasField("task"):
                yield self.seen(event.task)[3]
            for part in event.artifact_update.artifact.parts:
                yield part.text

    @staticmethod
    def seen(task: Any) -> Seen:
        texts = [part.text for artifact in task.artifacts for part in artifact.parts]
        return seen(task.id, task.context_id, a2a.TaskState.Name(task.status.state), texts)


class GrpcV03(GrpcV1):
    """a2a.v1 over gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub = old_grpc.A2AServiceStub(channel)

    async def send(self, text: str, *, wait: bool, context: str = "") -> Seen:
        request = old.SendMessageRequest()
        request.request.message_id, request.request.role = "m", old.ROLE_USER
        request.request.context_id = context
        request.request.content.add(text=text)
        request.configuration.blocking = wait
        return self.seen((await self.stub.SendMessage(request, timeout=20)).task)

    async def get(self, task: str) -> Seen:
        return self.seen(await self.stub.GetTask(old.GetTaskRequest(name=f"tasks/{task}"), timeout=20))

    async def cancel(self, task: str) -> Seen:
        return self.seen(await self.stub.CancelTask(old.CancelTaskRequest(name=f"tasks/{task}"), timeout=20))

    async def follow(self, task: str) -> AsyncIterator[str]:
        request = old.TaskSubscriptionRequest(name=f"tasks/{task}")
        async for event in self.stub.TaskSubscription(request, timeout=20):
            if event.HasField("task"):
                yield self.seen(event.task)[3]
            for part in event.artifact_update.artifact.parts:
                yield part.text


class Http:
    """What the doors over HTTP have in common."""

    version = "1.0"

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http, self.url = http, url
        self.headers = {"A2A-Version": self.version, "Content-Type": "application/json"}

    def message(self, text: str, context: str) -> dict[str, Any]:
        found = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]}
        return found | ({"contextId": context} if context else {})

    async def ask(self, verb: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body)
        async with self.http.request(verb, self.url + path, data=data, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def events(self, verb: str, path: str, body: Any = None) -> AsyncIterator[Any]:
        data = None if body is None else json.dumps(body)
        async with self.http.request(verb, self.url + path, data=data, headers=self.headers) as answer:
            assert answer.content_type == "text/event-stream", await answer.text()
            async for line in answer.content:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])

    @staticmethod
    def seen(task: Any) -> Seen:
        texts = [part["text"] for artifact in task.get("artifacts", ()) for part in artifact["parts"]]
        return seen(task["id"], task["contextId"], task["status"]["state"], texts)

    @classmethod
    def texts(cls, event: Any) -> list[str]:
        """Return the text that an event brings, whichever way it is wrapped."""
        event = event.get("task") or event.get("artifactUpdate") or event
        if "status" in event and "id" in event:
            return [cls.seen(event)[3]]
        return [part["text"] for part in event.get("artifact", {}).get("parts", ())]


class RpcV1(Http):
    """JSON-RPC in 1.0."""

    names = ("SendMessage", "GetTask", "CancelTask", "SubscribeToTask")

    async def rpc(self, name: str, params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": 1, "method": name, "params": params}
        found = (await self.ask("POST", "", body))["result"]
        return found.get("task", found)

    async def send(self, text: str, *, wait: bool, context: str = "") -> Seen:
        params = {
            "message": self.message(text, context),
            "configuration": {"returnImmediately": not wait, "blocking": wait},
        }
        return self.seen(await self.rpc(self.names[0], params))

    async def get(self, task: str) -> Seen:
        return self.seen(await self.rpc(self.names[1], {"id": task}))

    async def cancel(self, task: str) -> Seen:
        return self.seen(await self.rpc(self.names[2], {"id": task}))

    async def follow(self, task: str) -> AsyncIterator[str]:
        body = {"jsonrpc": "2.0", "id": 1, "method": self.names[3], "params": {"id": task}}
        async for event in self.events("POST", "", body):
            for text in self.texts(event["result"]):
                yield text


class RpcV03(RpcV1):
    """JSON-RPC in 0.3."""

    version = "0.3"
    names = ("message/send", "tasks/get", "tasks/cancel", "tasks/resubscribe")

    def message(self, text: str, context: str) -> dict[str, Any]:
        part = {"kind": "text", "text": text}
        return super().message(text, context) | {"kind": "message", "role": "user", "parts": [part]}


class RestV1(Http):
    """HTTP+JSON in 1.0."""

    below = ""

    async def send(self, text: str, *, wait: bool, context: str = "") -> Seen:
        body = {
            "message": self.message(text, context),
            "configuration": {"returnImmediately": not wait, "blocking": wait},
        }
        return self.seen((await self.ask("POST", f"{self.below}/message:send", body))["task"])

    async def get(self, task: str) -> Seen:
        return self.seen(await self.ask("GET", f"{self.below}/tasks/{task}"))

    async def cancel(self, task: str) -> Seen:
        return self.seen(await self.ask("POST", f"{self.below}/tasks/{task}:cancel", {}))

    async def follow(self, task: str) -> AsyncIterator[str]:
        async for event in self.events("GET", f"{self.below}/tasks/{task}:subscribe"):
            for text in self.texts(event):
                yield text


class RestV03(RestV1):
    """HTTP+JSON in 0.3, in the JSON of its proto."""

    version, below = "0.3", "/v1"

    def message(self, text: str, context: str) -> dict[str, Any]:
        found = super().message(text, context)
        found["content"] = found.pop("parts")
        return found


DOORS: list[Any] = [RpcV1, RpcV03, RestV1, RestV03, GrpcV1, GrpcV03]


@asynccontextmanager
async def opened(mesh_under_test: Any, tmp_path: Any, model: ScriptedModel) -> AsyncIterator[list[Any]]:
    """Yield all doors of a gateway before an agent."""
    keys = {"port": 0, "grpc_port": 0, "auth": {"secret_file": tmp_path / "secret"}}
    border = Border(GatewaySection.model_validate({"server": keys}), mesh_under_test.mesh, lambda made: None)
    async with serving(mesh_under_test, tmp_path, model), border.running(), aiohttp.ClientSession() as http:
        url = border.public.url.replace("localhost", "127.0.0.1") + "/agents/assistant"
        address = border.public.grpc_address.replace("localhost", "127.0.0.1")
        async with grpc.aio.insecure_channel(address) as channel:
            yield [door(channel) if issubclass(door, GrpcV1) else door(http, url) for door in DOORS]


@pytest.mark.parametrize("made", range(len(DOORS)), ids=lambda index: DOORS[index].__name__)
async def test_what_is_made_through_one_door_is_read_and_continued_through_every_other(
    mesh_under_test: Any, tmp_path: Any, made: int
) -> None:
    """Issue 5: six doors to the same tasks."""
    model = ScriptedModel(*["hello there"] * (len(DOORS) + 1))
    async with opened(mesh_under_test, tmp_path, model) as doors:
        task = await doors[made].send("hi", wait=True)
        assert task[2:] == ("COMPLETED", "hello there ")
        assert [await door.get(task[0]) for door in doors] == [task] * len(doors)
        for door in doors:
            assert (await door.send("and?", wait=True, context=task[1]))[1] == task[1]
    # Every turn saw those before it, whichever door they came through.
    assert [len(request.messages) for request in model.requests] == sorted(
        len(request.messages) for request in model.requests
    )
    assert len({len(request.messages) for request in model.requests}) == len(doors) + 1


@pytest.mark.parametrize("made", range(len(DOORS)), ids=lambda index: DOORS[index].__name__)
async def test_what_is_made_through_one_door_is_followed_through_every_other(
    mesh_under_test: Any, tmp_path: Any, made: int
) -> None:
    go_on = asyncio.Event()

    async def waits(request: Any) -> AsyncIterator[StreamTextResponse]:
        yield StreamTextResponse(text="first ")
        await go_on.wait()
        yield StreamTextResponse(text="last", done=True)

    async with opened(mesh_under_test, tmp_path, ScriptedModel(waits)) as doors:
        task = await doors[made].send("hi", wait=False)
        streams = [door.follow(task[0]) for door in doors]
        heard = []
        async with asyncio.timeout(20):
            for stream in streams:  # each has begun before anything more is said
                words = ""
                while "first" not in words:
                    words += await anext(stream)
                heard.append(words)
            go_on.set()
            for index, stream in enumerate(streams):
                async for text in stream:
                    heard[index] += text
        assert heard == ["first last"] * len(doors)
        assert {(await door.get(task[0]))[2:] for door in doors} == {("COMPLETED", "first last")}


@pytest.mark.parametrize("made", range(len(DOORS)), ids=lambda index: DOORS[index].__name__)
async def test_what_is_made_through_one_door_is_cancelled_through_every_other(
    mesh_under_test: Any, tmp_path: Any, made: int
) -> None:
    async def endless(request: Any) -> AsyncIterator[StreamTextResponse]:
        yield StreamTextResponse(text="on and on")
        await asyncio.Event().wait()

    async with opened(mesh_under_test, tmp_path, ScriptedModel(*[endless] * len(DOORS))) as doors:
        for door in doors:
            task = await doors[made].send("hi", wait=False)
            cancelled = await door.cancel(task[0])
            assert (cancelled[0], cancelled[2]) == (task[0], "CANCELED")
            assert (await doors[made].get(task[0]))[2] == "CANCELED"


async def test_a_subscription_of_03_to_a_task_that_is_over_shows_it(
    mesh_under_test: Any, tmp_path: Any
) -> None:
    """A2A 0.3, comment of TaskSubscription: returns the completed task and closes the stream."""
    async with opened(mesh_under_test, tmp_path, ScriptedModel("hello")) as doors:
        task = await doors[0].send("hi", wait=True)
        assert [text async for text in doors[-1].follow(task[0])] == ["hello "]
        with pytest.raises(grpc.aio.AioRpcError, match="is over"):
            await anext(doors[-2].follow(task[0]))
        with pytest.raises(grpc.aio.AioRpcError, match="TaskNotFoundError: no task 'gone'"):
            await anext(doors[-1].follow("gone"))
