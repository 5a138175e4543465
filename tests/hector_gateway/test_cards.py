"""Cards in every form: strict ones, extended ones, signed ones, and the catalog of all of them."""

import asyncio
import json
import time
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.compat.v0_3 import a2a_v0_3_pb2 as a2a_v03
from a2a.compat.v0_3 import types as v03_types
from a2a.compat.v0_3.a2a_v0_3_pb2_grpc import A2AServiceStub as OldStub
from a2a.utils import signing as sdk
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from google.protobuf.json_format import ParseDict
from jwt import PyJWK

import hector_a2a as a2a
from hector.agent.v1 import (
    VISIBILITY_INTERNAL,
    Agent,
    AgentServiceStub,
    GetAgentRequest,
    ListAgentsRequest,
    Skill,
)
from hector_a2a.card_signing import check
from hector_a2a.json_out import to_json
from hector_a2a.keys import KeyUnusable, public_keys
from hector_gateway.cards import NobodyToShow
from hector_gateway.catalog import catalog_of
from hector_gateway.directory import FRESH_S
from hector_gateway.public import Public
from hector_mesh import info_of

WELL_KNOWN = "/agents/helper/.well-known/agent-card.json"
ONLY_NEW = {"supportedInterfaces", "securityRequirements"}
ONLY_OLD = {"url", "preferredTransport", "protocolVersion", "additionalInterfaces", "security"}
KEYS = [
    {"name": "ursula", "key": "user-key", "roles": ["user"]},
    {"name": "olga", "key": "operator-key", "roles": ["operator"]},
]
SEALED = {"auth": {"api_keys": KEYS, "secret": "admin-secret"}, "a2a": {"extended_card": True}}
SHOWN = {"user-key": ["help", "inner"], "operator-key": ["help", "inner", "repair"]}
SHOWN["admin-secret"] = SHOWN["operator-key"]


async def get(gateway: Any, path: str = WELL_KNOWN, **headers: str) -> tuple[Any, Any]:
    asked = {name.replace("_", "-"): value for name, value in headers.items()}
    async with gateway.http.get(gateway.url + path, headers=asked) as answer:
        found = await answer.json(content_type=None) if answer.status != 304 else None
        return answer, found


def teach(gateway: Any) -> None:
    """Give an agent one skill for all callers, and one for operators."""
    skills = gateway.agents.agents[0].skills
    skills.append(Skill(id="inner", name="Inner", tags=["t"], visibility=VISIBILITY_INTERNAL))
    skills.append(
        Skill(id="repair", name="R", tags=["t"], visibility=VISIBILITY_INTERNAL, roles=["operator"])
    )


def key_file(folder: Path, name: str, private: Any) -> str:
    path = folder / name
    path.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(path)


async def test_a_card_of_one_version_holds_no_member_of_the_other(start_gateway: Any) -> None:
    """Ours: `server.a2a.card` decides what a client gets that names no version."""
    new = await start_gateway(a2a={"card": "1.0"}, auth={"secret": "s"})
    _, found = await get(new)
    assert not ONLY_OLD & found.keys()
    assert "type" not in found["securitySchemes"]["bearer"]
    assert {one["protocolVersion"] for one in found["supportedInterfaces"]} == {"1.0"}
    old = await start_gateway(a2a={"card": "0.3"}, auth={"secret": "s"})
    _, found = await get(old)
    assert not ONLY_NEW & found.keys()
    v03_types.AgentCard.model_validate(found)
    assert found["securitySchemes"]["bearer"].keys() == {"type", "scheme", "description"}
    both = await start_gateway(auth={"secret": "s"})
    _, found = await get(both)
    assert found.keys() >= ONLY_NEW
    assert {"url", "protocolVersion"} <= found.keys()
    _, found = await get(new, A2A_Version="0.3")
    assert found["protocolVersion"] == "0.3.0"


