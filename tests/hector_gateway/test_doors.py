"""Six doors to the same tasks: A2A 1.0 and 0.3, each over JSON-RPC, HTTP+JSON and gRPC."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.doors import DOORS, GrpcV03, GrpcV1, Refused, RestV03
from support.open_doors import opened
from support.scripted_agent import ScriptedModel

from hector.llm.v1 import StreamTextResponse

WORKING = ("TASK_STATE_SUBMITTED", "TASK_STATE_WORKING")
every_door = pytest.mark.parametrize("made", range(len(DOORS)), ids=lambda index: DOORS[index].__name__)


def text_of(task: Any) -> str:
    return "".join(part["text"] for artifact in task.get("artifacts", ()) for part in artifact["parts"])


def text_in(event: Any) -> str:
    """Return the text that an event brings."""
    if "task" in event.found:
        return text_of(event.found["task"])
    artifact = event.found.get("artifactUpdate", {}).get("artifact", {})
    return "".join(part["text"] for part in artifact.get("parts", ()))


def seen(task: Any) -> tuple[str, str, str, str]:
    return task["id"], task["contextId"], task["status"]["state"], text_of(task)


@every_door
async def test_what_is_made_through_one_door_is_read_and_continued_through_every_other(
    mesh_under_test: Any, tmp_path: Any, made: int
) -> None:
    """Issue 5: six doors to the same tasks."""
    model = ScriptedModel(*["hello there"] * (len(DOORS) + 1))
    async with opened(mesh_under_test, tmp_path, model) as place:
        doors = place.doors()
        task = await doors[made].send("hi")
        assert seen(task)[2:] == ("TASK_STATE_COMPLETED", "hello there ")
        assert [seen(await door.get(task["id"])) for door in doors] == [seen(task)] * len(doors)
        for door in doors:
            assert (await door.send("and?", contextId=task["contextId"]))["contextId"] == task["contextId"]
    # Every turn saw those before it, whichever door they came through.
    assert [len(request.messages) for request in model.requests] == sorted(
        len(request.messages) for request in model.requests
    )
    assert len({len(request.messages) for request in model.requests}) == len(doors) + 1


@every_door
async def test_what_is_made_through_one_door_is_followed_through_every_other(
    mesh_under_test: Any, tmp_path: Any, made: int
) -> None:
    go_on = asyncio.Event()

    async def waits(request: Any) -> AsyncIterator[StreamTextResponse]:
        yield StreamTextResponse(text="first ")
        await go_on.wait()
        yield StreamTextResponse(text="last", done=True)

    async def heard_through(door: Any, task: str, begun: asyncio.Event) -> str:
        words = ""
        async with door.subscribe(task) as events:
            async for event in events:
                words += text_in(event)
                if "first" in words:
                    begun.set()
        return words

    async with opened(mesh_under_test, tmp_path, ScriptedModel(waits)) as place, asyncio.timeout(20):
        doors = place.doors()
        task = (await doors[made].send("hi", wait=False))["id"]
        begun = [asyncio.Event() for _ in doors]
        async with asyncio.TaskGroup() as group:
            readers = [
                group.create_task(heard_through(door, task, event))
                for door, event in zip(doors, begun, strict=True)
            ]
            for event in begun:  # each has begun before anything more is said
                await event.wait()
            go_on.set()
        assert [reader.result() for reader in readers] == ["first last"] * len(doors)
        for door in doors:
            assert seen(await door.get(task))[2:] == ("TASK_STATE_COMPLETED", "first last")


@every_door
async def test_what_is_made_through_one_door_is_cancelled_through_every_other(
    mesh_under_test: Any, tmp_path: Any, made: int
) -> None:
    async def endless(request: Any) -> AsyncIterator[StreamTextResponse]:
        yield StreamTextResponse(text="on and on")
        await asyncio.Event().wait()

    async with opened(mesh_under_test, tmp_path, ScriptedModel(*[endless] * len(DOORS))) as place:
        doors = place.doors()
        for door in doors:
            task = await doors[made].send("hi", wait=False)
            assert task["status"]["state"] in WORKING
            cancelled = await door.cancel(task["id"])
            assert (cancelled["id"], cancelled["status"]["state"]) == (task["id"], "TASK_STATE_CANCELED")
            assert (await doors[made].get(task["id"]))["status"]["state"] == "TASK_STATE_CANCELED"


@every_door
async def test_what_is_made_through_one_door_is_listed_and_streams_through_every_other(
    mesh_under_test: Any, tmp_path: Any, made: int
) -> None:
    model = ScriptedModel(*["hello"] * 2)
    async with opened(mesh_under_test, tmp_path, model) as place:
        doors = place.doors()
        async with doors[made].streamed("hi") as events:
            found = await events.all()
        assert "task" in found[0].found
        task = found[0].found["task"]["id"]
        assert "".join(text_in(event) for event in found) == "hello "
        assert found[-1].found["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
        for door in doors:
            if "ListTasks" not in door.unknown:
                page = await door.list(includeArtifacts=True)
                assert [(one["id"], text_of(one)) for one in page["tasks"]] == [(task, "hello ")]
                assert page["totalSize"] == 1


async def test_a_subscription_of_03_to_a_task_that_is_over_shows_it(
    mesh_under_test: Any, tmp_path: Any
) -> None:
    """A2A 0.3, comment of TaskSubscription: returns the completed task and closes the stream."""
    async with opened(mesh_under_test, tmp_path, ScriptedModel("hello")) as place:
        new, old = place.door(GrpcV1), place.door(GrpcV03)
        task = (await place.door(RestV03).send("hi"))["id"]
        async with old.subscribe(task) as events:
            assert [text_in(event) for event in await events.all()] == ["hello "]
        with pytest.raises(Refused, match="is over"):
            async with new.subscribe(task):
                pass
        with pytest.raises(Refused, match="TaskNotFoundError: no task 'gone'"):
            async with old.subscribe("gone"):
                pass


async def test_every_door_says_alike_what_went_wrong(mesh_under_test: Any, tmp_path: Any) -> None:
    """A2A 1.0.1, section 5.4."""
    codes = {"JSONRPC": -32001, "HTTP+JSON": 404, "GRPC": "NOT_FOUND"}
    async with opened(mesh_under_test, tmp_path) as place:
        for door in place.doors():
            with pytest.raises(Refused) as found:
                await door.get("gone")
            refused = found.value
            assert (refused.reason, refused.domain) == ("TASK_NOT_FOUND", "a2a-protocol.org")
            assert refused.code == codes[door.binding]
            assert refused.request_id
