"""Agent cards and the lists of agents."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from grpc import StatusCode

import hector_a2a as a2a
from hector.agent.v1 import VISIBILITY_INTERNAL, Agent, Visibility
from hector_a2a.card import V03, Offered, View, card_json, card_of
from hector_mesh import HectorError, Principal

from .a2a_config import A2AConfig
from .access import Access
from .caching import cacheable
from .capabilities import Offers
from .catalog import CATALOG, card_url, catalog_of
from .directory import Directory
from .errors import NoSuchAgent, NothingHere
from .exchange import Exchange
from .public import Public
from .signing import Signer, signer_of
from .skills import shown_to, shown_to_all
from .versions import Version, said

MAX_AGE_S = 60
"""How long a card may be kept without asking again."""

PRIVATE = (b"cache-control", b"private, no-store")
"""Said with an extended card: the next caller's is another one."""


class NobodyToShow(HectorError):
    """Extended cards are for authenticated callers, and there are none."""

    code, reason = StatusCode.FAILED_PRECONDITION, "EXTENDED_CARD_WITHOUT_AUTH"

    def __init__(self) -> None:
        super().__init__(
            "server.a2a.extended_card: only authenticated callers get the extended card, and this server "
            "asks nobody for a credential; configure server.auth, or leave extended_card out"
        )


@dataclass(frozen=True, slots=True)
class _Made:
    """A card as it was last sent."""

    source: bytes
    """The agent it was made of."""
    public: Public
    edition: int
    """Of the config of cards."""
    body: bytes
    since: float


