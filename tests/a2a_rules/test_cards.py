"""A2A 1.0 sections 4.4, 8 and 13.3, and 1.11 of the table: what agents say of themselves."""

import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from a2a.compat.v0_3 import types as v03
from a2a.types import a2a_pb2 as pb
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier
from a2a_rules import house as houses
from a2a_rules import wire
from a2a_rules.house import House
from a2a_rules.reading import all_of, refused_by, state_of
from a2a_rules.table import keeps
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt import PyJWK
from support.doors import DOORS, Door, sending
from support.published import read_v03, read_v1

AGENTS = tuple(houses.AGENTS)
PUBLIC = "https://agents.test"


async def card_of(house: House, agent: str, version: str) -> Any:
    return (await house.place.public_card(agent, a2a_version=version)).found


@keeps("1.11-fields")
async def test_a_card_has_what_10_requires_and_no_more(house: House) -> None:
    for agent in AGENTS:
        card = read_v1(await card_of(house, agent, "1.0"), pb.AgentCard)
        assert {one.protocol_version for one in card.supported_interfaces} == {"1.0"}
        assert card.name == agent
        assert card.version
        assert card.default_input_modes
        assert card.default_output_modes


@keeps("1.11-fields-03")
async def test_a_card_for_03_has_what_that_requires_and_no_more(house: House) -> None:
    for agent in AGENTS:
        card = read_v03(await card_of(house, agent, "0.3"), v03.AgentCard)
        assert card.protocol_version.startswith("0.3")
        assert card.name == agent


@keeps("1.15-card")
async def test_03s_card_has_its_own_members(house: House) -> None:
    card = await card_of(house, "actor", "0.3")
    assert not {"supportedInterfaces", "securityRequirements"} & {*card}
    assert "extendedAgentCard" not in card["capabilities"]
    assert (card["preferredTransport"], card["url"]) == ("JSONRPC", f"{house.place.url}/agents/actor")
    others = {one["transport"]: one["url"] for one in card["additionalInterfaces"]}
    assert others["HTTP+JSON"] == card["url"]
    assert card["security"] == [{"bearer": []}]
    assert card["securitySchemes"]["bearer"]["type"] == "http"
    assert card.get("supportsAuthenticatedExtendedCard", False) is False
    assert (await card_of(house, "carded", "0.3"))["supportsAuthenticatedExtendedCard"] is True


@keeps("1.11-dual")
async def test_without_a_version_both_can_read_it(house: House) -> None:
    """Each reader takes what it knows, and finds all that it needs."""
    card = (await house.place.public_card("actor")).found
    old, new = await card_of(house, "actor", "0.3"), await card_of(house, "actor", "1.0")
    assert {name: card[name] for name in old if name not in SHARED} == {
        name: value for name, value in old.items() if name not in SHARED
    }
    assert {*new} <= {*card}
    assert v03.AgentCard.model_validate(card).url == old["url"]


SHARED = {"capabilities", "securitySchemes", "skills"}
"""Members that have what both versions know."""


@keeps("1.11-interfaces")
async def test_every_door_that_a_card_lists_answers(house: House) -> None:
    card = (await house.place.public_card("actor")).found
    listed = {(one["protocolBinding"], one["protocolVersion"]) for one in card["supportedInterfaces"]}
    assert listed == {(door.binding, door.version) for door in DOORS}
    for one in card["supportedInterfaces"]:
        (kind,) = [
            door
            for door in DOORS
            if (door.binding, door.version) == (one["protocolBinding"], one["protocolVersion"])
        ]
        if one["protocolBinding"] == "GRPC":
            assert one["url"].replace("localhost", "127.0.0.1") == house.grpc_address
        else:
            assert one["url"].replace("localhost", "127.0.0.1") == f"{house.place.url}/agents/actor"
        assert state_of(await house.door(kind).send("hi")) == "COMPLETED"


