"""Agent cards and the list of agents."""

import hashlib

import orjson

from hector.agent.v1 import VISIBILITY_INTERNAL, Agent, Visibility
from hector_a2a.card import View, card_json, card_of
from hector_mesh import Principal

from .access import Access
from .directory import Directory
from .errors import NoSuchAgent
from .exchange import JSON, Exchange
from .public import Public
from .versions import said

MAX_AGE_S = 60
"""How long a card may be kept without asking again."""


class Cards:
    """Serves what agents say of themselves."""

    def __init__(self, directory: Directory, access: Access, public: Public) -> None:
        self._directory, self._access, self._public = directory, access, public

    async def card(self, exchange: Exchange, principal: Principal, name: str) -> None:
        """Answer with an agent's card; without a version asked for, in A2A 1.0 and 0.3 at once.

        Raises:
            Unauthenticated: Nobody may know whether there is such an agent.
            NoSuchAgent: There is none that the caller may see.
            VersionNotSupported: The client wants the card of another version.
        """
        try:
            agent = await self._directory.agent(name, principal)
        except NoSuchAgent:
            self._access.admit(principal)
            raise
        view: View = said(exchange.header(b"a2a-version") or exchange.query("A2A-Version")) or "both"
        card = card_of(
            agent,
            url=self._public.url_of(agent),
            version=self._public.version,
            grpc_address=self._public.grpc_address,
            authenticated=self._public.authenticates,
        )
        shared = b"private" if agent.visibility == VISIBILITY_INTERNAL else b"public"
        await cacheable(exchange, _sorted(card_json(card, view)), b"%s, max-age=%d" % (shared, MAX_AGE_S))

    async def list(self, exchange: Exchange, principal: Principal) -> None:
        """Answer with the agents that the caller may see."""
        agents = await self._directory.visible(principal)
        found = {"agents": [self._entry(agent) for agent in agents]}
        await cacheable(exchange, _sorted(found), b"private, no-cache")

    def _entry(self, agent: Agent) -> dict[str, object]:
        url = self._public.url_of(agent)
        return {
            "name": agent.name,
            "title": agent.title or agent.name,
            "description": agent.description,
            "type": agent.type,
            "visibility": Visibility.Name(agent.visibility).removeprefix("VISIBILITY_").lower(),
            "streaming": agent.streaming,
            "default": agent.default,
            "url": url,
            "cardUrl": f"{url}/.well-known/agent-card.json",
        }


def _sorted(found: object) -> bytes:
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


async def cacheable(exchange: Exchange, body: bytes, control: bytes, *, kind: bytes = JSON) -> None:
    """Answer with a body and its ETag, or with 304 where the client has it already."""
    tag = b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
    headers = ((b"etag", tag), (b"cache-control", control), (b"vary", b"A2A-Version, Authorization"))
    if _matches(exchange.header(b"if-none-match"), tag.decode()):
        await exchange.reply(304, b"", kind=b"", headers=headers)
    else:
        await exchange.reply(200, body, kind=kind, headers=headers)


def _matches(header: str | None, tag: str) -> bool:
    known = [one.strip().removeprefix("W/") for one in header.split(",")] if header else []
    return tag in known or "*" in known
