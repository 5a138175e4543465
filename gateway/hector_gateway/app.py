"""What answers at an HTTP port: which path leads where."""

from collections.abc import Mapping
from enum import Enum
from time import perf_counter
from typing import Protocol

from grpc.aio import AioRpcError

from hector_a2a.codes import Profile, codes_of
from hector_mesh import Call, HectorError, Principal, metrics, scope

from .access import Access
from .cards import Cards
from .config_pages import ConfigPages
from .cors import Cors
from .cors_config import CorsConfig
from .cycle import CLOSE
from .errors import Headers, NoHost, NotForYou, NothingHere, Refusal, WrongVerb
from .exchange import ClientLeft, Exchange
from .faults import is_lost, public, reason_in, retry_headers, unexpected
from .history_pages import HistoryPages
from .measuring import http_served
from .probes import Probes
from .push_pages import PushPages
from .rest import Rest, error_of
from .rpc import JsonRpc
from .session_pages import SessionPages

READ = ("GET", "HEAD")
WATCHERS = frozenset({"viewer", "operator", "admin"})
"""Roles that may read metrics."""


class Pages(Protocol):
    """What answers at some paths of its own."""

    def has(self, path: str) -> bool:
        """Say whether a path is one of these."""

    async def serve(self, exchange: Exchange, principal: Principal) -> None:
        """Answer one request."""


