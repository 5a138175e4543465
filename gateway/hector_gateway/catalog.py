"""`/.well-known/ai-catalog.json`: the agents as an AI Catalog, for those who collect such lists."""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from hector.agent.v1 import Agent

from .addresses import is_loopback
from .public import Public

CATALOG = b"application/ai-catalog+json"
CARD = "application/a2a-agent-card+json"


def catalog_of(agents: Iterable[Agent], public: Public) -> dict[str, object]:
    """Return the catalog of these agents. Each entry leads to a card, which says the rest."""
    return {"specVersion": "1.0", "entries": [_entry(agent, public) for agent in agents]}


def card_url(agent: Agent, public: Public) -> str:
    """Return where an agent's card is."""
    return f"{public.url_of(agent)}/.well-known/agent-card.json"


def _entry(agent: Agent, public: Public) -> dict[str, object]:
    return {
        "identifier": _identifier(agent, public),
        "displayName": agent.title or agent.name,
        "type": CARD,
        "mediaType": CARD,  # what `type` was called before
        "url": card_url(agent, public),
    }


def _identifier(agent: Agent, public: Public) -> str:
    """Return a name that is the agent's in every catalog; its URL where the server has no domain."""
    host = urlsplit(public.url).hostname or ""
    return public.url_of(agent) if not _is_domain(host) else f"urn:air:{host}:agent:{agent.name}"


def _is_domain(host: str) -> bool:
    if "." not in host or is_loopback(host):
        return False
    try:
        ip_address(host)
    except ValueError:
        return True
    return False
