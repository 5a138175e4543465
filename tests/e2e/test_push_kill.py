"""Webhooks of a server that is killed again and again: every event is told, in order, each under one id."""

import asyncio
import itertools
import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web
from support.model_server import says
from support.processes import answer_of, message, post
from support.receiver import is_end, receiving
from support.scripted_server import scripted

ROUNDS = 6
TASKS_EACH = 4
CONFIG = """
agents: {{assistant: {{tools: []}}}}
llms: {{default: {{provider: openai, base_url: "{url}/v1", model: m, api_key: k, max_retries: 0}}}}
server:
  a2a:
    push: {{allowed_networks: [127.0.0.1], allow_http: true, retry_delay: 20ms, max_delay: 100ms}}
"""
ANSWER = "word by word until it is over " * 5


async def model(received, line):
    await says(ANSWER, pause_s=random.choice((0, 0.02, 0.04)))(received, line)


async def moody(request: web.Request) -> web.Response:
    """Confirm most, after a while; some are refused, and some are not heard of again."""
    await asyncio.sleep(random.choice((0, 0.01, 0.1)))
    mood = random.random()
    if mood < 0.15 and request.transport is not None:
        request.transport.abort()
    return web.Response(status=500 if mood > 0.85 else 204)


async def test_every_event_is_told_in_order_whatever_happens_to_the_server(hector):
    moments, acknowledged = random.Random(7), []
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(TASKS_EACH) as threads:
        async with scripted(model) as served, receiving() as receiver, asyncio.timeout(170):
            receiver.usual = moody
            hector.write(CONFIG.format(url=served.url))
            push = {"url": receiver.url, "token": "t"}
            asked = {"returnImmediately": True, "taskPushNotificationConfig": push}
            for number in itertools.count(1):
                server = await loop.run_in_executor(threads, hector.serve, "--config", "hector.yaml")
                url = f"{server.url}/agents/assistant"
                if number > ROUNDS:
                    break
                params = message("go on") | {"configuration": asked}
                sends = [
                    loop.run_in_executor(threads, post, url, "SendMessage", params) for _ in range(TASKS_EACH)
                ]
                acknowledged += [answer["result"]["task"]["id"] for answer in await asyncio.gather(*sends)]
                await asyncio.sleep(moments.uniform(0, 2.0))  # whichever it is, the same must hold
                server.kill()
                assert "Traceback" not in server.output()
            ended = lambda told: {  # noqa: E731 - said once, and only here
                one.event_id.partition(":")[0] for one in told if is_end(one.found)
            }
            await receiver.until(lambda told: set(acknowledged) <= ended(told), within_s=60)
            for task in acknowledged:
                answer = await loop.run_in_executor(threads, post, url, "GetTask", {"id": task})
                check(task, answer["result"], [one for one in receiver.all if one.event_id.startswith(task)])
    assert len(set(acknowledged)) == ROUNDS * TASKS_EACH


def check(task, shown, told):
    """What was told of a task makes the task, in the order in which it was told."""
    bodies = defaultdict(set)
    for one in told:
        bodies[one.event_id].add(one.body)
    assert all(len(every) == 1 for every in bodies.values()), "one id, one event"
    first = list({one.seq: one for one in told})
    assert first == sorted(first), "each event after the one before it"
    events = [next(one for one in told if one.seq == seq).found for seq in first]
    assert events[0]["task"]["id"] == task
    artifacts = {one["artifactId"]: one["parts"][0]["text"] for one in events[0]["task"].get("artifacts", ())}
    for event in events[1:]:
        if update := event.get("artifactUpdate"):
            name, text = update["artifact"]["artifactId"], update["artifact"]["parts"][0]["text"]
            artifacts[name] = artifacts.get(name, "") + text if update.get("append") else text
    assert "\n".join(artifacts.values()) == answer_of(shown)
    last = events[-1].get("statusUpdate") or events[-1]["task"]
    assert last["status"]["state"] == shown["status"]["state"]