class App:
    """Finds who serves a request, by its path; no framework in between."""

    def __init__(
        self,
        access: Access,
        probes: Probes,
        cards: Cards,
        rpc: JsonRpc,
        rest: Rest,
        *,
        pages: ConfigPages | None = None,
        deliveries: PushPages | None = None,
        sessions: SessionPages | None = None,
        history: HistoryPages | None = None,
        others: Mapping[str, Pages] | None = None,
        cors: Cors | None = None,
        always: Headers = (),
    ) -> None:
        """Put together what serves.

        Args:
            access: Who may call.
            probes: Says how the server is.
            cards: Shows agents.
            rpc: Answers A2A over JSON-RPC.
            rest: Answers A2A over HTTP+JSON.
            pages: Shows the config; None: nobody may see it here.
            deliveries: Shows how push notifications are; None: nobody may see it here.
            sessions: Shows callers their sessions and artifacts; None: nobody may see them here.
            history: Erases users, and keeps what is pinned; None: nobody may ask for it here.
            others: What else there is, by what requests of it are called where they are counted.
            cors: Which pages may call; None: none.
            always: Headers of every answer.
        """
        self._access, self._cards, self._health = access, cards, probes
        self._rpc, self._rest = rpc, rest
        self._pages, self._deliveries, self._sessions = pages, deliveries, sessions
        self._history, self._others = history, others or {}
        self._cors, self._always = cors or Cors(CorsConfig()), always
        self._metrics = metrics.path()
        self._probes = {"/live": probes.live, "/ready": probes.ready, "/health": probes.health}

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one request."""
        begun = perf_counter()
        exchange.look()
        exchange.more_headers = self._always
        if self._cors.is_on:
            exchange.more_headers += self._cors.headers(exchange.header(b"origin"))
        if self._health.stopping:  # who asks again asks elsewhere
            exchange.more_headers = (*exchange.more_headers, CLOSE)
        try:
            probe = self._probes.get(exchange.path)
            if b"host" not in exchange.said and exchange.http_version == "1.1":
                raise NoHost
            if self._cors.is_on and self._cors.is_preflight(exchange):
                exchange.what = "preflight"
                await self._cors.answer(exchange)
            elif probe is not None:
                exchange.what = exchange.path[1:]
                _check_verb(exchange, READ)
                await probe(exchange)
            else:
                await self._serve(exchange)
        except ClientLeft:
            pass
        except (HectorError, AioRpcError) as error:
            status = public(error, exchange.request_id)
            exchange.reason = reason_in(status)
            http = (
                error.status
                if isinstance(error, Refusal)
                else codes_of(status, self._profile_for(exchange)).http
            )
            headers = error.headers if isinstance(error, Refusal) else ()
            headers = (*headers, *retry_headers(status))
            await exchange.reply_json(http, error_of(status, exchange, http), headers)
        except BaseException as error:
            if is_lost(error) or exchange.started:
                raise
            status = unexpected(error, exchange.request_id)
            exchange.reason = reason_in(status)
            await exchange.reply_json(500, error_of(status, exchange, 500))
        finally:
            http_served(exchange, begun)

    def _profile_for(self, exchange: Exchange) -> Profile:
        return exchange.profile or self._cards.offers.errors

    async def _serve(self, exchange: Exchange) -> None:
        said = exchange.said
        origin = exchange.header(b"origin") if b"origin" in said else None
        if origin is not None and self._cors.allows(origin):
            origin = None
        self._access.check_origin(exchange.header(b"host"), origin)
        shown = exchange.header(b"authorization") if b"authorization" in said else None
        principal = exchange.principal = self._access.caller(shown, from_here=exchange.from_here)
        if self._metrics and exchange.path == self._metrics:
            await self._show_metrics(exchange, principal)
            return
        name = agent_in(exchange.path)
        if name and exchange.verb == "POST":  # as most are
            exchange.what = "agent"
            self._access.admit(principal)
            await self._rpc.serve(exchange, principal, name, lenient=False)
            return
        if not exchange.path.startswith("/agents/") and await self._shown(exchange, principal):
            return
        what, name, lenient = target_of(exchange.path)
        if what is Target.NOTHING:
            self._access.admit(principal)
            door = self._rest.door(exchange)
            if door is None:
                raise NothingHere(exchange.path)
            await self._rest.serve(exchange, principal, door)
            return
        exchange.what = what.name.lower()
        _check_verb(exchange, VERBS[what])
        if exchange.verb == "POST":
            self._access.admit(principal)
            await self._rpc.serve(exchange, principal, name, lenient=lenient)
            return
        call = Call(principal=principal, traceparent=exchange.traceparent, request_id=exchange.request_id)
        with scope(call):
            if what is Target.LIST:
                self._access.admit(principal)
                await self._cards.list(exchange, principal)
            elif what is Target.CATALOG:
                await self._cards.catalog(exchange, principal)
            elif what is Target.KEYS:
                await self._cards.keys(exchange)
            else:
                await self._cards.card(exchange, principal, name)

    async def _shown(self, exchange: Exchange, principal: Principal) -> bool:
        """Serve what is no A2A; false: it is none of that."""
        if self._pages is not None and self._pages.has(exchange.path):
            exchange.what = "config"
            _check_verb(exchange, READ)
            await self._pages.serve(exchange, principal)
            return True
        if self._deliveries is not None and self._deliveries.has(exchange.path):
            exchange.what = "push"
            await self._deliveries.serve(exchange, principal)
            return True
        if self._sessions is not None and self._sessions.has(exchange.path):
            exchange.what = "session"
            await self._sessions.serve(exchange, principal)
            return True
        if self._history is not None and self._history.has(exchange.path):
            exchange.what = "history"
            await self._history.serve(exchange, principal)
            return True
        for kind, pages in self._others.items():
            if pages.has(exchange.path):
                exchange.what = kind
                await pages.serve(exchange, principal)
                return True
        return False

    async def _show_metrics(self, exchange: Exchange, principal: Principal) -> None:
        exchange.what = "metrics"
        _check_verb(exchange, READ)
        self._access.admit(principal)
        if self._access.required and not principal.roles & WATCHERS:
            raise NotForYou("reading metrics", "viewer")
        kind, page = await metrics.whole_page(exchange.header(b"accept") or "") or (b"text/plain", b"")
        await exchange.reply(200, page, kind=kind)


class Target(Enum):
    """What a path leads to."""

    NOTHING = 0
    ROOT = 1
    LIST = 2
    AGENT = 3
    CARD = 4
    CATALOG = 5
    KEYS = 6


VERBS = {
    Target.ROOT: ("POST",),
    Target.LIST: READ,
    Target.AGENT: (*READ, "POST"),
    Target.CARD: READ,
    Target.CATALOG: READ,
    Target.KEYS: READ,
}


def agent_in(path: str) -> str:
    """Return the agent whose own path it is; empty: it is another path."""
    return path[8:] if path.startswith("/agents/") and path.count("/") == 2 else ""


def target_of(path: str) -> tuple[Target, str, bool]:
    """Return what a path leads to, which agent it names, and whether it is the old door."""
    steps = path.removesuffix("/").split("/")[1:]
    old_door = steps[:2] == ["v1", "agents"]
    match steps[1:] if old_door else steps:
        case []:
            return Target.ROOT, "", False
        case ["agents"]:
            return Target.LIST, "", old_door
        case ["agents", name] if name:
            return Target.AGENT, name, old_door
        case ["agents", name, ".well-known", "agent-card.json"] if name:
            return Target.CARD, name, old_door
        case [".well-known", "agent-card.json"]:
            return Target.CARD, "", False
        case [".well-known", "ai-catalog.json"]:
            return Target.CATALOG, "", False
        case [".well-known", "jwks.json"]:
            return Target.KEYS, "", False
    return Target.NOTHING, "", False


def _check_verb(exchange: Exchange, allowed: tuple[str, ...]) -> None:
    if exchange.verb not in allowed:
        raise WrongVerb(exchange.verb, allowed)
