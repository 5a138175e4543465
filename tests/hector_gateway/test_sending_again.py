"""Ours: a message with a key is taken once, through whichever doors it comes, and however often."""

import asyncio
import itertools

import pytest
from support.doors import DOORS, Refused, sending
from support.open_doors import opened
from support.scripted_agent import ScriptedModel

from hector.llm.v1 import StreamTextResponse

KEY = {"idempotency-key": "order-7"}
REUSED = {"JSONRPC": -32602, "HTTP+JSON": 409, "GRPC": "ALREADY_EXISTS"}
INVALID = {"JSONRPC": -32602, "HTTP+JSON": 400, "GRPC": "INVALID_ARGUMENT"}
WHOLE = {
    "metadata": {"b": 1, "a": {"d": [1.5, None, "x"], "c": True}},
    "parts": [
        {"text": "hi", "metadata": {"k": "v"}},
        {"raw": "aGk=", "mediaType": "image/png", "filename": "a.png"},
        {"data": {"n": 3, "s": "ü"}},
    ],
}


class Held:
    """A model that says a word, and the rest when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, request):
        yield StreamTextResponse(text="first ")
        await self.go_on.wait()
        yield StreamTextResponse(text="last", done=True)


def text_of(found):
    artifacts = found.get("artifacts", [])
    return "".join(part.get("text", "") for artifact in artifacts for part in artifact["parts"])


def said_in(events):
    return "".join(
        part.get("text", "")
        for event in events
        for part in event.found.get("artifactUpdate", {}).get("artifact", {}).get("parts", [])
    )


async def test_what_was_sent_at_one_door_is_known_at_every_other(mesh_under_test, tmp_path):
    model = ScriptedModel("hello", *["another"] * 20)
    async with opened(mesh_under_test, tmp_path, model, input_modes=["*/*"]) as place:
        tasks = [await door.send(said=KEY, **WHOLE) for door in place.doors()]
        again = [await door.send(said=KEY, **{**WHOLE, "messageId": "other"}) for door in place.doors()]
    assert len(model.requests) == 1
    assert {task["id"] for task in (*tasks, *again)} == {tasks[0]["id"]}
    assert {text_of(task) for task in (*tasks, *again)} == {"hello "}


async def test_another_message_under_the_same_key_is_refused_at_every_door(mesh_under_test, tmp_path):
    model = ScriptedModel(*["hello"] * 20)
    async with opened(mesh_under_test, tmp_path, model) as place:
        task = await place.door(DOORS[0]).send("hi", said=KEY)
        for door in place.doors():
            with pytest.raises(Refused) as refused:
                await door.send("something else", said=KEY)
            assert refused.value.reason == "IDEMPOTENCY_KEY_REUSED", door
            assert refused.value.domain == "hector"
            assert refused.value.code == REUSED[door.binding]
            assert refused.value.facts == {"key": "order-7", "task": task["id"]}
            with pytest.raises(Refused) as refused:
                async with door.streamed("something else", said=KEY) as events:
                    await events.all()
            assert refused.value.reason == "IDEMPOTENCY_KEY_REUSED", door
    assert len(model.requests) == 1


@pytest.mark.parametrize("profile", ["1.0.0", "1.0.1"])
async def test_both_editions_answer_alike(mesh_under_test, tmp_path, profile):
    server = {"a2a": {"errors": profile}}
    async with opened(mesh_under_test, tmp_path, ScriptedModel("hello"), server=server) as place:
        await place.door(DOORS[0]).send("hi", said=KEY)
        for door in place.doors():
            with pytest.raises(Refused) as refused:
                await door.send("something else", said=KEY)
            assert refused.value.code == REUSED[door.binding]


async def test_streams_of_all_doors_join_the_run_that_the_key_began(mesh_under_test, tmp_path):
    held = Held()
    model = ScriptedModel(held, *["another"] * 20)
    async with opened(mesh_under_test, tmp_path, model) as place, asyncio.timeout(20):
        first = await place.door(DOORS[3]).send("hi", wait=False, said=KEY)

        async def follow(door):
            async with door.streamed("hi", said=KEY) as stream:
                return await stream.all()

        following = [asyncio.create_task(follow(door)) for door in place.doors()]
        waiting = [asyncio.create_task(door.send("hi", said=KEY)) for door in place.doors()]
        at_once = [await door.send("hi", wait=False, said=KEY) for door in place.doors()]
        held.go_on.set()
        streams, answers = await asyncio.gather(*following), await asyncio.gather(*waiting)
        late = [await follow(door) for door in place.doors()]
    assert len(model.requests) == 1
    assert {task["id"] for task in (*answers, *at_once)} == {first["id"]}
    assert {text_of(task) for task in answers} == {"first last"}
    for events in (*streams, *late):
        assert events[0].found["task"]["id"] == first["id"]
        assert text_of(events[0].found["task"]) + said_in(events) == "first last"
        assert events[-1].found["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert {text_of(events[0].found["task"]) for events in late} == {""}  # from the beginning


async def test_first_requests_at_all_doors_at_once_make_one_run(mesh_under_test, tmp_path):
    model = ScriptedModel("hello", *["another"] * 40)
    async with opened(mesh_under_test, tmp_path, model) as place, asyncio.timeout(20):
        doors = place.doors()
        sends = [door.send("hi", said=KEY) for door in itertools.islice(itertools.cycle(doors), 24)]
        tasks = await asyncio.gather(*sends)
        listed = await doors[0].list()
    assert {task["id"] for task in tasks} == {tasks[0]["id"]}
    assert len(model.requests) == listed["totalSize"] == 1


async def test_a_key_in_the_requests_metadata_is_the_same_key(mesh_under_test, tmp_path):
    async with opened(mesh_under_test, tmp_path, ScriptedModel("hello")) as place:
        first = await place.door(DOORS[0]).send("hi", said=KEY)
        for door in place.doors():
            asked = sending("hi", wait=True, metadata={"hector.idempotency_key": "order-7"})
            assert (await door.call("SendMessage", asked)).found["task"]["id"] == first["id"]


async def test_a_key_belongs_to_its_caller_and_its_agent(mesh_under_test, tmp_path):
    keys = [{"name": name, "key": name, "roles": ["user"]} for name in ("ada", "eve")]
    model = ScriptedModel(*["hello"] * 20)
    async with opened(
        mesh_under_test, tmp_path, model, server={"auth": {"api_keys": keys}}, others={"other": {}}
    ) as place:
        ids = set()
        for door in place.doors():
            for caller, agent in itertools.product(("ada", "eve"), ("assistant", "other")):
                ids.add((await door.at(agent).as_caller(caller).send("hi", said=KEY))["id"])
    assert len(ids) == 4


async def test_a_message_id_is_no_key(mesh_under_test, tmp_path):
    async with opened(mesh_under_test, tmp_path, ScriptedModel(*["hello"] * 20)) as place:
        ids = {(await door.send("hi", messageId="m"))["id"] for door in (*place.doors(), *place.doors())}
    assert len(ids) == 2 * len(DOORS)


@pytest.mark.parametrize("key", ["two words", "k" * 300])
async def test_a_key_that_is_none_is_refused_at_every_door(mesh_under_test, tmp_path, key):
    async with opened(mesh_under_test, tmp_path, ScriptedModel()) as place:
        for door in place.doors():
            with pytest.raises(Refused) as refused:
                await door.send("hi", said={"idempotency-key": key})
            assert refused.value.code == INVALID[door.binding], door
            assert "idempotency-key" in refused.value.violations


async def test_a_place_in_a_stream_without_a_key_takes_no_message_anew(mesh_under_test, tmp_path):
    """Clients of server-sent events post again by themselves when a stream breaks off."""
    model = ScriptedModel("hello", *["another"] * 20)
    async with opened(mesh_under_test, tmp_path, model, input_modes=["*/*"]) as place:
        await place.door(DOORS[0]).send("hi", said=KEY)
        for door in place.doors():
            for ask in (
                door.ask("SendStreamingMessage", sending("hi"), {"last-event-id": "3"}),
                door.send("hi", said={"last-event-id": "3"}),
            ):
                with pytest.raises(Refused) as refused:
                    await ask
                assert refused.value.code == INVALID[door.binding], door
                told = refused.value.violations["Last-Event-ID"]
                assert "Idempotency-Key" in told
                assert "SubscribeToTask" in told
            in_metadata = {"metadata": {"hector.idempotency_key": "order-7"}}
            async with door.streamed("hi", {"last-event-id": "3"}, **in_metadata) as events:
                await events.all()
    assert len(model.requests) == 1


async def test_a_header_that_grpc_could_not_carry_is_the_clients_mistake(mesh_under_test, tmp_path):
    async with opened(mesh_under_test, tmp_path, ScriptedModel()) as place:
        for name in ("idempotency-key", "last-event-id"):
            for door in place.doors()[:4]:
                with pytest.raises(Refused) as refused:
                    await door.send("hi", said={name: "schlüssel\u00a0"})
                assert refused.value.code == INVALID[door.binding], door
                assert name in refused.value.violations


async def test_what_was_refused_leaves_its_key_free_at_every_door(mesh_under_test, tmp_path):
    async with opened(mesh_under_test, tmp_path, ScriptedModel(*["hello"] * 20)) as place:
        for door in place.doors():
            key = {"idempotency-key": f"{door}"}
            with pytest.raises(Refused):
                await door.send("hi", said=key, parts=[])
            assert text_of(await door.send("hi", said=key)) == "hello "


async def test_a_notification_with_a_key_is_taken_once(mesh_under_test, tmp_path):
    async with opened(mesh_under_test, tmp_path, ScriptedModel(*["hello"] * 20)) as place:
        body = {"jsonrpc": "2.0", "method": "SendMessage", "params": sending("hi")}
        for _ in range(2):
            headers = {"A2A-Version": "1.0", **KEY}
            async with place.http.post(f"{place.url}/agents/assistant", json=body, headers=headers) as answer:
                assert answer.status == 204
        listed = await place.door(DOORS[0]).list()
        answer = await place.door(DOORS[0]).send("hi", said=KEY)
    assert [task["id"] for task in listed["tasks"]] == [answer["id"]]


async def test_a_key_holds_where_message_ids_are_made_for_the_client(mesh_under_test, tmp_path):
    async with opened(mesh_under_test, tmp_path, ScriptedModel(*["hello"] * 5)) as place:
        url = f"{place.url}/v1/agents/assistant/message:send"
        ids = set()
        for _ in range(2):
            body = {"message": {"parts": [{"text": "hi"}]}}
            async with place.http.post(url, json=body, headers=KEY) as answer:
                ids.add((await answer.json())["id"])
        ids.add((await place.door(DOORS[0]).send("hi", said=KEY))["id"])
    assert len(ids) == 1
