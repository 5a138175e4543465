"""The HTTP server as an ASGI application: which path leads where."""

from enum import Enum

from grpc.aio import AioRpcError

from hector_a2a.codes import Profile, codes_of
from hector_mesh import Call, HectorError, scope

from .access import Access
from .cards import Cards
from .errors import NothingHere, Refusal, WrongVerb
from .exchange import ClientLeft, Exchange, Receive, Scope, Send
from .faults import http_error, is_lost, public, unexpected
from .probes import Probes
from .rpc import JsonRpc

READ = ("GET", "HEAD")


class App:
    """Finds who serves a request, by its path; no framework in between."""

    def __init__(self, access: Access, probes: Probes, cards: Cards, rpc: JsonRpc, profile: Profile) -> None:
        self._access, self._cards, self._rpc, self._profile = access, cards, rpc, profile
        self._probes = {"/live": probes.live, "/ready": probes.ready, "/health": probes.health}

    async def __call__(self, asgi: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request, as ASGI asks for it."""
        if asgi["type"] != "http":
            return
        exchange = Exchange(asgi, receive, send)
        try:
            probe = self._probes.get(exchange.path)
            if probe is not None:
                _check_verb(exchange, READ)
                await probe(exchange)
            else:
                await self._serve(exchange)
        except ClientLeft:
            pass
        except (HectorError, AioRpcError) as error:
            status = public(error, exchange.request_id)
            http = error.status if isinstance(error, Refusal) else codes_of(status, self._profile).http
            headers = error.headers if isinstance(error, Refusal) else ()
            await exchange.reply_json(http, http_error(status, exchange.request_id, http), headers)
        except BaseException as error:
            if is_lost(error) or exchange.started:
                raise
            status = unexpected(error, exchange.request_id)
            await exchange.reply_json(500, http_error(status, exchange.request_id, 500))

    async def _serve(self, exchange: Exchange) -> None:
        host, origin = exchange.header(b"host"), exchange.header(b"origin")
        self._access.check_origin(host, origin)
        shown, from_here = exchange.header(b"authorization"), exchange.from_here
        principal = self._access.caller(shown, from_here=from_here)
        what, name, lenient = target_of(exchange.path)
        if what is Target.NOTHING:
            self._access.admit(principal)
            raise NothingHere(exchange.path)
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
            else:
                await self._cards.card(exchange, principal, name)


class Target(Enum):
    """What a path leads to."""

    NOTHING = 0
    ROOT = 1
    LIST = 2
    AGENT = 3
    CARD = 4


VERBS = {
    Target.ROOT: ("POST",),
    Target.LIST: READ,
    Target.AGENT: (*READ, "POST"),
    Target.CARD: READ,
}


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
    return Target.NOTHING, "", False


def _check_verb(exchange: Exchange, allowed: tuple[str, ...]) -> None:
    if exchange.verb not in allowed:
        raise WrongVerb(exchange.verb, allowed)
