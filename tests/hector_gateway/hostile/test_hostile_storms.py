"""Many at once on one thing: sends into one context, cancels and subscriptions of one task."""

import asyncio
import json
import random
from collections import Counter
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from support.victim import AGENT, Answer, Victim, check_decent, post, rpc, said

import hector_a2a as a2a

SENDS = 64
OVER = {"TASK_STATE_COMPLETED", "TASK_STATE_CANCELED", "TASK_STATE_FAILED"}


@pytest.mark.parametrize("seed", range(2))
async def test_sends_at_once_into_one_context_are_all_answered_one_after_another(
    victim: Victim, seed: int
) -> None:
    """A2A 1.0, 3.4: one conversation; ours: no turn is lost, and each sees all before it and none by half."""
    context = f"crowded-{seed}-{random.random()}"
    texts = [f"turn-{number}" for number in range(SENDS)]
    random.Random(seed).shuffle(texts)
    async with channel(victim) as line:
        stub = a2a.A2AServiceStub(line)

        async def over_grpc(text: str) -> str:
            answer = await stub.SendMessage(_send(text, context), timeout=30)
            return "".join(part.text for part in answer.task.artifacts[0].parts)

        async def over_http(request: bytes) -> str:
            return text_of(await victim.ask(request))

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            asked = []
            for number, text in enumerate(texts):
                params = said(text, contextId=context)
                body = json.dumps(params).encode()
                match number % 3:
                    case 0:
                        asked.append(group.create_task(over_grpc(text)))
                    case 1:
                        asked.append(group.create_task(over_http(rpc("SendMessage", params))))
                    case 2:
                        request = post(f"/agents/{AGENT}/message:send", body)
                        asked.append(group.create_task(over_http(request)))
    assert [one.result() for one in asked] == [f"{text} " for text in texts]
    told = text_of(await victim.ask(rpc("SendMessage", said("tell history", contextId=context))))
    lines = [line.split() for line in told.splitlines()]
    users, agents = lines[::2], lines[1::2]
    assert sorted(text for _, text in users) == sorted(texts)
    assert [role for role, _ in users] == [str(a2a.ROLE_USER)] * SENDS
    assert agents == [[str(a2a.ROLE_AGENT), text] for _, text in users]
    listed = await victim.ask(rpc("ListTasks", {"contextId": context, "pageSize": 100, "historyLength": 1}))
    assert listed.json["result"]["totalSize"] == SENDS + 1


async def test_a_task_that_many_cancel_and_watch_ends_once_for_all(victim: Victim) -> None:
    """A2A 1.0: cancelling again is no success, every stream gets the same end, and nothing hangs."""
    first = await begun(victim)
    async with channel(victim) as line:
        stub = a2a.A2AServiceStub(line)

        async def watch() -> str:
            events = stub.SubscribeToTask(a2a.SubscribeToTaskRequest(tenant=AGENT, id=first), timeout=30)
            try:
                seen = [event async for event in events]
            except grpc.aio.AioRpcError as error:
                return "over" if error.code() is grpc.StatusCode.FAILED_PRECONDITION else str(error)
            return state_of(MessageToDict(seen[-1]))

        async def watch_http() -> str:
            (answer,) = await victim.say(rpc("SubscribeToTask", {"id": first}), within_s=30)
            if answer.body.startswith(b"{"):
                assert answer.code == -32004, answer
                return "over"
            last = answer.body.strip().rpartition(b"data: ")[2]
            return state_of(json.loads(last)["result"])

        async def cancel() -> str:
            answer = await victim.ask(rpc("CancelTask", {"id": first}))
            if answer.code:
                assert answer.code == -32002, answer
                return "not cancelable"
            state: str = answer.json["result"]["status"]["state"]
            return state

        async with asyncio.timeout(60):
            watching = [asyncio.create_task(one()) for one in [watch, watch_http] * 25]
            cancelling = [asyncio.create_task(cancel()) for _ in range(50)]
            later = [asyncio.create_task(one()) for one in [watch, watch_http] * 25]
            states = Counter(await asyncio.gather(*cancelling))
            seen = Counter(await asyncio.gather(*watching, *later))
    assert states["TASK_STATE_CANCELED"] >= 1
    assert set(states) <= {"TASK_STATE_CANCELED", "not cancelable"}
    assert set(seen) <= {"TASK_STATE_CANCELED", "over"}


