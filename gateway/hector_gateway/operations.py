"""A2A's operations for clients over HTTP: which agent is meant, what it may be asked, and the call itself."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import hector_a2a as a2a
from hector.agent.v1 import Agent
from hector_a2a.json_in import from_json
from hector_a2a.parameters import EXTENSIONS, OLD_EXTENSIONS, Pairs
from hector_mesh import Call, Principal, scope

from .capabilities import EXTENDED_CARD, Offer, Offers
from .cards import PRIVATE, Cards
from .config import ServerConfig
from .directory import Directory
from .errors import Headers, NotJson, Stopping
from .event_stream import EventStream
from .exchange import JSON, Exchange
from .faults import Failure
from .in_flight import InFlight
from .methods import Method
from .pieces import PLACE
from .push import OLD_VERSION, wants_push
from .spelling import Spellings
from .versions import Version, check

POLLED = "GetTask"
"""What clients ask for again and again until it has changed: it is spelled once."""

FORM = "application/x-www-form-urlencoded"
"""What `curl -d` calls everything."""

STREAM_S = 7 * 86400.0
"""A stream may take as long as its task; heartbeats find the clients that are gone."""


@dataclass(slots=True)
class Asked:
    """What one client asks of which agent, and how it wants to be spoken to."""

    method: Method
    message: Any
    """Its request; None once it is on its way and the answer a stream, which can take days."""
    version: Version
    agent: Agent
    offer: Offer


class Operations:
    """What JSON-RPC and HTTP+JSON have in common, which is everything but how it looks."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        directory: Directory,
        server: ServerConfig,
        in_flight: InFlight,
        cards: Cards,
        *,
        revision: str = "",
    ) -> None:
        self.methods, self.server, self.revision = methods, server, revision
        self._directory, self._in_flight = directory, in_flight
        self._cards = cards
        self.spellings = Spellings()

    def call_of(self, exchange: Exchange, principal: Principal) -> Call:
        """Return how a request enters the mesh."""
        return Call(
            principal=principal,
            deadline=time.monotonic() + self.server.request_timeout,
            traceparent=exchange.traceparent,
            request_id=exchange.request_id,
            revision=self.revision,
        )

    def known(self, name: str, principal: Principal) -> Agent | None:
        """Return an agent as `agent` does, where that can be told without asking anybody."""
        return self._directory.known(name, principal)

    async def agent(self, name: str, call: Call) -> Agent:
        """Return an agent that the caller may see, or has tasks of; "" is the default one.

        Raises:
            NoSuchAgent: There is none, or it is not for this caller.
        """
        known = self._directory.known(name, call.principal)
        if known is not None:
            return known
        with scope(call):
            return await self._directory.agent_or_gone(name, call.principal)

    async def body(self, exchange: Exchange) -> bytes:
        """Return what the client sent; raises as `Exchange.body` does."""
        limits = self.server.limits
        return await exchange.body(limits.max_body_size, within_s=limits.receive_timeout)

    @property
    def offers(self) -> Offers:
        """What agents offer."""
        return self._cards.offers

    def served(self, agent: Agent | None, exchange: Exchange) -> tuple[Version, ...]:
        """Return the versions to choose from; from here on errors have the codes that the agent likes."""
        if agent is None:
            return self.offers.versions
        offer = exchange.offer = self._cards.offers.of(agent)
        exchange.profile = offer.errors
        return offer.versions

    async def offered(
        self, method: Method, version: Version, exchange: Exchange, call: Call, agent: Agent | None
    ) -> Agent:
        """Return the agent that a request in 0.3 is for, when it offers that at all; None is the default one.

        Raises:
            A2AError: It does not.
            NoSuchAgent: As `agent` does.
        """
        if agent is None:
            agent = await self.agent("", call)
            check(version, self.served(agent, exchange))
        self.offers.of(agent).check_method(method, version)
        return agent

    async def named(self, params: dict[str, Any], version: Version, exchange: Exchange, call: Call) -> Agent:
        """Return the agent that parameters in A2A 1.0 name as their tenant, or the default one.

        Raises:
            NoSuchAgent: As `agent` does.
            VersionNotSupported: It does not speak the client's.
        """
        agent = await self.agent(_tenant(params), call)
        check(version, self.served(agent, exchange))
        return agent

    def asked(
        self, method: Method, version: Version, params: dict[str, Any], exchange: Exchange, agent: Agent
    ) -> Asked:
        """Return what parameters in A2A 1.0 ask of an agent.

        Args:
            method: Which operation.
            version: What the client speaks.
            params: Its message as JSON.
            exchange: Whom to answer; it is told which extensions are in use.
            agent: The one in the path, or else the one that is `named`.

        Raises:
            InvalidParams: They are no such message, or for another agent.
            A2AError: The agent does not offer that, or not without an extension.
        """
        if "tenant" in params and _tenant(params) not in ("", agent.name):
            raise a2a.InvalidParams(
                {"tenant": f"the path says {agent.name!r}; leave it out, or say the same"}
            )
        offer = exchange.offer
        if offer is None or offer.agent is not agent:
            offer = self.offers.of(agent)
        offer.check_method(method, version)
        wanted = exchange.extensions()
        if wanted or offer.required:
            activated = offer.activated(wanted, method)
            exchange.more_headers = (*exchange.more_headers, *echoed(activated, version))
        message: Any = from_json(params, method.request)
        message.tenant = agent.name
        offer.check_request(message)
        return Asked(method, message, version, agent, offer)

    async def called(self, asked: Asked, exchange: Exchange, call: Call) -> Any:
        """Return the answer of an operation that gives one.

        Raises:
            AioRpcError: It failed.
            ClientLeft: There is nobody to answer any more.
        """
        if asked.method.name == EXTENDED_CARD:
            exchange.more_headers = (*exchange.more_headers, PRIVATE)
            return self._cards.extended(asked.agent, call.principal, asked.version)
        in_flight, is_send = self._in_flight, isinstance(asked.message, a2a.SendMessageRequest)
        if is_send:
            in_flight.admit_send(exchange.caller)
        with scope(call):
            rpc = asked.method.call(asked.message, metadata=beside(asked, exchange))
            if not is_send:
                with in_flight.counted(rpc, streams=False):
                    return await rpc
            try:
                with in_flight.watched(exchange, rpc):
                    return await rpc
            except Stopping:
                raise Stopping(asked.message.message.task_id) from None

    async def polled(self, asked: Asked, exchange: Exchange, call: Call) -> bytes:
        """Return the answer of an operation that is asked again and again, as it travels.

        Raises:
            AioRpcError: It failed.
        """
        with scope(call):
            rpc = asked.method.wire(asked.message, metadata=beside(asked, exchange))
            with self._in_flight.counted(rpc, streams=False):
                found: bytes = await rpc
                return found

    async def stream(
        self,
        asked: Asked,
        exchange: Exchange,
        call: Call,
        *,
        show: Callable[[Iterable[bytes]], bytes],
        complain: Callable[[Failure], bytes],
    ) -> None:
        """Answer with an operation's stream; `show` makes events of messages, `complain` one of a failure.

        Raises:
            AioRpcError: It failed before its first message.
            ClientLeft: The client went, or read nothing for too long.
        """
        self._in_flight.admit_stream(exchange.caller)
        answer = EventStream(exchange, self._in_flight, self.server.limits, show=show, complain=complain)
        call.deadline = time.monotonic() + STREAM_S
        with scope(call):
            rpc = asked.method.wire(asked.message, metadata=beside(asked, exchange))
            asked.message = None
            await answer.follow(rpc)