@keeps("1.11-grpc-url", "1.14-grpc-address")
async def test_grpcs_address_is_host_and_port(house: House) -> None:
    """1.0's text says so. 0.3's test kit wants a URL there, with which its SDK's channel finds nobody."""
    card = (await house.place.public_card("whole")).found
    (grpc,) = [one for one in card["supportedInterfaces"] if one["protocolBinding"] == "GRPC"]
    host, _, port = grpc["url"].rpartition(":")
    assert host in ("localhost", "127.0.0.1")
    assert port.isdigit()
    assert grpc["tenant"] == "whole"
    old = await card_of(house, "actor", "0.3")
    assert [one["url"] for one in old["additionalInterfaces"] if one["transport"] == "GRPC"] == [grpc["url"]]


@keeps("1.11-public-url")
async def test_addresses_come_from_the_config(house: House) -> None:
    async with houses.opened("local", public_url=PUBLIC, public_grpc="grpc.agents.test:443") as other:
        headers = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "gopher"}
        url = f"{other.place.url}/agents/actor/.well-known/agent-card.json"
        async with other.place.http.get(url, headers=headers) as answer:
            text = await answer.text()
    assert "evil" not in text
    assert f"{PUBLIC}/agents/actor" in text
    assert "grpc.agents.test:443" in text
    assert "127.0.0.1" not in text


@keeps("1.11-capabilities")
async def test_its_capabilities_are_what_the_agent_does(house: House) -> None:
    for agent in AGENTS:
        offered = (await card_of(house, agent, "1.0"))["capabilities"]
        door = house.door(DOORS[0], agent)
        said = {"a2a-extensions": houses.EXTENSION}
        task = (await door.call("SendMessage", sending("ask"), said)).found["task"]["id"]
        async with door.stream("SubscribeToTask", {"id": task}, said) if offered["streaming"] else nothing():
            pass
        if not offered["streaming"]:
            refused = await refused_by(all_of(door.subscribe(task, said=said)))
            assert refused.reason == "UNSUPPORTED_OPERATION"
        if not offered["pushNotifications"]:
            asking = door.call("ListTaskPushNotificationConfigs", {"taskId": task}, said)
            assert (await refused_by(asking)).reason == "PUSH_NOTIFICATION_NOT_SUPPORTED"
        else:
            found = (await door.call("ListTaskPushNotificationConfigs", {"taskId": task}, said)).found
            assert not found.get("configs")
        if not offered.get("extendedAgentCard"):
            assert (await refused_by(door.card())).reason == "UNSUPPORTED_OPERATION"
        else:
            assert await door.card()


class nothing:  # noqa: N801 - a block that does nothing
    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None


@keeps("1.11-skills")
async def test_there_is_at_least_one_skill(house: House) -> None:
    for agent in AGENTS:
        skills = (await card_of(house, agent, "1.0"))["skills"]
        assert skills
        for skill in skills:
            assert {"id", "name", "description", "tags"} <= {*skill}
            assert skill["id"]
            assert skill["name"]


@keeps("1.11-security")
async def test_its_security_schemes_are_what_the_server_asks_for(house: House) -> None:
    card = await card_of(house, "actor", "1.0")
    assert card["securitySchemes"]["bearer"]["httpAuthSecurityScheme"]["scheme"] == "bearer"
    assert card["securityRequirements"] == [{"schemes": {"bearer": {}}}] or card["securityRequirements"] == [
        {"schemes": {"bearer": {"list": []}}}
    ]
    stranger = house.door(DOORS[0], caller="")
    assert (await refused_by(stranger.send("hi"))).reason == "UNAUTHENTICATED"
    async with houses.opened("local", auth={"enabled": False}) as free:
        card = await card_of(free, "actor", "1.0")
        assert not {"securitySchemes", "securityRequirements"} & {*card}
        assert await free.door(DOORS[0], caller="").send("hi")