class Cards:
    """Serves what agents say of themselves."""

    def __init__(
        self,
        directory: Directory,
        access: Access,
        public: Callable[[], Public],
        config: A2AConfig,
    ) -> None:
        """Read the keys that cards are signed with, if there are any.

        Args:
            directory: Knows the agents.
            access: Knows who must show a credential.
            public: Returns where the server is for clients; asked when a card is.
            config: What agents offer, and what cards are to be.

        Raises:
            KeyUnusable: One of them cannot be used.
            NobodyToShow: Extended cards are configured, and callers are not asked for credentials.
        """
        self._directory, self._access, self._public = directory, access, public
        self._edition = 0
        self._signer: Signer | None = None
        self._usual: View = "both"
        self._made: dict[tuple[str, View], _Made] = {}
        self.offers = Offers(config, authenticates=access.required)
        """Knows what each agent offers."""
        self.prepared(config)()

    def prepared(self, config: A2AConfig) -> Callable[[], None]:
        """Check a config and read its keys, and return what puts it into effect.

        Raises:
            KeyUnusable: A key cannot be used.
            NobodyToShow: Extended cards are configured, and callers are not asked for credentials.
        """
        if config.extended_card and not self._access.required:
            raise NobodyToShow
        signer = signer_of(config.signing)

        def commit() -> None:
            self.offers, self._signer = Offers(config, authenticates=self._access.required), signer
            self._usual = "both" if config.card == "dual" else config.card
            self._edition += 1

        return commit

    async def card(self, exchange: Exchange, principal: Principal, name: str) -> None:
        """Answer with an agent's card; without a version asked for, in the form that is configured.

        Raises:
            Unauthenticated: Nobody may know whether there is such an agent.
            NoSuchAgent: There is none that the caller may see.
            VersionNotSupported: The client wants the card of another version.
        """
        time_s = exchange.time_s
        try:
            agent = await self._directory.agent(name, principal)
        except NoSuchAgent:
            self._access.admit(principal)
            raise
        versions = self.offers.of(agent).versions
        usual = self._usual if self._usual in versions else "both"
        wanted = exchange.version_said()
        view: View = said(wanted, versions) or usual
        made = self._card(agent, view, time_s)
        shared = b"private" if agent.visibility == VISIBILITY_INTERNAL else b"public"
        await cacheable(exchange, made.body, b"%s, max-age=%d" % (shared, MAX_AGE_S), modified=made.since)

    def public_card(self, agent: Agent) -> a2a.AgentCard:
        """Return the card that everybody sees who sees the agent, in both versions and without signatures."""
        return self._of(shown_to_all(agent))

    def extended(self, agent: Agent, principal: Principal, version: Version = "1.0") -> a2a.AgentCard:
        """Return an agent's card with what only this caller sees.

        In 0.3 it is what `card.card_v03` makes of it that is signed.

        Whether the agent has one is `Offer.check_method`'s to say.

        Raises:
            Unauthenticated: The caller shows no credential.
        """
        self._access.admit(principal)
        card = self._of(shown_to(principal, agent))
        if version != V03:
            kept = [one for one in card.supported_interfaces if one.protocol_version != V03]
            del card.supported_interfaces[:]
            card.supported_interfaces.extend(kept)
        if self._signer is not None:
            for found in self._signer.signatures_of(card_json(card, version)):
                card.signatures.add(**found)
        return card

    async def list(self, exchange: Exchange, principal: Principal) -> None:
        """Answer with the agents that the caller may see."""
        agents = await self._directory.visible(principal)
        found = {"agents": [self._entry(agent) for agent in agents]}
        await cacheable(exchange, _sorted(found), b"private, no-cache")

    async def catalog(self, exchange: Exchange, principal: Principal) -> None:
        """Answer with the same as an AI Catalog. Like public cards, it is for everybody."""
        agents = await self._directory.visible(principal)
        shared = b"private" if principal.id else b"public"
        control = b"%s, max-age=%d" % (shared, MAX_AGE_S)
        await cacheable(exchange, _sorted(catalog_of(agents, self._public())), control, kind=CATALOG)

    async def keys(self, exchange: Exchange) -> None:
        """Answer with the public parts of the keys that sign cards.

        Raises:
            NothingHere: Cards are not signed.
        """
        if self._signer is None:
            raise NothingHere(exchange.path)
        control = b"public, max-age=%d" % MAX_AGE_S
        await cacheable(exchange, self._signer.jwks, control, kind=b"application/jwk-set+json")

    def _card(self, agent: Agent, view: View, time_s: float) -> _Made:
        """Return a public card, made anew when the agent has changed."""
        source, public = agent.SerializeToString(deterministic=True), self._public()
        known = self._made.get((agent.name, view))
        made_of = (source, public, self._edition)
        if known is not None and (known.source, known.public, known.edition) == made_of:
            return known
        found: dict[str, Any] = card_json(self.public_card(agent), view)
        if self._signer is not None:
            found["signatures"] = self._signer.signatures_of(found)
        body = _sorted(found)
        made = _Made(*made_of, body, known.since if known is not None and known.body == body else time_s)
        self._made[agent.name, view] = made
        return made

    def _of(self, agent: Agent) -> a2a.AgentCard:
        public, offer = self._public(), self.offers.of(agent)
        offered = Offered(
            streaming=offer.streaming,
            push_notifications=offer.push_notifications,
            extended_card=offer.extended_card,
            extensions=offer.extensions,
            versions=offer.versions,
            preferred=offer.preferred,
            input_modes=offer.reads.shown,
            output_modes=offer.writes.shown,
            provider=offer.provider,
        )
        return card_of(
            agent,
            offered,
            url=public.url_of(agent),
            version=public.version,
            grpc_address=public.grpc_address,
            authenticated=public.authenticates,
        )

    def _entry(self, agent: Agent) -> dict[str, object]:
        return {
            "name": agent.name,
            "title": agent.title or agent.name,
            "description": agent.description,
            "type": agent.type,
            "visibility": Visibility.Name(agent.visibility).removeprefix("VISIBILITY_").lower(),
            "streaming": self.offers.of(agent).streaming,
            "default": agent.default,
            "url": self._public().url_of(agent),
            "cardUrl": card_url(agent, self._public()),
        }


def _sorted(found: object) -> bytes:
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)
