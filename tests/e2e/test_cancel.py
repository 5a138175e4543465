"""Ours: at every door, cancelling closes the model's connection within a second, whoever asks the model."""

import asyncio
import json
import os
import re
import time
import urllib.request
from pathlib import Path

import pytest
from support.doors import DOORS, place_at
from support.model_server import trickles
from support.processes import free_port, is_alive, message, post, wait_until_ready
from support.scripted_server import scripted
from support.topologies import ROLES

LIMIT_S = 20
QUICK_S = 1.0
"""What is promised; the tests of others may run beside this one, so a slow try is given a second one."""

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agents-from-code.md"
CONFIG = """
agents:
  talker: {{tools: []}}
llms:
  default: {{provider: openai, base_url: "{url}/v1", model: m, api_key: k, max_retries: 0}}
server: {{shutdown_timeout: 1s}}
{more}
"""
STUBBORN = """
import asyncio

async def answer(turn):
    yield "begun"
    while True:
        try:
            await asyncio.sleep(300)
        except asyncio.CancelledError:
            pass
"""


def grpc_address(url):
    with urllib.request.urlopen(f"{url}/agents/talker", timeout=LIMIT_S) as answer:
        card = json.load(answer)
    return next(one["url"] for one in card["supportedInterfaces"] if one["protocolBinding"] == "GRPC")


async def cancelled_in_s(door, model):
    """Begin a stream, cancel its task when words come, and return how long it took to leave the model."""
    model.left.clear()
    async with door.streamed("Hello") as events:
        async for event in events:
            if "task" in event.found:
                task = event.found["task"]["id"]
            if "artifactUpdate" in event.found:
                break
        began = time.monotonic()
        told = await door.cancel(task)
        await model.left.wait()
        took_s = time.monotonic() - began
        last = (await events.all())[-1]
    assert told["status"]["state"] == "TASK_STATE_CANCELED"
    assert last.found["statusUpdate"]["status"]["state"] == "TASK_STATE_CANCELED"
    assert (await door.get(task))["status"]["state"] == "TASK_STATE_CANCELED"
    return took_s


async def all_doors_cancel(url, address, model):
    async with place_at(url, address.replace("localhost", "127.0.0.1")) as place, asyncio.timeout(60):
        for door in place.doors("talker"):
            times = [await cancelled_in_s(door, model)]
            if times[0] > QUICK_S:
                times.append(await cancelled_in_s(door, model))
            assert min(times) <= QUICK_S, (door, times)
    assert len(place.doors()) == len(DOORS)


async def test_cancelling_closes_the_models_connection(hector):
    async with scripted(trickles) as model:
        hector.write(CONFIG.format(url=model.url, more=""))
        server = await asyncio.to_thread(hector.serve, "--config", "hector.yaml", "--grpc-port", "0")
        await all_doors_cancel(server.url, await asyncio.to_thread(grpc_address, server.url), model)


async def test_cancelling_reaches_a_model_that_another_process_asks(hector):
    async with scripted(trickles) as model:
        addresses = {role: f"unix://{hector.folder}/{role}.sock" for role in ROLES}
        lines = "\n".join(f"  {role}: {address}" for role, address in addresses.items())
        hector.write(CONFIG.format(url=model.url, more=f"mesh:\n  token: a-secret\n{lines}"))
        for role, address in addresses.items():
            hector.start("--config", "hector.yaml", "--role", role, "--listen", address)
        port, grpc_port = free_port(), free_port()
        ports = ("--port", str(port), "--grpc-port", str(grpc_port))
        url = f"http://127.0.0.1:{port}"
        gateway = hector.start("--config", "hector.yaml", "--role", "gateway", *ports, url=url)
        await asyncio.to_thread(wait_until_ready, gateway)
        await all_doors_cancel(url, f"127.0.0.1:{grpc_port}", model)


@pytest.mark.parametrize("cancels", [True, False])
async def test_an_agent_whose_code_never_stops_does_not_keep_the_server_from_stopping(hector, cancels):
    hector.write(STUBBORN, "stubborn.py")
    hector.write(
        "agents: {talker: {type: custom, handler: stubborn:answer}}\nserver: {shutdown_timeout: 500ms}\n"
    )
    server = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")
    url = f"{server.url}/agents/talker"
    wish = {**message("hi"), "configuration": {"returnImmediately": True}}
    task = (await asyncio.to_thread(post, url, "SendMessage", wish))["result"]["task"]
    if cancels:
        told = await asyncio.to_thread(post, url, "CancelTask", {"id": task["id"]})
        assert told["result"]["status"]["state"] == "TASK_STATE_CANCELED"
    server.process.terminate()
    assert await asyncio.to_thread(server.process.wait, LIMIT_S) == 0
    assert "Traceback" not in server.output()


async def test_a_program_that_an_agents_code_runs_ends_with_its_task(hector):
    (source,) = re.findall(r"^```python measure.py\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert "sleep 300" in source
    marked = source.replace("sleep 300", f"sleep 300.{os.getpid()}")
    hector.write(marked, "measure.py")
    hector.write("agents: {talker: {type: custom, handler: measure:answer}}\n")
    server = await asyncio.to_thread(hector.serve, "--config", "hector.yaml", "--grpc-port", "0")
    address = await asyncio.to_thread(grpc_address, server.url)
    async with place_at(server.url, address.replace("localhost", "127.0.0.1")) as place, asyncio.timeout(60):
        for door in place.doors("talker"):
            task = await door.send("go", wait=False)
            while len(programs(f"300.{os.getpid()}")) < 2:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(0.02)
            began = time.monotonic()
            told = await door.cancel(task["id"])
            while programs(f"300.{os.getpid()}"):  # noqa: ASYNC110 - killed, and dying: the system's to say
                await asyncio.sleep(0.02)
            assert time.monotonic() - began < QUICK_S
            assert told["status"]["state"] == "TASK_STATE_CANCELED"


def programs(argument):
    """Return the processes that have an argument and are alive."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and argument in (entry / "cmdline").read_text().split("\0"):
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError, UnicodeDecodeError):
            pass  # it has just ended, or has other letters
    return [one for one in found if is_alive(one)]