async def test_a_card_with_everything_on_it_pleases_strict_readers(start_gateway: Any) -> None:
    """A2A 1.0, section 4.4.1, and 0.3, section 5.5: what is shown is in the schema, and can be read back."""
    gateway = await start_gateway(
        auth={"secret": "s"},
        a2a={
            "extended_card": True,
            "push_notifications": True,
            "provider": {"name": "Ours", "url": "https://ours.example"},
            "extensions": [{"uri": "https://ours.example/x", "required": True, "params": {"a": [1, None]}}],
        },
    )
    offer = gateway.agents.agents[0].offer
    offer.version, offer.push_notifications = "7.1", True
    offer.documentation_url, offer.icon_url = "https://ours.example/docs", "https://ours.example/i.png"
    teach(gateway)
    _, found = await get(gateway, A2A_Version="1.0")
    card = ParseDict(found, a2a.AgentCard())  # unknown members are an error
    assert to_json(card) == found
    assert (card.version, card.provider.organization) == ("7.1", "Ours")
    assert (card.documentation_url, card.icon_url) == (offer.documentation_url, offer.icon_url)
    _, found = await get(gateway, A2A_Version="0.3")
    old = v03_types.AgentCard.model_validate(found)
    assert old.model_dump(mode="json", by_alias=True, exclude_unset=True) == found
    assert old.supports_authenticated_extended_card
    assert old.capabilities.extensions[0].params == {"a": [1, None]}


async def test_a_card_says_when_it_changed(start_gateway: Any) -> None:
    """RFC 9110: Last-Modified and If-Modified-Since, which an ETag outweighs; HEAD says the same."""
    gateway = await start_gateway()
    answer, found = await get(gateway)
    modified = answer.headers["last-modified"]
    since = parsedate_to_datetime(modified).timestamp()
    for date, status in ((modified, 304), (formatdate(since - 5, usegmt=True), 200), ("nonsense", 200)):
        again, _ = await get(gateway, If_Modified_Since=date)
        assert again.status == status
    again, _ = await get(gateway, If_Modified_Since=modified, If_None_Match='"other"')
    assert again.status == 200
    async with gateway.http.head(gateway.url + WELL_KNOWN) as head:
        for name in ("etag", "last-modified", "cache-control", "content-length", "content-type"):
            assert head.headers[name] == answer.headers[name]
        assert await head.read() == b""
    gateway.agents.agents[0].description = "Helps more."
    gateway.agents.agents[0].offer.streaming = False
    await asyncio.sleep(FRESH_S)
    later, changed = await get(gateway)
    assert changed["capabilities"]["streaming"] is False
    assert (found["description"], changed["description"]) == ("Helps.", "Helps more.")
    assert later.headers["etag"] != answer.headers["etag"]
    assert parsedate_to_datetime(later.headers["last-modified"]).timestamp() >= since


