"""A2A 3.1.5, 7.6 and ours: cancelling means the same at every door, and leaving cancels nothing."""

import asyncio
import itertools

import pytest
from support.doors import Refused
from support.open_doors import opened
from support.scripted_agent import ScriptedModel

from hector.llm.v1 import StreamTextResponse
from hector_agent.runs import Runs

FULL = {"JSONRPC": -32052, "HTTP+JSON": 503, "GRPC": "RESOURCE_EXHAUSTED"}
CANCELED, WORKING, OVER = "TASK_STATE_CANCELED", "TASK_STATE_WORKING", "TASK_STATE_COMPLETED"


async def endless(request):
    yield StreamTextResponse(text="on and on ")
    await asyncio.Event().wait()


def state(task):
    return task["status"]["state"]


@pytest.fixture
async def place(mesh_under_test, tmp_path):
    """Doors for ada and eve, to an agent that never ends by itself."""
    keys = [{"name": name, "key": name, "roles": ["user"]} for name in ("ada", "eve")]
    model = ScriptedModel(*[endless] * 40)
    server = {"auth": {"api_keys": keys}}
    async with opened(mesh_under_test, tmp_path, model, server=server) as found:
        yield found


async def test_who_cancels_at_two_doors_at_once_is_told_at_both_that_it_is_cancelled(place):
    """Whoever comes when it is over already is told that, too."""
    doors = place.doors(token="ada")
    for one, other in itertools.pairwise([*doors, doors[0]]):
        task = await one.send("hi", wait=False)
        async with asyncio.timeout(10):
            cancelling = one.cancel(task["id"]), other.cancel(task["id"])
            told = await asyncio.gather(*cancelling, return_exceptions=True)
        late = [answer for answer in told if isinstance(answer, Refused)]
        assert [state(answer) for answer in told if answer not in late] == [CANCELED] * (2 - len(late))
        assert [answer.reason for answer in late] == ["TASK_NOT_CANCELABLE"] * len(late)
        assert len(late) < 2
        with pytest.raises(Refused) as refused:
            await other.cancel(task["id"])
        assert refused.value.reason == "TASK_NOT_CANCELABLE"


async def test_what_belongs_to_somebody_else_cannot_be_cancelled_and_goes_on(place):
    task = await place.doors(token="ada")[0].send("hi", wait=False)
    for door in place.doors(token="eve"):
        with pytest.raises(Refused) as refused:
            await door.cancel(task["id"])
        assert refused.value.reason == "TASK_NOT_FOUND", door
    for door in place.doors(token="ada"):
        assert state(await door.get(task["id"])) == WORKING
    await place.doors(token="ada")[5].cancel(task["id"])


async def test_a_run_that_waits_for_its_turn_is_cancelled_through_every_door(place):
    doors = place.doors(token="ada")
    first = await doors[0].send("hi", wait=False)
    for door in doors:
        second = await door.send("hi", wait=False, contextId=first["contextId"])
        assert state(second) == "TASK_STATE_SUBMITTED"
        assert state(await door.cancel(second["id"])) == CANCELED
    assert state(await doors[0].get(first["id"])) == WORKING
    await doors[0].cancel(first["id"])


async def test_who_leaves_stops_nothing_and_finds_the_answer_again(mesh_under_test, tmp_path):
    gates = [asyncio.Event() for _ in range(12)]
    begun = asyncio.Queue()

    def held(gate):
        async def answer(request):
            yield StreamTextResponse(text="first ")
            begun.put_nowait(None)
            await gate.wait()
            yield StreamTextResponse(text="last", done=True)

        return answer

    model = ScriptedModel(*map(held, gates))
    async with opened(mesh_under_test, tmp_path, model) as place, asyncio.timeout(30):
        for number, door in enumerate(place.doors()):
            key = {"idempotency-key": f"wait-{number}"}
            waiting = asyncio.create_task(door.send("hi", said=key))
            await begun.get()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            key_of_stream = {"idempotency-key": f"stream-{number}"}
            async with door.streamed("hi", said=key_of_stream) as events:
                await anext(aiter(events))
                await begun.get()
            for gate in gates:
                gate.set()
            for said in (key, key_of_stream):
                answer = await door.send("hi", said=said)
                assert state(answer) == OVER
                text = "".join(part["text"] for one in answer["artifacts"] for part in one["parts"])
                assert text == "first last"
            for gate in gates[2 * number + 2 :]:
                gate.clear()
    assert len(model.requests) == len(gates)


async def test_a_server_with_enough_runs_says_when_to_come_again(mesh_under_test, tmp_path, monkeypatch):
    monkeypatch.setattr("hector_agent.runs.MOST_LIVE", 0)
    async with opened(mesh_under_test, tmp_path) as place:
        for door in place.doors():
            with pytest.raises(Refused) as refused:
                await door.send("hi")
            assert refused.value.reason == "TOO_MANY_RUNS"
            assert refused.value.code == FULL[door.binding]
            assert refused.value.retry_s == 5
            if refused.value.http:
                assert (refused.value.http, refused.value.said["retry-after"]) == (503, "5")


async def test_an_agent_that_stops_says_when_to_come_again(mesh_under_test, tmp_path, monkeypatch):
    async with opened(mesh_under_test, tmp_path) as place:
        began = Runs._work

        def refuses(runs, *arguments, **more):
            runs._at_work.is_closed = True
            return began(runs, *arguments, **more)

        monkeypatch.setattr(Runs, "_work", refuses)
        for door in place.doors():
            with pytest.raises(Refused) as refused:
                await door.send("hi")
            assert (refused.value.reason, refused.value.retry_s) == ("SHUTTING_DOWN", 5)
