"""The mesh's own contracts on the public gRPC port, and A2A 0.3: one method forwarded like the other."""

import time
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc.aio import AioRpcError

import hector_a2a as a2a
from hector.agent.v1 import GetAgentRequest, GetAgentResponse, ListAgentsResponse
from hector_a2a import complete, v03_grpc
from hector_a2a.parameters import EXTENSIONS, NAMES, OLD_EXTENSIONS, Pairs, extensions_in
from hector_mesh import Call, Mesh, Principal, Server, info_of, scope, streaming

from .capabilities import EXTENDED_CARD, Offer
from .cards import Cards
from .config import ServerConfig
from .directory import Directory, visible
from .edge import Edge, Handler, Stream, Unary, Visit
from .errors import BodyTooLarge, Stopping
from .in_flight import InFlight
from .methods import methods_of
from .operations import STREAM_S
from .push import OLD_VERSION, wants_push
from .request_limits import check_message
from .skills import shown_to
from .spoken import Spoken, spoken, spoken_v03
from .versions import Version, check, said


class Forwarder:
    """Serves contracts of the mesh by calling them through it, as the caller and nobody else."""

    def __init__(
        self,
        services: Sequence[ServiceDescriptor],
        mesh: Mesh,
        *,
        edge: Edge,
        directory: Directory,
        in_flight: InFlight,
        server: ServerConfig,
        cards: Cards,
        revision: str = "",
    ) -> None:
        self.revision, self._cards = revision, cards
        self._services: dict[str, dict[str, Spoken]] = {}
        for service in services:
            methods = methods_of(service, mesh)
            self._services[service.full_name] = spoken(methods, service.full_name, self._check_size)
            if service.full_name == a2a.SERVICE:
                self._services[v03_grpc.SERVICE] = spoken_v03(methods, self._check_size)
        self._edge, self._directory, self._in_flight, self.server = edge, directory, in_flight, server

    def _check_size(self, request: Any, size_bytes: int) -> None:
        check_message(request, size_bytes, self.server.limits)

    def register(self, server: Server) -> None:
        """Add every method to a server, as generated code does."""
        for service, methods in self._services.items():
            handlers = {name: self._handler(one) for name, one in methods.items()}
            if service == v03_grpc.SERVICE:
                handlers |= self._special_v03(methods)
            elif service == a2a.SERVICE:
                card = methods[EXTENDED_CARD]
                behavior = self._edge.unary(self._extended_card(card), card.method.name, card.wording)
                handlers[card.method.name] = grpc.unary_unary_rpc_method_handler(behavior)
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
            server.add_registered_method_handlers(service, handlers)

    def _handler(self, one: Spoken) -> Handler:
        # Without coders: what cannot be read is answered in our words, and what is too large is not parsed.
        if one.method.streams:
            behavior = self._edge.stream(self._stream(one), one.method.name, one.wording)
            return grpc.unary_stream_rpc_method_handler(behavior)
        return grpc.unary_unary_rpc_method_handler(
            self._edge.unary(self._unary(one), one.method.name, one.wording)
        )

    def _special_v03(self, methods: Mapping[str, Spoken]) -> dict[str, Handler]:
        """Return the methods of A2A 0.3 that do more than their twins in 1.0."""
        subscription = self._subscription(methods["TaskSubscription"], methods["GetTask"])
        card, wording = v03_grpc.CARD_METHOD, v03_grpc.worded
        return {
            "TaskSubscription": grpc.unary_stream_rpc_method_handler(
                self._edge.stream(subscription, "SubscribeToTask", wording)
            ),
            card: grpc.unary_unary_rpc_method_handler(self._edge.unary(self._card, card, wording)),
        }

    def _unary(self, one: Spoken) -> Unary:
        async def unary(wire: bytes, visit: Visit) -> bytes:
            with scope(_call(visit, self.server.request_timeout, self.revision)):
                request = await self._prepared(one, wire, visit)
                caller = visit.caller if isinstance(request, a2a.SendMessageRequest) else None
                if caller is not None:
                    self._in_flight.admit_send(caller)
                rpc = one.method.call(request, metadata=beside(one, request, visit))
                try:
                    with self._in_flight.counted(rpc, streams=False, caller=caller):
                        return one.write(_seen_from_outside(await rpc, visit.principal))
                except CancelledError:
                    if caller is None or not self._in_flight.ended_by_us():
                        raise
                    raise Stopping(request.message.task_id) from None

        return unary

    def _stream(self, one: Spoken) -> Stream:
        write = one.rewritten

        async def stream(wire: bytes, visit: Visit) -> AsyncGenerator[bytes, None]:
            with scope(_call(visit, STREAM_S, self.revision)):
                request = await self._prepared(one, wire, visit)
                self._in_flight.admit_stream(visit.caller)
                rpc = one.method.wire(request, metadata=beside(one, request, visit))
                del request, wire  # a stream that waits would keep them
                with self._in_flight.counted(rpc, streams=True, caller=visit.caller):
                    async with streaming(rpc):
                        async for message in rpc:
                            yield message if write is None else write(message)

        return stream

    def _subscription(self, one: Spoken, get: Spoken) -> Stream:
        """Show a task that is over, too: so says the contract of 0.3, and 1.0 refuses it."""
        follow, fetch = self._stream(one), self._unary(get)

        async def stream(wire: bytes, visit: Visit) -> AsyncGenerator[bytes, None]:
            try:
                async with aclosing(follow(wire, visit)) as events:
                    async for event in events:
                        yield event
            except AioRpcError as error:
                told = info_of(error)
                if told.reason != a2a.UnsupportedOperation.reason or "cause" in told.metadata:
                    raise
                yield v03_grpc.event_of_task(
                    await fetch(wire, visit)
                )  # both requests have a name, and no more

        return stream

    def _extended_card(self, one: Spoken) -> Unary:
        async def unary(wire: bytes, visit: Visit) -> bytes:
            with scope(_call(visit, self.server.request_timeout, self.revision)):
                request = await self._prepared(one, wire, visit)
                agent = await self._directory.agent(request.tenant, visit.principal)
            return one.write(self._cards.extended(agent, visit.principal))

        return unary

    async def _offer(self, name: str, one: Spoken, visit: Visit) -> Offer:
        """Return what an agent offers, when this method in this version is a part of it."""
        agent = await self._directory.agent_or_gone(name, visit.principal)
        offer, version = self._cards.offers.of(agent), one.version or "1.0"
        visit.reply.agent, visit.reply.profile = agent.name, offer.errors
        check(version, offer.versions)
        check_version(one.service, version, visit.metadata, offer.versions)
        offer.check_method(one.method, version)
        wanted = extensions(visit)
        if wanted or offer.required:
            activated = ", ".join(offer.activated(wanted, one.method))
            names = (EXTENSIONS, OLD_EXTENSIONS) if version == "0.3" else (EXTENSIONS,)
            visit.reply.said = tuple((name, activated) for name in names if activated)
        return offer

    async def _card(self, wire: bytes, visit: Visit) -> bytes:
        with scope(_call(visit, self.server.request_timeout, self.revision)):
            agent = await self._directory.agent(_named(visit), visit.principal)
        offer = self._cards.offers.of(agent)
        visit.reply.agent, visit.reply.profile = agent.name, offer.errors
        check("0.3", offer.versions)
        check_version(v03_grpc.SERVICE, "0.3", visit.metadata, offer.versions)
        if offer.extended_card:  # 0.3 has one method here for both
            card = self._cards.extended(agent, visit.principal, "0.3")
        else:
            card = self._cards.public_card(agent)
        shown: bytes = v03_grpc.card_from_v1(card).SerializeToString()
        return shown

    async def _prepared(self, one: Spoken, wire: bytes, visit: Visit) -> Any:
        """Return what the caller asks, when it may, with the agent that it means."""
        limit = self.server.limits.max_body_size
        if len(wire) > limit:
            raise BodyTooLarge(limit)
        if one.version is not None:
            if one.version == "0.3":  # it has no tenant, and what is not offered need not be read
                offer = await self._offer(_named(visit), one, visit)
                request = one.read(wire)
            else:
                request = one.read(wire)
                offer = await self._offer(_named(visit, request.tenant), one, visit)
            complete.check(request)
            offer.check_request(request)
            request.tenant = offer.agent.name
            return request
        request = one.read(wire)
        if isinstance(request, GetAgentRequest):
            found = await self._directory.agent(request.agent, visit.principal)
            request.agent = visit.reply.agent = found.name
        return request


