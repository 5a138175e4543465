"""Servers and agents that speak one version of A2A only, and agents with codes of their own."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.doors import Door, Place, Refused, RestV1, RpcV1
from support.open_doors import opened

CODES = {"JSONRPC": -32009, "HTTP+JSON": 400, "GRPC": "FAILED_PRECONDITION"}
SEND = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}}
ASKED: list[tuple[str, Any]] = [
    ("SendMessage", SEND),
    ("SendStreamingMessage", SEND),
    ("GetTask", {"id": "nothing"}),
    ("ListTaskPushNotificationConfigs", {"taskId": "nothing"}),
    ("GetExtendedAgentCard", {}),
]
SPOKEN = {"assistant": ("1.0", "0.3"), "new": ("1.0",), "old": ("0.3",)}
OLD_MEMBERS = {"url", "preferredTransport", "protocolVersion", "additionalInterfaces", "security"}


@pytest.fixture
async def place(mesh_under_test: Any, tmp_path: Any) -> AsyncIterator[Place]:
    others = {name: {"a2a": {"versions": list(found)}} for name, found in SPOKEN.items()}
    del others["assistant"]
    async with opened(mesh_under_test, tmp_path, others=others) as place:
        yield place


def check(refused: Refused, door: Door, *spoken: str) -> None:
    assert (refused.reason, refused.code) == ("VERSION_NOT_SUPPORTED", CODES[door.binding]), door
    assert refused.facts["supported"] == ", ".join(spoken)


async def test_a_version_that_an_agent_does_not_speak_is_not_supported(place: Place) -> None:
    """A2A 1.0, section 3.6.2; it counts more than anything that the request could have wrong."""
    for agent, spoken in SPOKEN.items():
        for door in place.doors(agent):
            if door.version in spoken:
                assert (await door.send())["status"]["state"] == "TASK_STATE_COMPLETED"
                continue
            for rpc, params in ASKED:
                with pytest.raises(Refused) as found:
                    await door.ask(rpc, params)
                check(found.value, door, *spoken)


async def test_a_card_lists_what_is_spoken_only(place: Place) -> None:
    """A2A 1.0, section 4.4.6."""
    for agent, spoken in SPOKEN.items():
        card = (await place.public_card(agent)).found
        found = {one["protocolVersion"] for one in card.get("supportedInterfaces", ())}
        assert found == (set(spoken) if "1.0" in spoken else set())
        assert ("protocolVersion" in card) is ("0.3" in spoken)
        if spoken == ("1.0",):
            assert not OLD_MEMBERS & card.keys()
        for version in ("1.0", "0.3"):
            answer = await place.public_card(agent, A2A_Version=version)
            assert answer.raw.status == (200 if version in spoken else 400)


async def test_the_agent_that_the_tenant_names_decides(place: Place) -> None:
    """At the root nobody knows which agent is meant before the request is read."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": SEND | {"tenant": "old"}}
    async with place.http.post(place.url, json=body, headers={"A2A-Version": "1.0"}) as answer:
        assert (await answer.json())["error"]["code"] == -32009
    url = f"{place.url}/old/message:send"
    async with place.http.post(url, json=SEND, headers={"A2A-Version": "1.0"}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"


async def test_a_server_can_speak_one_version_and_an_agent_another(
    mesh_under_test: Any, tmp_path: Any
) -> None:
    others = {"both": {"a2a": {"versions": ["0.3", "1.0"]}}}
    server = {"a2a": {"versions": ["1.0"]}}
    async with opened(mesh_under_test, tmp_path, server=server, others=others) as place:
        for door in place.doors():
            if door.version == "0.3":
                with pytest.raises(Refused) as found:
                    await door.get("nothing")
                check(found.value, door, "1.0")
        for door in place.doors("both"):
            assert (await door.send())["status"]["state"] == "TASK_STATE_COMPLETED"
        # Without a version it is 0.3, as A2A says, and the answer says how to do better.
        with pytest.raises(Refused, match=r"no A2A-Version means 0\.3"):
            await place.door(RpcV1).call("SendMessage", SEND, {"a2a-version": ""})
        with pytest.raises(Refused, match=r"no A2A-Version means 0\.3"):
            await place.door(RestV1).call("SendMessage", SEND, {"a2a-version": ""})
        async with place.http.post(f"{place.url}/v1/agents/assistant/message:send", json=SEND) as answer:
            assert answer.status == 400
            assert "(no A2A-Version means 0.3) is not served here" in await answer.text()


@pytest.mark.parametrize(
    "version", ["1", "1.0.", "1.00", "01.0", "1.0-rc", "v1.0", "1,0", "\u0663.\u0660", "0.3.x", "9" * 500]
)
async def test_odd_versions_are_refused_and_told_back_in_short(place: Place, version: str) -> None:
    for door in place.doors():
        if door.binding == "GRPC" and not version.isascii():
            continue  # gRPC's own clients do not send that
        with pytest.raises(Refused) as found:
            await door.call("GetTask", {"id": "nothing"}, {"a2a-version": version})
        check(found.value, door, "1.0", "0.3")
        assert len(found.value.message) < 200


async def test_the_log_says_which_agent_was_asked_at_every_door(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Ours: docs/operations.md; refused or not."""
    caplog.set_level("INFO", "hector_gateway.measuring")
    for agent, spoken in SPOKEN.items():
        for door in place.doors(agent):
            caplog.clear()
            with contextlib.suppress(Refused):
                await door.send()
            async with asyncio.timeout(5):
                # A gRPC client can be told before the server takes note of it.
                while not (served := _served(caplog)):  # noqa: ASYNC110  a log has no event
                    await asyncio.sleep(0)
            if door.version in spoken or door.binding == "GRPC":
                assert [vars(one).get("agent") for one in served] == [agent], door


def _served(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [one for one in caplog.records if one.getMessage() == "request served"]


async def test_two_versions_in_one_request_must_agree(place: Place) -> None:
    """Ours: as with tenants, nobody has to guess which of two is meant."""
    agent, body = (
        f"{place.url}/agents/assistant",
        {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {}},
    )
    for query, fine in (("1.0", True), ("1.0.3", True), ("0.3", False), ("", True)):
        said = {"headers": {"A2A-Version": "1.0"}, "params": {"a2a-version": query}}
        async with place.http.get(f"{agent}/tasks", **said) as answer:
            assert answer.status == (200 if fine else 400)
            assert fine or "leave one out" in await answer.text()
        async with place.http.get(agent, **said) as answer:
            assert answer.status == (200 if fine else 400)
        async with place.http.post(agent, json=body, **said) as answer:
            assert ("leave one out" in await answer.text()) is not fine


async def test_a_version_that_nobody_speaks_is_refused_as_the_agent_has_it(
    mesh_under_test: Any, tmp_path: Any
) -> None:
    others = {"new": {"a2a": {"versions": ["1.0"], "errors": "1.0.0"}}}
    codes = CODES | {"GRPC": "UNIMPLEMENTED"}
    async with opened(mesh_under_test, tmp_path, others=others) as place:
        for door in place.doors("new"):
            with pytest.raises(Refused) as found:
                await door.call("GetTask", {"id": "nothing"}, {"a2a-version": "9.0"})
            assert (found.value.reason, found.value.code) == ("VERSION_NOT_SUPPORTED", codes[door.binding]), (
                door
            )
            assert found.value.facts["supported"] == "1.0"


async def test_each_agents_errors_have_the_codes_of_its_edition(mesh_under_test: Any, tmp_path: Any) -> None:
    """Ours: `agents.<name>.a2a.errors`; what is known before the agent is has the server's codes."""
    others = {"early": {"a2a": {"errors": "1.0.0"}}}
    off = {"errors": "1.0.1", "push_notifications": False, "streaming": False}
    codes = {
        "early": {"JSONRPC": -32004, "HTTP+JSON": 400, "GRPC": "UNIMPLEMENTED"},
        "assistant": {"JSONRPC": -32004, "HTTP+JSON": 400, "GRPC": "FAILED_PRECONDITION"},
    }
    async with opened(mesh_under_test, tmp_path, server={"a2a": off}, others=others) as place:
        for agent, expected in codes.items():
            for door in place.doors(agent):
                with pytest.raises(Refused) as found:
                    await door.ask("SendStreamingMessage", SEND)
                assert (found.value.reason, found.value.code) == (
                    "UNSUPPORTED_OPERATION",
                    expected[door.binding],
                ), door
        early, late = place.door(RestV1, "early"), place.door(RestV1)
        task = (await early.send())["id"]
        with pytest.raises(Refused) as found:
            await early.cancel(task)
        assert found.value.code == 409
        task = (await late.send())["id"]
        with pytest.raises(Refused) as found:
            await late.cancel(task)
        assert found.value.code == 400
        picture = {"url": "https://example.com/a.png", "mediaType": "image/png"}
        with pytest.raises(Refused) as found:
            await early.send(parts=[picture])
        assert found.value.code == 415
        url = f"{place.url}/early/message:send"  # the tenant names it
        body = {"message": {**SEND["message"], "parts": [picture]}}
        async with place.http.post(url, json=body, headers={"A2A-Version": "1.0"}) as answer:
            assert answer.status == 415
