"""Cards in 1.0, in 0.3 and in both, against the official SDK's models."""

import orjson
import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.compat.v0_3 import conversions
from a2a.compat.v0_3 import types as v03_types
from google.protobuf import json_format

import hector_a2a as a2a
from hector.agent.v1 import Agent, Skill
from hector_a2a.card import Offered, card_json, card_of

AGENT = Agent(
    name="helper",
    title="Helper",
    description="Helps.",
    streaming=True,
    skills=[Skill(id="s", name="S", description="Does S.", tags=["t"], examples=["do S"])],
    input_modes=["text/plain", "image/png"],
)
CARD = card_of(
    AGENT,
    Offered(streaming=True, input_modes=["text/plain", "image/png"]),
    url="http://localhost:8080/agents/helper",
    version="1.2.3",
    grpc_address="localhost:50051",
    authenticated=True,
)


def test_the_new_view_is_the_contracts() -> None:
    """A2A 1.0 section 4.4; 0.3 interfaces are left out."""
    found = json_format.Parse(orjson.dumps(card_json(CARD, "1.0")), a2a.AgentCard())
    assert [(one.protocol_binding, one.protocol_version) for one in found.supported_interfaces] == [
        ("JSONRPC", "1.0"),
        ("HTTP+JSON", "1.0"),
        ("GRPC", "1.0"),
    ]
    assert (found.name, found.version) == ("Helper", "1.2.3")
    assert list(found.default_output_modes) == ["text/plain"]
    assert found.security_requirements[0].schemes["bearer"].list == []


def test_the_old_view_is_what_the_sdk_makes_of_the_card() -> None:
    """A2A 0.3 section 5.5."""
    theirs = conversions.to_compat_agent_card(CARD).model_dump(mode="json", by_alias=True, exclude_none=True)
    theirs.pop("supportsAuthenticatedExtendedCard")  # false, which is its default
    assert card_json(CARD, "0.3") | {"protocolVersion": "0.3"} == theirs
    v03_types.AgentCard.model_validate(card_json(CARD, "0.3"))


def test_both_views_fit_into_one_document() -> None:
    """Ours: clients of either version read the same card."""
    found = card_json(CARD, "both")
    old = v03_types.AgentCard.model_validate(found)
    assert (old.url, old.preferred_transport) == ("http://localhost:8080/agents/helper", "JSONRPC")
    assert old.security == [{"bearer": []}]
    new = parse_agent_card(dict(found))
    assert new.name == "Helper"
    assert new.supported_interfaces[0].protocol_version == "1.0"
    assert new.security_schemes["bearer"].http_auth_security_scheme.scheme == "bearer"
    assert card_json(CARD, "1.0").keys() | card_json(CARD, "0.3").keys() == found.keys()


def test_an_open_server_asks_for_nothing() -> None:
    found = card_json(card_of(AGENT, Offered(streaming=True), url="http://x", version="1"))
    assert not {"security", "securitySchemes", "securityRequirements"} & found.keys()


@pytest.mark.parametrize(
    ("preferred", "first"), [("json-rpc", "JSONRPC"), ("rest", "HTTP+JSON"), ("grpc", "GRPC")]
)
def test_the_preferred_transport_is_listed_first(preferred: str, first: str) -> None:
    """A2A 1.0, section 4.4.6: the first one is preferred; 0.3 names it beside the URL."""
    offered = Offered(streaming=True, preferred=preferred)
    agent = Agent(name="a", default=True)
    card = card_of(agent, offered, url="http://x/agents/a", version="1", grpc_address="x:50051")
    new = [one.protocol_binding for one in card.supported_interfaces if one.protocol_version == "1.0"]
    assert (new[0], sorted(new)) == (first, ["GRPC", "HTTP+JSON", "JSONRPC"])
    assert card_json(card, "0.3")["preferredTransport"] == first
    card = card_of(agent, offered, url="http://x/agents/a", version="1")  # there is no gRPC port
    assert card.supported_interfaces[0].protocol_binding == (first if first != "GRPC" else "JSONRPC")


def test_only_the_default_agents_card_offers_grpc_to_clients_of_03() -> None:
    """Ours: 0.3 has no tenant, so nobody else could be reached by what such a card says."""
    for default in (False, True):
        card = card_of(
            Agent(name="a", default=default),
            Offered(streaming=True, input_modes=["text/plain", "image/png"]),
            url="http://x/agents/a",
            version="1",
            grpc_address="x:50051",
        )
        found = v03_types.AgentCard.model_validate(card_json(card, "0.3"))
        offered = [(one.transport, one.url) for one in found.additional_interfaces]
        assert (("GRPC", "x:50051") in offered) is default