def _tenant(params: dict[str, Any]) -> str:
    found = params.get("tenant")
    return found.removeprefix("default/") if isinstance(found, str) else ""


_NOTHING: Mapping[str, Any] = {}


def echoed(activated: Sequence[str], version: Version) -> Headers:
    """Return the headers that tell a client which extensions are in use."""
    if not activated:
        return ()
    names = (EXTENSIONS, OLD_EXTENSIONS) if version == "0.3" else (EXTENSIONS,)
    return tuple((name.encode(), ", ".join(activated).encode("latin-1", "replace")) for name in names)


def beside(asked: Asked, exchange: Exchange) -> Pairs | None:
    """Return what the mesh carries beside a request; None: nothing."""
    if asked.version == "0.3" and wants_push(asked.message):
        return (*exchange.parameters(), OLD_VERSION)
    return exchange.parameters() or None


def place_of(found: Mapping[str, Any]) -> str | None:
    """Return where an event stands in its task's log, if it says so."""
    for payload in found.values():
        place = payload.get("metadata", _NOTHING).get(PLACE)
        if isinstance(place, str) and (place.isdigit() or place.replace(".", "", 1).isdigit()):
            return place
        break
    return None


def check_content_type(exchange: Exchange, *, lenient: bool) -> None:
    """Let JSON pass, and where clients are forgiven much what does not say that it is.

    Raises:
        NotJson: The body is something else, or does not say what it is.
    """
    if exchange.said.get(b"content-type") == JSON:  # as most say
        return
    found = exchange.header(b"content-type") or ""
    kind = found.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return
    if lenient and (not kind or (kind == FORM and not is_from_page(exchange))):
        return
    raise NotJson(found)


def is_from_page(exchange: Exchange) -> bool:
    """Say whether a browser sends this for a web page: a page may post forms to wherever it likes."""
    return any(exchange.header(name) for name in (b"origin", b"sec-fetch-site"))