async def test_a_card_changed_no_later_than_it_is_dated(
    start_gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9110 section 8.8.2.1. An answer's Date is up to a second behind the clock."""
    gateway = await start_gateway()
    ahead = time.time() + 5
    monkeypatch.setattr(time, "time", lambda: ahead)
    answer, _ = await get(gateway)
    dated, changed = (parsedate_to_datetime(answer.headers[name]) for name in ("date", "last-modified"))
    assert changed <= dated


async def test_a_card_shows_what_is_configured(start_gateway: Any) -> None:
    """Ours: skills, and media types of both directions."""
    gateway = await start_gateway()
    gateway.agents.agents[0].input_modes[:] = ["text/plain", "image/png"]
    gateway.agents.agents[0].output_modes[:] = ["application/json"]
    _, found = await get(gateway, A2A_Version="1.0")
    assert found["defaultInputModes"] == ["text/plain", "image/png"]
    assert found["defaultOutputModes"] == ["application/json"]
    assert [skill["id"] for skill in found["skills"]] == ["help"]
    assert found["capabilities"]["extendedAgentCard"] is False


async def test_internal_skills_stand_in_the_extended_card_alone(start_gateway: Any) -> None:
    """A2A 1.0 section 3.1.11: what it holds may differ per caller."""
    gateway = await start_gateway(**SEALED)
    teach(gateway)
    _, public = await get(gateway)
    assert [skill["id"] for skill in public["skills"]] == ["help"]
    assert public["capabilities"]["extendedAgentCard"] is True
    assert public["supportsAuthenticatedExtendedCard"] is True
    for token, shown in SHOWN.items():
        headers = {"Authorization": f"Bearer {token}"}
        found = (await gateway.rpc("GetExtendedAgentCard", headers=headers))["result"]
        assert [skill["id"] for skill in found["skills"]] == shown
        assert not ONLY_OLD & found.keys()
        old = (await gateway.rpc("agent/getAuthenticatedExtendedCard", headers=headers))["result"]
        assert [skill["id"] for skill in old["skills"]] == shown
        v03_types.AgentCard.model_validate(old)
        async with gateway.http.get(
            f"{gateway.url}/agents/helper/extendedAgentCard", headers={**headers, "A2A-Version": "1.0"}
        ) as answer:
            assert (answer.status, answer.headers["cache-control"]) == (200, "private, no-store")
            assert await answer.json() == found
        async with gateway.http.get(f"{gateway.url}/agents/helper/v1/card", headers=headers) as answer:
            assert await answer.json() == old


async def test_without_a_credential_there_is_no_extended_card(start_gateway: Any) -> None:
    """A2A 1.0 section 3.1.11: authentication is a MUST; RFC 9110 wants a challenge."""
    gateway = await start_gateway(**SEALED)
    body = {"jsonrpc": "2.0", "id": 1, "method": "GetExtendedAgentCard"}
    url, version = f"{gateway.url}/agents/helper", {"A2A-Version": "1.0"}
    for asked in (
        gateway.http.post(url, json=body, headers=version),
        gateway.http.get(url + "/extendedAgentCard", headers=version),
    ):
        async with asked as answer:
            assert answer.status == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_an_extended_card_that_is_not_offered_is_refused_by_its_name(start_gateway: Any) -> None:
    """A2A 1.0: the capability is absent, so the operation is not supported; 0.3 calls that not configured."""
    gateway = await start_gateway(auth=SEALED["auth"])
    gateway.agents.agents[3].extended_card = True
    headers = {"Authorization": "Bearer user-key"}
    error = (await gateway.rpc("GetExtendedAgentCard", headers=headers))["error"]
    assert (error["code"], error["data"][0]["reason"]) == (-32004, "UNSUPPORTED_OPERATION")
    error = (await gateway.rpc("agent/getAuthenticatedExtendedCard", headers=headers))["error"]
    assert error["code"] == -32007
    # One agent may have what the others have not.
    answer = await gateway.rpc("GetExtendedAgentCard", path="/agents/whole", headers=headers)
    assert answer["result"]["name"] == "whole"


async def test_an_extended_card_for_nobody_stops_the_start(start_gateway: Any) -> None:
    with pytest.raises(NobodyToShow, match=r"server\.a2a\.extended_card"):
        await start_gateway(a2a={"extended_card": True})


async def test_every_card_is_signed_by_every_key(start_gateway: Any, tmp_path: Path) -> None:
    """A2A 1.0 section 8.4, with two keys as while one replaces the other, and the official SDK to check."""
    signing = [
        {"key_file": key_file(tmp_path, "old.pem", ec.generate_private_key(ec.SECP256R1())), "key_id": "old"},
        {"key_file": key_file(tmp_path, "new.pem", ed25519.Ed25519PrivateKey.generate()), "key_id": "new"},
    ]
    auth = {"api_keys": KEYS}
    gateway = await start_gateway(auth=auth, a2a={"signing": signing, "extended_card": True})
    answer, jwks = await get(gateway, "/.well-known/jwks.json")
    assert answer.headers["content-type"] == "application/jwk-set+json"
    assert [(one["kid"], one["alg"], "d" in one) for one in jwks["keys"]] == [
        ("old", "ES256", False),
        ("new", "EdDSA", False),
    ]
    trusted = public_keys(json.dumps(jwks).encode(), where="jwks")
    headers = {"Authorization": "Bearer user-key"}
    cards = [(await get(gateway, A2A_Version=version))[1] for version in ("", "1.0", "0.3")]
    cards.append((await gateway.rpc("GetExtendedAgentCard", headers=headers))["result"])
    cards.append((await gateway.rpc("agent/getAuthenticatedExtendedCard", headers=headers))["result"])
    for card in cards:
        checked = check(card, trusted)
        assert all(one.form for one in checked)
        assert {one.key_id for one in checked} == {"old", "new"}
    for jwk in jwks["keys"]:
        verify = sdk.create_signature_verifier(
            lambda kid, jku, jwk=jwk: PyJWK(jwk),
            [jwk["alg"]],  # type: ignore[misc]
        )
        for card in (cards[0], cards[1], cards[3]):
            verify(parse_agent_card(dict(card)))
    first, _ = await get(gateway)
    again, _ = await get(gateway, If_None_Match=first.headers["etag"])
    assert again.status == 304


async def test_without_keys_there_is_no_key_set(gateway: Any) -> None:
    answer, found = await get(gateway, "/.well-known/jwks.json")
    assert answer.status == 404
    assert "signatures" not in (await get(gateway))[1]
    assert found["error"]["message"]


@pytest.mark.parametrize(("content", "why"), [(None, "cannot be read"), (b"no key", "openssl genpkey")])
async def test_a_key_of_no_use_stops_the_start(
    start_gateway: Any, tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "card.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(KeyUnusable, match=why) as refused:
        await start_gateway(a2a={"signing": [{"key_file": str(file), "key_id": "one"}]})
    assert f"server.a2a.signing[0].key_file: {file}" in str(refused.value)


@pytest.mark.parametrize(
    ("url", "identifier"),
    [
        ("https://agents.example.com", "urn:air:agents.example.com:agent:helper"),
        ("http://localhost:8080", "http://localhost:8080/agents/helper"),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080/agents/helper"),
    ],
)
def test_an_agent_has_the_same_name_in_every_catalog(url: str, identifier: str) -> None:
    """AI Catalog 1.0: `urn:air` needs a domain of one's own."""
    public = Public(url, "", "1", authenticates=False)
    (entry,) = catalog_of([Agent(name="helper")], public)["entries"]  # type: ignore[misc]
    assert entry["identifier"] == identifier


async def test_the_catalog_leads_to_the_cards(start_gateway: Any) -> None:
    """AI Catalog 1.0: an identifier, a type and exactly one of URL and data for each entry."""
    gateway = await start_gateway(auth={"api_keys": KEYS})
    answer, found = await get(gateway, "/.well-known/ai-catalog.json")
    assert answer.headers["content-type"] == "application/ai-catalog+json"
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert found["specVersion"] == "1.0"
    assert [entry["displayName"] for entry in found["entries"]] == ["Helper", "whole"]
    first = found["entries"][0]
    assert first["type"] == first["mediaType"] == "application/a2a-agent-card+json"
    assert "data" not in first
    async with aiohttp.ClientSession() as http, http.get(first["url"]) as card:
        assert (await card.json())["name"] == "Helper"
    again, _ = await get(gateway, "/.well-known/ai-catalog.json", If_None_Match=answer.headers["etag"])
    assert again.status == 304
    mine, found = await get(gateway, "/.well-known/ai-catalog.json", Authorization="Bearer user-key")
    assert mine.headers["cache-control"].startswith("private")
    assert [entry["displayName"] for entry in found["entries"]] == ["Helper", "inside", "whole"]


async def test_grpc_gives_the_same_extended_card(start_gateway: Any) -> None:
    """A2A 1.0 section 5.1: bindings answer alike; nor does another contract tell of internal skills."""
    gateway = await start_gateway(**SEALED)
    teach(gateway)
    async with grpc.aio.insecure_channel(gateway.grpc_address) as channel:
        stub, agents, old = a2a.A2AServiceStub(channel), AgentServiceStub(channel), OldStub(channel)
        for token, shown in SHOWN.items():
            metadata = (("authorization", f"Bearer {token}"),)
            found = await stub.GetExtendedAgentCard(
                a2a.GetExtendedAgentCardRequest(tenant="helper"), metadata=metadata
            )
            headers = {"Authorization": f"Bearer {token}"}
            assert to_json(found) == (await gateway.rpc("GetExtendedAgentCard", headers=headers))["result"]
            listed = await agents.ListAgents(ListAgentsRequest(), metadata=metadata)
            assert [skill.id for skill in listed.agents[0].skills] == shown
            one = await agents.GetAgent(GetAgentRequest(agent="helper"), metadata=metadata)
            assert [skill.id for skill in one.agent.skills] == shown
            card = await old.GetAgentCard(a2a_v03.GetAgentCardRequest(), metadata=metadata)
            assert [skill.id for skill in card.skills] == shown
            assert card.supports_authenticated_extended_card
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetExtendedAgentCard(a2a.GetExtendedAgentCardRequest(tenant="helper"))
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_grpc_refuses_an_extended_card_that_is_not_offered(gateway: Any) -> None:
    async with grpc.aio.insecure_channel(gateway.grpc_address) as channel:
        teach(gateway)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await a2a.A2AServiceStub(channel).GetExtendedAgentCard(a2a.GetExtendedAgentCardRequest())
        assert info_of(refused.value).reason == "UNSUPPORTED_OPERATION"
        card = await OldStub(channel).GetAgentCard(a2a_v03.GetAgentCardRequest())
        assert [skill.id for skill in card.skills] == ["help"]