def _named(visit: Visit, tenant: str = "") -> str:
    """Return the agent that a call means, by its tenant or its metadata; empty: the default one."""
    tenant = tenant.removeprefix("default/")
    name = str(visit.metadata.get("agent-name", "")).removeprefix("default/")
    if tenant and name and tenant != name:
        raise a2a.InvalidParams({"tenant": f"agent-name says {name[:200]!r}; leave one out, or say the same"})
    return tenant or name


def beside(one: Spoken, request: Any, visit: Visit) -> Pairs | None:
    """Return what the mesh carries beside a request; None: nothing."""
    if one.version == "0.3" and wants_push(request):
        return (*(parameters(visit) or ()), OLD_VERSION)
    return parameters(visit)


def parameters(visit: Visit) -> Pairs | None:
    """Return what a caller says beside its request, as the mesh carries it; None: nothing."""
    said = visit.metadata
    if said.keys().isdisjoint(NAMES):
        return None
    return tuple((name, text) for name in NAMES if isinstance(text := said.get(name), str))


def extensions(visit: Visit) -> tuple[str, ...]:
    """Return the URIs of the extensions that a caller names."""
    found = (visit.metadata.get(name, "") for name in (EXTENSIONS, OLD_EXTENSIONS))
    return tuple(extensions_in(*(text for text in found if isinstance(text, str) and text)))


def _call(visit: Visit, patience_s: float, revision: str) -> Call:
    wait_s = patience_s if visit.time_left_s is None else min(patience_s, visit.time_left_s)
    return Call(
        principal=visit.principal,
        deadline=time.monotonic() + wait_s,
        traceparent=visit.traceparent,
        request_id=visit.request_id,
        revision=revision,
    )


def _seen_from_outside(answer: Any, principal: Principal) -> Any:
    if isinstance(answer, ListAgentsResponse):
        agents = [shown_to(principal, agent) for agent in visible(principal, answer.agents)]
        return ListAgentsResponse(agents=agents, next_page_token=answer.next_page_token)
    if isinstance(answer, GetAgentResponse):
        return GetAgentResponse(agent=shown_to(principal, answer.agent))
    return answer


def check_version(
    service: str, version: Version, metadata: Mapping[str, str | bytes], served: Sequence[Version]
) -> None:
    """Let a call pass that says what its package says, or nothing.

    Raises:
        VersionNotSupported: It says another one.
    """
    found = said(str(metadata.get("a2a-version", "")), served) or version
    if found != version:
        message = f"{service} is A2A {version}, and a2a-version says {found}; leave it out, or say {version}"
        raise a2a.VersionNotSupported(message, found=found, supported=served)
