"""More HTTP ports: the same agents and tasks, under another URL and with another form of card."""

import json
from typing import Any

import pytest
from a2a.compat.v0_3 import types as v03_types
from google.protobuf import json_format
from support.processes import free_port

import hector_a2a as a2a
from hector_gateway.config import GatewaySection
from hector_gateway.errors import CannotServe

CARD = "/agents/helper/.well-known/agent-card.json"


async def card_at(gateway: Any, url: str, path: str = CARD, **headers: str) -> dict[str, Any]:
    async with gateway.http.get(url + path, headers=headers) as answer:
        assert answer.status == 200
        found: dict[str, Any] = await answer.json()
        return found


def read_strictly_as_v1(card: dict[str, Any]) -> a2a.AgentCard:
    return json_format.Parse(json.dumps(card), a2a.AgentCard())  # refuses what it does not know


def read_strictly_as_v03(card: dict[str, Any]) -> v03_types.AgentCard:
    known = {field.alias or name for name, field in v03_types.AgentCard.model_fields.items()}
    assert not card.keys() - known
    return v03_types.AgentCard.model_validate(card)


@pytest.mark.parametrize("old_is_first", [True, False])
async def test_strict_readers_of_both_versions_find_their_card_at_their_address(
    start_gateway: Any, *, old_is_first: bool
) -> None:
    """Ours: one address cannot please strict readers of both."""
    port = free_port()
    first, second = ("0.3", "1.0") if old_is_first else ("1.0", "0.3")
    gateway = await start_gateway(a2a={"card": first}, listeners=[{"port": port, "card": second}])
    urls = {first: gateway.url, second: f"http://127.0.0.1:{port}"}
    new, old = await card_at(gateway, urls["1.0"]), await card_at(gateway, urls["0.3"])
    shown = {one.protocol_binding: one.url for one in read_strictly_as_v1(new).supported_interfaces}
    assert shown["JSONRPC"] == shown["HTTP+JSON"] == f"{urls['1.0']}/agents/helper"
    assert shown["GRPC"] == gateway.grpc_address  # there is one
    assert read_strictly_as_v03(old).url.startswith(f"{urls['0.3']}/agents/helper")
    dual = await card_at(gateway, urls["0.3"], **{"A2A-Version": "1.0"})
    read_strictly_as_v1(dual)  # who says what it wants gets it, at each


async def test_the_same_agents_and_tasks_are_at_every_port(start_gateway: Any) -> None:
    port = free_port()
    gateway = await start_gateway(listeners=[{"port": port, "card": "0.3"}])
    first = gateway.url
    for url in (first, f"http://127.0.0.1:{port}"):
        gateway.url = url
        sent = await gateway.rpc("SendMessage", gateway.said("hello"))
        assert sent["result"]["task"]["artifacts"][0]["parts"] == [{"text": "hello"}]
        old = await gateway.rpc("message/send", gateway.said_v03("hello"))
        assert old["result"]["kind"] == "task"
        events = await gateway.events("SendStreamingMessage", gateway.said("a b"))
        assert len(events) == 4
        assert (await gateway.rpc("GetTask", {"id": "t"}))["result"]["id"] == "t"
        async with gateway.http.get(url + "/ready") as ready:
            assert ready.status in (200, 503)  # as it is: the fakes are not all there
        async with gateway.http.get(url + "/agents") as listed:
            agents = (await listed.json())["agents"]
        assert agents[0]["url"] == f"{url}/agents/helper"


async def test_a_listener_shows_its_own_public_url_and_never_the_host_header(start_gateway: Any) -> None:
    port = free_port()
    listener = {"port": port, "card": "1.0", "public_url": "https://new.example.com/"}
    gateway = await start_gateway(port=free_port(), public_url="https://example.com", listeners=[listener])
    asked = {"Host": "localhost"}
    card = await card_at(gateway, f"http://127.0.0.1:{port}", **asked)
    assert card["supportedInterfaces"][0]["url"] == "https://new.example.com/agents/helper"
    assert "localhost" not in json.dumps(card)
    first = await card_at(gateway, gateway.url, **asked)
    assert first["supportedInterfaces"][0]["url"] == "https://example.com/agents/helper"


async def test_a_listeners_port_that_is_taken_is_named(start_gateway: Any) -> None:
    taken = await start_gateway()
    port = int(taken.url.rpartition(":")[2])
    with pytest.raises(CannotServe, match=r"`server\.listeners\[0\]\.port:` in the config"):
        await start_gateway(listeners=[{"port": port, "card": "1.0"}])


def test_a_listener_without_a_card_or_with_a_strange_url_is_refused() -> None:
    for listener in ({"port": 1}, {"card": "1.0"}, {"port": 1, "card": "1.0", "public_url": "example.com"}):
        with pytest.raises(ValueError, match=r"listeners\.0"):
            GatewaySection.model_validate({"server": {"listeners": [listener]}})
