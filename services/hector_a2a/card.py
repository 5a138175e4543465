"""Agent cards: what an agent says of itself, in A2A 1.0, in 0.3, and in both at once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from a2a.types import a2a_pb2 as a2a

from hector.agent.v1 import Agent

from .json_out import to_json
from .json_values import Json

View = Literal["1.0", "0.3", "both"]
"""Whose members a card has. In "both" they stand side by side, which clients of either version take."""

V1, V03 = "1.0", "0.3"
_BEARER = "bearer"
_TEXT = ("text/plain",)
BINDINGS: Mapping[str, str] = MappingProxyType({"json-rpc": "JSONRPC", "rest": "HTTP+JSON", "grpc": "GRPC"})
"""Names of transports in the configuration, and in cards. The first two have one URL: the paths of HTTP+JSON
begin below it, those of 0.3 with /v1."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What an agent offers clients, as its card says."""

    streaming: bool
    push_notifications: bool = False
    extended_card: bool = False
    extensions: Sequence[a2a.AgentExtension] = ()
    versions: Collection[str] = (V1, V03)
    preferred: str = "json-rpc"
    """One of `BINDINGS`."""
    input_modes: Sequence[str] = _TEXT
    output_modes: Sequence[str] = _TEXT
    provider: tuple[str, str] = ("", "")
    """Name and URL of the organization behind it."""


def card_of(
    agent: Agent,
    offered: Offered,
    *,
    url: str,
    version: str,
    grpc_address: str = "",
    authenticated: bool = False,
) -> a2a.AgentCard:
    """Return an agent's public card.

    Args:
        agent: What the agent service says of it.
        offered: What it offers.
        url: Where it takes JSON-RPC and HTTP+JSON, as clients outside see it.
        version: Hector's, for agents that have none of their own.
        grpc_address: "host:port" of the gRPC port, as clients outside see it; empty if there is none.
        authenticated: Callers must show a bearer credential.
    """
    own = agent.offer
    card = a2a.AgentCard(
        name=agent.title or agent.name,
        description=agent.description,
        version=own.version or version,
        default_input_modes=offered.input_modes,
        default_output_modes=offered.output_modes,
    )
    card.supported_interfaces.extend(_interfaces(agent, offered, url, grpc_address))
    if offered.provider[0]:
        card.provider.organization, card.provider.url = offered.provider
    if own.documentation_url:
        card.documentation_url = own.documentation_url
    if own.icon_url:
        card.icon_url = own.icon_url
    card.capabilities.streaming = offered.streaming
    card.capabilities.push_notifications = offered.push_notifications
    card.capabilities.extended_agent_card = offered.extended_card
    card.capabilities.extensions.extend(offered.extensions)
    for skill in agent.skills:
        card.skills.add(
            id=skill.id,
            name=skill.name or skill.id,
            description=skill.description,
            tags=skill.tags,
            examples=skill.examples,
            input_modes=skill.input_modes,
            output_modes=skill.output_modes,
        )
    if authenticated:
        scheme = card.security_schemes[_BEARER].http_auth_security_scheme
        scheme.scheme = "bearer"
        scheme.description = "An API key, or the admin secret."
        card.security_requirements.add().schemes[_BEARER].SetInParent()
    return card


def _interfaces(agent: Agent, offered: Offered, url: str, grpc_address: str) -> Iterator[a2a.AgentInterface]:
    """Yield where an agent is reached, the best first, as clients take them."""
    bindings = sorted(BINDINGS.values(), key=lambda binding: binding != BINDINGS[offered.preferred])
    for version in (V1, V03):
        for binding in bindings if version in offered.versions else ():
            found = a2a.AgentInterface(url=url, protocol_binding=binding, protocol_version=version)
            if binding == "GRPC":
                # 0.3 has no tenant: who calls by such a card reaches the default agent, and no other.
                if not grpc_address or (version == V03 and not agent.default):
                    continue
                found.url, found.tenant = grpc_address, agent.name if version == V1 else ""
            yield found


def card_json(card: a2a.AgentCard, view: View = "both") -> dict[str, Json]:
    """Return a card as JSON. Interfaces of the other version are left out of a view that knows only one.

    Args:
        card: It has an interface of every version in the view.
        view: Whose members it gets; "both" of a card that has interfaces of one version only is that one.
    """
    versions = {one.protocol_version for one in card.supported_interfaces}
    if view == "both" and len(versions) == 1:
        view = "0.3" if V03 in versions else "1.0"
    found: dict[str, Json] = to_json(card)
    if view == "1.0":
        interfaces = found["supportedInterfaces"]
        return found | {"supportedInterfaces": [one for one in interfaces if one["protocolVersion"] != V03]}
    old = card_v03(found)
    return old if view == "0.3" else _merged(found, old)


def card_v03(found: dict[str, Json]) -> dict[str, Json]:
    """Return a card's JSON as 0.3 has it, made of one that has interfaces of 0.3."""
    same: tuple[str, ...] = ("name", "description", "version", "defaultInputModes", "defaultOutputModes")
    same += ("provider", "documentationUrl", "iconUrl", "signatures")
    first, *more = [one for one in found["supportedInterfaces"] if one["protocolVersion"] == V03]
    old: dict[str, Json] = {name: found[name] for name in same if name in found}
    old |= {
        "protocolVersion": "0.3.0",
        "url": first["url"],
        "preferredTransport": first["protocolBinding"],
        "capabilities": {
            name: value for name, value in found["capabilities"].items() if name != "extendedAgentCard"
        },
        "skills": [_skill_v03(skill) for skill in found["skills"]],
    }
    if more:
        old["additionalInterfaces"] = [
            {"url": one["url"], "transport": one["protocolBinding"]} for one in more
        ]
    if found["capabilities"].get("extendedAgentCard"):
        old["supportsAuthenticatedExtendedCard"] = True
    if "securitySchemes" in found:
        old["securitySchemes"] = {name: _scheme_v03(one) for name, one in found["securitySchemes"].items()}
    if "securityRequirements" in found:
        old["security"] = _security_v03(found["securityRequirements"])
    return old


def _skill_v03(skill: dict[str, Json]) -> dict[str, Json]:
    old = {name: value for name, value in skill.items() if name != "securityRequirements"}
    if "securityRequirements" in skill:
        old["security"] = _security_v03(skill["securityRequirements"])
    return old


def _security_v03(requirements: list[Json]) -> list[Json]:
    return [
        {name: scopes.get("list", []) for name, scopes in one.get("schemes", {}).items()}
        for one in requirements
    ]


_SCHEMES_V03 = {
    "apiKeySecurityScheme": "apiKey",
    "httpAuthSecurityScheme": "http",
    "oauth2SecurityScheme": "oauth2",
    "openIdConnectSecurityScheme": "openIdConnect",
    "mtlsSecurityScheme": "mutualTLS",
}


def _scheme_v03(found: dict[str, Json]) -> dict[str, Json]:
    for member, kind in _SCHEMES_V03.items():
        if member in found:
            scheme = {"in" if name == "location" else name: value for name, value in found[member].items()}
            return {"type": kind, **scheme}
    return {}


def _merged(new: Json, old: Json) -> Json:
    """Return `new` with what only `old` has; where both have a value, the new one stays."""
    if isinstance(new, dict) and isinstance(old, dict):
        return {name: _merged(new[name], old[name]) if name in old else new[name] for name in new} | {
            name: value for name, value in old.items() if name not in new
        }
    if isinstance(new, list) and isinstance(old, list) and len(new) == len(old):
        return [_merged(one, other) for one, other in zip(new, old, strict=True)]
    return new
