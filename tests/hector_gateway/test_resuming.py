"""Ours: a stream that broke off is picked up through any door, where it was, without a gap or doubles."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from support.doors import DOORS, Refused
from support.open_doors import opened
from support.scripted_agent import ScriptedModel

from hector.llm.v1 import StreamTextResponse

INVALID = {"JSONRPC": -32602, "HTTP+JSON": 400, "GRPC": "INVALID_ARGUMENT"}
REFUSED = {"JSONRPC": -32004, "HTTP+JSON": 400, "GRPC": "FAILED_PRECONDITION"}
WORDS = [f"w{number} " for number in range(12)]


class Stepwise:
    """A model that says a word whenever it is told to."""

    def __init__(self) -> None:
        self.steps = asyncio.Semaphore(0)

    async def __call__(self, request):
        for number, word in enumerate(WORDS):
            await self.steps.acquire()
            yield StreamTextResponse(text=word, done=number == len(WORDS) - 1)

    def say(self, words: int) -> None:
        for _ in range(words):
            self.steps.release()


def text_of(task):
    """Return a task's text."""
    return "".join(
        part.get("text", "") for artifact in task.get("artifacts", []) for part in artifact.get("parts", [])
    )


def told(found):
    return "".join(
        part.get("text", "") for part in found.get("artifactUpdate", {}).get("artifact", {}).get("parts", [])
    )


async def read_until(events, words: int, text: str = "") -> tuple[str, str, str]:
    """Read so many words, and return the task's id, what was said, and the place of the last event."""
    task = ""
    async for event in events:
        if "task" in event.found:
            task, text = event.found["task"]["id"], text_of(event.found["task"])
        text += told(event.found)
        if text == "".join(WORDS[:words]):
            return task, text, event.place
        assert "".join(WORDS).startswith(text)
    raise AssertionError(f"the stream ended after {text!r}")


async def read_rest(events, place: str, text: str) -> list[str]:
    """Read a resumed stream to its end: it begins with what was seen, and goes on behind it."""
    states = []
    first = True
    async for event in events:
        if first:
            assert event.place == place
            assert text_of(event.found["task"]) == text
            first = False
        text += told(event.found)
        if "statusUpdate" in event.found:
            states.append(event.found["statusUpdate"]["status"]["state"])
    assert text == "".join(WORDS)
    return states


@pytest.mark.parametrize("begun_at", DOORS, ids=lambda door: door.__name__)
async def test_a_stream_is_picked_up_at_every_door(mesh_under_test, tmp_path, begun_at):
    """The first event is the task as of that place, then comes what is behind it; also when it is over."""
    model = Stepwise()
    async with opened(mesh_under_test, tmp_path, ScriptedModel(model)) as place, asyncio.timeout(40):
        model.say(2)
        async with place.door(begun_at, "assistant").streamed() as events:
            task, text, last = await read_until(events, 2)
        said = 2
        for door in place.doors():
            async with door.subscribe(task, after=last) as events:
                model.say(1)
                said += 1
                _, text, last = await read_until(events, said)
        readers = [asyncio.create_task(followed(door, task, last, text)) for door in place.doors()]
        model.say(len(WORDS) - said)
        for states in await asyncio.gather(*readers):
            assert states == ["TASK_STATE_COMPLETED"]
        for door in place.doors():  # and when all is over
            assert await followed(door, task, last, text) == ["TASK_STATE_COMPLETED"]
            assert (await followed(door, task, "2", ""))[-1] == "TASK_STATE_COMPLETED"


async def followed(door, task: str, place: str, text: str) -> list[str]:
    async with door.subscribe(task, after=place) as events:
        return await read_rest(events, place, text)


async def test_a_place_that_is_none_is_refused_at_every_door(mesh_under_test, tmp_path):
    async with opened(mesh_under_test, tmp_path, ScriptedModel("hello")) as place:
        task = (await place.doors()[0].send())["id"]
        for door in place.doors():
            for nonsense in ("yesterday", "0", "99", "99.5"):
                with pytest.raises(Refused) as refused:
                    async with door.subscribe(task, after=nonsense) as events:
                        await events.all()
                assert refused.value.code == INVALID[door.binding]
                assert "Last-Event-ID" in refused.value.message


async def test_without_a_place_a_task_that_is_over_is_not_followed(mesh_under_test, tmp_path):
    """A2A 1.0 section 3.1.6; 0.3 over gRPC shows it once."""
    async with opened(mesh_under_test, tmp_path, ScriptedModel("hello")) as place:
        task = (await place.doors()[0].send())["id"]
        for door in place.doors():
            if (door.version, door.binding) == ("0.3", "GRPC"):
                async with door.subscribe(task) as events:
                    assert [event.found["task"]["id"] for event in await events.all()] == [task]
                continue
            with pytest.raises(Refused) as refused:
                async with door.subscribe(task) as events:
                    await events.all()
            assert refused.value.code == REFUSED[door.binding]


async def test_somebody_elses_stream_is_not_found(mesh_under_test, tmp_path):
    """Ours: a place tells nothing about tasks that are not the caller's."""
    async with opened(mesh_under_test, tmp_path, ScriptedModel("hello")) as place:
        await place.doors()[0].send()
        for door in place.doors():
            with pytest.raises(Refused) as refused:
                async with door.subscribe("no-such-task", after="2") as events:
                    await events.all()
            assert refused.value.reason == "TASK_NOT_FOUND"


@pytest.mark.parametrize("verb", ["GET", "POST"])
async def test_a_browser_picks_its_stream_up_by_itself(mesh_under_test, tmp_path, verb):
    """WHATWG's EventSource: it comes back with GET, the id of the last event, and a version in the query."""
    async with opened(mesh_under_test, tmp_path, ScriptedModel("hello")) as place:
        task = (await place.doors()[0].send())["id"]
        url = f"{place.url}/agents/assistant/tasks/{task}:subscribe?A2A-Version=1.0"
        async with place.http.request(verb, url, headers={"Last-Event-ID": "2"}) as answer:
            blocks = (await answer.text()).strip().split("\n\n")
    assert blocks[0].startswith("retry: 1000\nid: 2\ndata: {")
    assert "TASK_STATE_COMPLETED" in blocks[-1]


async def test_a_place_whose_history_is_gone_is_refused_at_every_door(mesh_under_test, tmp_path):
    """Ours: with the cause among the error's facts, and by 0.3 over gRPC too, which shows what is over."""
    async with opened(mesh_under_test, tmp_path, ScriptedModel("hello")) as place:
        task = (await place.doors()[0].send())["id"]
        with closing(sqlite3.connect(tmp_path / "runs.db")) as database, database:
            database.execute("DELETE FROM run_events WHERE seq <= 3")
        for door in place.doors():
            with pytest.raises(Refused) as refused:
                async with door.subscribe(task, after="2") as events:
                    await events.all()
            assert refused.value.code == REFUSED[door.binding]
            assert refused.value.facts["cause"] == "EVENT_HISTORY_PRUNED"
            assert await followed_states(door, task, "3") == ["TASK_STATE_COMPLETED"]


async def followed_states(door, task: str, place: str) -> list[str]:
    async with door.subscribe(task, after=place) as events:
        found = [event.found async for event in events]
    return [one["statusUpdate"]["status"]["state"] for one in found if "statusUpdate" in one]
