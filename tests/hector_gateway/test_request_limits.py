"""Ours: what one caller, or one request, may take, said alike at all six doors, with the limit's key."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from support.doors import DOORS, Refused, place_at

from hector_gateway.config import LimitsConfig
from hector_gateway.in_flight import InFlight

CODES = {"JSONRPC": -32052, "HTTP+JSON": 429, "GRPC": "RESOURCE_EXHAUSTED"}
INVALID = {"JSONRPC": -32602, "HTTP+JSON": 400, "GRPC": "INVALID_ARGUMENT"}
FULL = {"JSONRPC": -32052, "HTTP+JSON": 503, "GRPC": "RESOURCE_EXHAUSTED"}


@pytest.fixture
async def doors_of(start_gateway):
    """Return what starts a gateway with limits and gives its doors."""
    async with AsyncExitStack() as stack:

        async def start(**server):
            gateway = await start_gateway(**server)
            place = await stack.enter_async_context(place_at(gateway.url, gateway.grpc_address))
            return gateway, place.doors("helper")

        yield start


def too_much(refused, door, codes, limit):
    assert refused.code == codes[door.binding], (door, refused)
    assert limit in refused.message
    assert refused.facts["limit"] == limit
    assert refused.retry_s
    if refused.http:
        assert refused.http == codes["HTTP+JSON"]
        assert int(refused.said["retry-after"]) >= refused.retry_s


async def test_a_caller_may_have_so_many_streams_and_another_one_may_too(doors_of):
    keys = [{"name": name, "key": name, "roles": ["user"]} for name in ("ada", "eve")]
    gateway, doors = await doors_of(auth={"api_keys": keys}, limits={"max_streams_per_caller": 2})
    doors = [door.as_caller("ada") for door in doors]
    async with AsyncExitStack() as open_streams:
        for door in (doors[0], doors[4]):
            stream = await open_streams.enter_async_context(door.streamed("held"))
            await anext(aiter(stream))
        asked = len(gateway.fake.calls)
        for door in doors:
            with pytest.raises(Refused) as refused:
                async with door.streamed("held") as events:
                    await events.all()
            assert refused.value.reason == "CALLER_BUSY"
            too_much(refused.value, door, CODES, "server.limits.max_streams_per_caller")
        assert len(gateway.fake.calls) == asked
        async with doors[0].as_caller("eve").streamed("two words") as events:
            assert await events.all()
        gateway.fake.let_go.set()
    async with asyncio.timeout(5):
        while True:
            try:
                async with doors[1].streamed("two words") as events:
                    assert await events.all()
                    break
            except Refused:
                await asyncio.sleep(0)


async def test_a_caller_may_wait_for_so_many_answers(doors_of):
    gateway, doors = await doors_of(limits={"max_sends_per_caller": 1})
    waiting = asyncio.create_task(doors[2].send("hang"))
    async with asyncio.timeout(5):
        await gateway.fake.begun.wait()
    try:
        for door in doors:
            with pytest.raises(Refused) as refused:
                await door.send("hi")
            too_much(refused.value, door, CODES, "server.limits.max_sends_per_caller")
            await door.get("t")  # what is quick is not counted
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_a_server_that_is_full_is_no_fault_of_the_caller(doors_of):
    gateway, doors = await doors_of(limits={"max_streams": 1})
    async with doors[0].streamed("held") as held:
        await anext(aiter(held))
        for door in doors:
            with pytest.raises(Refused) as refused:
                async with door.streamed("hi") as events:
                    await events.all()
            too_much(refused.value, door, FULL, "server.limits.max_streams")
        gateway.fake.let_go.set()


def test_a_share_is_given_back_with_its_call():
    in_flight = InFlight(LimitsConfig(max_streams_per_caller=1))
    for _ in range(2):
        in_flight.admit_stream("ada")
        with in_flight.counted(object(), streams=True, caller="ada"):
            in_flight.admit_stream("eve")
    assert not in_flight._streams_of


@pytest.mark.parametrize(
    ("limits", "message", "key"),
    [
        ({"max_parts": 3}, {"parts": [{"text": "x"}] * 4}, "max_parts"),
        ({"max_metadata_size": 1024}, {"metadata": {"a": "b" * 2000}}, "max_metadata_size"),
        ({"max_metadata_size": 1024}, {"messageId": "m" * 2000}, "max_metadata_size"),
        (
            {"max_metadata_size": 1024},
            {"parts": [{"text": "x", "metadata": {"a": "b" * 2000}}]},
            "max_metadata_size",
        ),
        ({"max_values": 1000}, {"parts": [{"data": {"a": [1] * 1001}}]}, "max_values"),
        ({"max_values": 1000}, {"metadata": {str(n): {"a": []} for n in range(600)}}, "max_values"),
    ],
)
async def test_a_message_that_holds_too_much_is_refused(doors_of, limits, message, key):
    gateway, doors = await doors_of(limits=limits)
    for door in doors:
        with pytest.raises(Refused) as refused:
            await door.send("hi", **message)
        assert refused.value.code == INVALID[door.binding], (door, refused.value)
        assert f"server.limits.{key}" in refused.value.message
        assert refused.value.violations
    assert not gateway.fake.calls


async def test_what_parts_hold_is_only_bound_by_the_size_of_the_body(doors_of):
    gateway, doors = await doors_of(limits={"max_metadata_size": 1024, "max_values": 1000})
    parts = [{"text": "x, " * 3000}, {"raw": "aGkh" * 2000}, {"data": {"a": [1] * 900}}]
    for door in doors:
        await door.send("hi", parts=parts)
    assert len(gateway.fake.requests) == len(DOORS)


async def test_other_operations_hold_no_more_than_metadata_may(doors_of):
    _, doors = await doors_of(limits={"max_metadata_size": 1024})
    for door in (doors[0], doors[4]):
        with pytest.raises(Refused) as refused:
            await door.call("CancelTask", {"id": "t", "metadata": {"a": "b" * 2000}})
        assert "server.limits.max_metadata_size" in refused.value.message


async def test_what_is_large_and_deep_is_refused_as_the_clients_mistake(doors_of):
    """Deeper than what measures JSON can go, and larger than what is let pass without measuring."""
    gateway, _ = await doors_of()
    deep = "[" * 300 + '"' + "x" * 300_000 + '"' + "]" * 300
    said = '{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"%s}]%s}}'
    headers = {"Content-Type": "application/json", "A2A-Version": "1.0"}
    for body in (said % (f',"metadata":{{"a":{deep}}}', ""), said % ("", f',"metadata":{{"a":{deep}}}')):
        url = f"{gateway.url}/agents/helper/message:send"
        async with gateway.http.post(url, data=body, headers=headers) as answer:
            assert answer.status == 400
            assert "nested too deep" in (await answer.json(content_type=None))["error"]["message"]


@pytest.mark.parametrize("text", ['{"a":' * 100_000, "[" * 100_000, "[" * 900 + "]" * 900])
async def test_a_hundred_thousand_levels_are_refused_at_once(start_gateway, text):
    gateway = await start_gateway()
    body = '{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"data":' + text
    if text.endswith("]"):
        body += "}]}}"
    began = time.monotonic()
    for path in ("/agents/helper/message:send", "/agents/helper"):
        async with gateway.http.post(
            gateway.url + path,
            data=body,
            headers={"Content-Type": "application/json", "A2A-Version": "1.0"},
        ) as answer:
            found = await answer.json(content_type=None)
            assert answer.status in (200, 400)
            assert found["error"]
    assert time.monotonic() - began < 5  # far more than it takes, far less than a recursion would