@keeps("1.11-caching")
async def test_who_has_it_is_told_so(house: House) -> None:
    card = await house.place.public_card("actor")
    assert "max-age" in card.said["cache-control"]
    assert card.said["last-modified"]
    again = await house.place.public_card("actor", if_none_match=card.said["etag"])
    assert (again.raw.status, again.found) == (304, None)
    changed = await house.place.public_card("actor", if_none_match='"other"')
    assert changed.raw.status == 200
    other = await house.place.public_card("actor", a2a_version="0.3", if_none_match=card.said["etag"])
    assert other.raw.status == 200, "it is another document"
    assert "a2a-version" in card.said["vary"].lower()


@keeps("1.11-extended-absent")
async def test_without_the_capability_there_is_no_extended_card(door: Door) -> None:
    if door.version == "0.3" and door.binding == "GRPC":
        assert (await door.card())["name"] == "actor", "0.3 has one method for both cards"
        return
    refused = await refused_by(door.card())
    known = {"1.0": "UNSUPPORTED_OPERATION", "0.3": "EXTENDED_AGENT_CARD_NOT_CONFIGURED"}
    assert refused.reason == known[door.version]


@keeps("1.11-extended")
async def test_callers_with_a_credential_get_the_extended_card(door: Door, house: House) -> None:
    public = await card_of(house, "carded", door.version)
    assert [one["id"] for one in public["skills"]] == ["outer"]
    card = await house.door(type(door), "carded").card()
    assert [one["id"] for one in card["skills"]] == ["outer", "inner"]
    assert card["name"] == "carded"


@keeps("1.11-extended-stranger")
async def test_nobody_gets_it_without_a_credential(door: Door, house: House) -> None:
    refused = await refused_by(house.door(type(door), "carded", caller="").card())
    assert refused.reason == "UNAUTHENTICATED"
    if door.binding != "GRPC":
        assert refused.http == 401
        assert refused.said["www-authenticate"].startswith("Bearer")


@keeps("1.11-extended-private")
async def test_it_is_for_one_caller(door: Door, house: House) -> None:
    found = await wire.ask(house.door(type(door), "carded"), "GetExtendedAgentCard", {})
    assert found.status == 200
    control = {one.strip() for one in found.headers["cache-control"].split(",")}
    assert control & {"private", "no-store"}


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a file with a private key."""
    path = tmp_path_factory.mktemp("keys") / "key.pem"
    private = ec.generate_private_key(ec.SECP256R1())
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(path)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def signed(key_file: str) -> AsyncIterator[House]:
    async with houses.opened("local", a2a={"signing": [{"key_file": key_file, "key_id": "k-1"}]}) as house:
        yield house


@keeps("1.11-signed")
async def test_a_signed_card_verifies_against_the_servers_keys(signed: House) -> None:
    """With the official SDK's verifier, over the card as 1.0 has it."""
    async with signed.place.http.get(f"{signed.place.url}/.well-known/jwks.json") as answer:
        (key,) = (await answer.json(content_type=None))["keys"]
    card = read_v1(await card_of(signed, "actor", "1.0"), pb.AgentCard)
    assert card.signatures

    def find(kid: str | None, jku: str | None) -> PyJWK:
        assert kid == key["kid"] == "k-1"
        return PyJWK(key)

    verify = create_signature_verifier(find, ["ES256"])
    verify(card)
    for signature in card.signatures:
        header = json.loads(urlsafe_b64decode(signature.protected + "=="))
        assert header == {"alg": "ES256", "kid": "k-1", "typ": "JOSE"}
    card.name = "somebody else"
    with pytest.raises(InvalidSignaturesError):
        verify(card)


@keeps("1.14-extended-card-field")
async def test_the_capability_has_the_contracts_field_number(door: Door, house: House) -> None:
    answer = await house.door(type(door), "carded").call("GetExtendedAgentCard", {})
    capabilities = answer.raw.capabilities
    assert capabilities.DESCRIPTOR.fields_by_name["extended_agent_card"].number == 4
    assert capabilities.extended_agent_card