async def test_a_task_may_be_begun_and_cancelled_many_times_in_a_second(victim: Victim) -> None:
    async def once(number: int) -> None:
        task = await begun(victim)
        if number % 3 == 0:
            await asyncio.gather(*(victim.ask(rpc("GetTask", {"id": task})) for _ in range(3)))
        answer = await victim.ask(rpc("CancelTask", {"id": task}))
        assert answer.json["result"]["status"]["state"] == "TASK_STATE_CANCELED"
        again = await victim.ask(rpc("GetTask", {"id": task}))
        assert again.json["result"]["status"]["state"] == "TASK_STATE_CANCELED"

    async with asyncio.timeout(60):
        await asyncio.gather(*(once(number) for number in range(100)))


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_is_asked_in_whatever_order_is_answered(victim: Victim, seed: int) -> None:
    """Sends, streams, cancels, looks and lists on a few tasks and contexts, at once, in a random order."""
    dice = random.Random(seed)
    contexts = [f"mixed-{seed}-{number}-{random.random()}" for number in range(3)]
    tasks = [await begun(victim) for _ in range(5)]

    def request() -> bytes:
        task, context = dice.choice(tasks), dice.choice(contexts)
        return dice.choice(
            [
                rpc("SendMessage", said("a few words", contextId=context)),
                rpc("SendStreamingMessage", said("a few words", contextId=context)),
                rpc("SendMessage", said("more", taskId=task)),
                rpc("SendMessage", said("other words", contextId=context)),
                rpc("GetTask", {"id": task, "historyLength": dice.choice([0, 1, 2**31 - 1])}),
                rpc(
                    "ListTasks",
                    {"contextId": context, "pageSize": dice.choice([1, 100]), "includeArtifacts": True},
                ),
                rpc("CancelTask", {"id": task}),
                rpc("CancelTask", {"id": "none"}),
            ]
        )

    answers = await victim.ask_all([request() for _ in range(400)], clients=32)
    assert Counter(answer.status for answer in answers) == {200: 400}
    await victim.ask_all([rpc("CancelTask", {"id": task}) for task in tasks])
    for context in contexts:
        listed = await victim.ask(rpc("ListTasks", {"contextId": context, "pageSize": 100}))
        assert {one["status"]["state"] for one in listed.json["result"]["tasks"]} <= OVER


async def begun(victim: Victim, **more: Any) -> str:
    """Return a task that waits until it is cancelled."""
    params = {**said("wait", **more), "configuration": {"returnImmediately": True}}
    task: str = (await victim.ask(rpc("SendMessage", params))).json["result"]["task"]["id"]
    return task


def state_of(event: dict[str, Any]) -> str:
    """Return the state that an event tells, of whichever kind it is."""
    (payload,) = event.values()
    state: str = payload["status"]["state"]
    return state


def channel(victim: Victim) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"127.0.0.1:{victim.grpc_port}")


def text_of(answer: Answer) -> str:
    check_decent(answer)
    found = answer.json
    task = found["result"]["task"] if "result" in found else found["task"]
    return "".join(part["text"] for part in task["artifacts"][0]["parts"])


def _send(text: str, context: str) -> a2a.SendMessageRequest:
    request = a2a.SendMessageRequest(tenant=AGENT)
    request.message.message_id, request.message.role = "m", a2a.ROLE_USER
    request.message.context_id = context
    request.message.parts.add(text=text)
    return request


async def test_an_agent_that_breaks_tells_clients_nothing_of_its_inside(victim: Victim) -> None:
    """a2a-sdk sends the exception's text; the log has it."""
    answer = await victim.ask(rpc("SendMessage", said("fail")))
    assert answer.json["result"]["task"]["status"]["state"] == "TASK_STATE_FAILED"
    assert b"hunter2" not in answer.body
    assert b"/etc" not in answer.body
    victim.expect_in_log("hunter2")


async def test_what_was_left_or_cancelled_is_freed_without_the_collector(victim: Victim) -> None:
    """Ours: circles of exceptions and frames would keep whole tasks until it comes by, which may be long."""
    for _ in range(2):  # the first time, things are made that stay
        tasks = []
        for _ in range(20):
            reader, writer = await victim.connect()
            writer.write(rpc("SendStreamingMessage", said("wait")))
            await reader.readuntil(b"data: ")
            first = json.loads(await reader.readuntil(b"\n\n"))
            tasks.append(first["result"]["task"]["id"])
            writer.close()
        await victim.ask_all([rpc("CancelTask", {"id": task}) for task in tasks])
        garbage = await victim.count("garbage")
    assert garbage < 20, garbage


async def test_answers_leave_nothing_for_the_collector(victim: Victim) -> None:
    """Ours: it looks for circles only now and then, and what it has to look at costs every answer."""
    words = said("a few words")
    methods = {
        "SendMessage": words,
        "SendStreamingMessage": words,
        "GetTask": {"id": "none"},
        "ListTasks": {},
    }
    asked = [rpc(method, params) for method, params in methods.items()] * 20
    for _ in range(2):
        await victim.ask_all(asked)
        garbage = await victim.count("garbage")
    assert garbage < 20, garbage
