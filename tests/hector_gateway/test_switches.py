"""What is switched off answers with its exact error through every door, and before anything else."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.doors import Door, Place, Refused
from support.open_doors import opened

CODES: dict[str, tuple[int, int, str]] = {
    "UNSUPPORTED_OPERATION": (-32004, 400, "FAILED_PRECONDITION"),
    "PUSH_NOTIFICATION_NOT_SUPPORTED": (-32003, 400, "FAILED_PRECONDITION"),
    "EXTENDED_AGENT_CARD_NOT_CONFIGURED": (-32007, 400, "FAILED_PRECONDITION"),
}
BINDINGS = ("JSONRPC", "HTTP+JSON", "GRPC")
OFF = {"streaming": False, "push_notifications": False, "extended_card": False}
ON = {"streaming": True, "push_notifications": True, "extended_card": True}
KEY = {"auth": {"secret": "key"}}

# What is asked for, with nonsense in it: a feature that there is not is refused whatever it is asked with.
STREAMS: list[tuple[str, Any]] = [
    ("SendStreamingMessage", {}),
    ("SendStreamingMessage", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": []}}),
    ("SubscribeToTask", {"id": "nothing"}),
]
PUSH: list[tuple[str, Any]] = [
    ("CreateTaskPushNotificationConfig", {"taskId": "nothing", "url": "no url"}),
    ("GetTaskPushNotificationConfig", {"taskId": "nothing", "id": "c"}),
    ("ListTaskPushNotificationConfigs", {"taskId": "nothing"}),
    ("DeleteTaskPushNotificationConfig", {"taskId": "nothing", "id": "c"}),
]
WITH_PUSH = {"taskPushNotificationConfig": {"url": "https://example.com"}}


@pytest.fixture
async def place(mesh_under_test: Any, tmp_path: Any) -> AsyncIterator[Place]:
    """The assistant has nothing, `all` has everything, whatever the server says."""
    async with opened(
        mesh_under_test, tmp_path, server={"a2a": ON, **KEY}, a2a=OFF, others={"all": {"a2a": ON}}
    ) as place:
        yield place


def doors_of(place: Place, agent: str = "assistant") -> list[Door]:
    return place.doors(agent, "key")


async def refusal(door: Door, rpc: str, params: Any) -> Refused:
    with pytest.raises(Refused) as found:
        await door.ask(rpc, params)
    return found.value


def check(refused: Refused, door: Door, reason: str) -> None:
    assert (refused.reason, refused.domain) == (reason, "a2a-protocol.org"), (door, refused)
    assert refused.code == CODES[reason][BINDINGS.index(door.binding)], (door, refused)
    assert refused.request_id


async def test_a_stream_that_is_switched_off_is_an_unsupported_operation(place: Place) -> None:
    """A2A 1.0, section 3.3.4: "If AgentCard.capabilities.streaming is false …": UnsupportedOperationError."""
    for door in doors_of(place):
        for rpc, params in STREAMS:
            refused = await refusal(door, rpc, params)
            check(refused, door, "UNSUPPORTED_OPERATION")
            assert "SendMessage" in refused.message


async def test_push_notifications_that_are_switched_off_are_not_supported(place: Place) -> None:
    """A2A 1.0, section 3.3.4; so is a message that wants them."""
    for door in doors_of(place):
        for rpc, params in PUSH:
            check(await refusal(door, rpc, params), door, "PUSH_NOTIFICATION_NOT_SUPPORTED")
        with pytest.raises(Refused) as found:
            await door.send(configuration=WITH_PUSH)
        check(found.value, door, "PUSH_NOTIFICATION_NOT_SUPPORTED")


async def test_an_extended_card_that_is_switched_off_is_refused_in_the_words_of_the_version(
    place: Place,
) -> None:
    """A2A 1.0, section 3.1.11: UnsupportedOperationError; in 0.3 that is -32007. Over gRPC 0.3 has one method
    for both cards, so there it is the public one."""
    for door in doors_of(place):
        if (door.binding, door.version) == ("GRPC", "0.3"):
            assert (await door.card())["name"] == "assistant"
            continue
        reason = "UNSUPPORTED_OPERATION" if door.version == "1.0" else "EXTENDED_AGENT_CARD_NOT_CONFIGURED"
        check(await refusal(door, "GetExtendedAgentCard", {}), door, reason)


async def test_what_is_switched_on_is_there_and_an_unknown_task_is_an_unknown_task(place: Place) -> None:
    for door in doors_of(place, "all"):
        assert (await refusal(door, "SubscribeToTask", {"id": "nothing"})).reason == "TASK_NOT_FOUND"
        refused = await refusal(door, "ListTaskPushNotificationConfigs", {"taskId": "nothing"})
        assert refused.reason == "TASK_NOT_FOUND", door
        assert (await door.card())["name"] == "all"
        async with door.streamed() as events:
            assert "task" in (await events.all())[0].found


@pytest.mark.parametrize("view", ["1.0", "0.3", ""])
async def test_the_card_says_what_there_is(place: Place, view: str) -> None:
    """Ours: public and extended cards of every version tell of the same switches as the refusals."""
    for agent, there in (("assistant", False), ("all", True)):
        headers = {"A2A_Version": view} if view else {}
        card = (await place.public_card(agent, **headers)).found
        offered = card["capabilities"]
        assert offered.get("streaming") is there
        assert offered.get("pushNotifications") is there
        if view != "0.3":
            assert offered.get("extendedAgentCard") is there
        if view != "1.0":
            assert card.get("supportsAuthenticatedExtendedCard", False) is there
    for door in doors_of(place, "all"):
        offered = (await door.card())["capabilities"]
        assert (offered["streaming"], offered["pushNotifications"]) == (True, True), door


@pytest.mark.parametrize(
    ("server", "agent", "streams"),
    [
        ({}, {}, True),
        ({"streaming": False}, {}, False),
        ({"streaming": False}, {"a2a": {"streaming": True}}, True),
        ({}, {"streaming": False}, False),
        ({}, {"streaming": False, "a2a": {"streaming": True}}, True),
        ({}, {"a2a": {"streaming": False}}, False),
    ],
)
async def test_an_agents_own_word_counts_more_than_the_servers(
    mesh_under_test: Any, tmp_path: Any, server: Any, agent: Any, streams: bool
) -> None:
    async with opened(mesh_under_test, tmp_path, server={"a2a": server}, **agent) as place:
        assert (await place.public_card()).found["capabilities"].get("streaming", False) is streams
        for door in place.doors():
            refused = await refusal(door, "SubscribeToTask", {"id": "nothing"})
            assert refused.reason == ("TASK_NOT_FOUND" if streams else "UNSUPPORTED_OPERATION")
