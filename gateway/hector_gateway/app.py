"""The HTTP server as an ASGI application: which path leads where."""

from collections.abc import Awaitable, Callable

from grpc.aio import AioRpcError

from hector_a2a.codes import Profile, codes_of
from hector_mesh import Call, HectorError, Principal, scope

from .access import Access
from .cards import Cards
from .errors import NothingHere, Refusal, WrongVerb
from .exchange import ClientLeft, Exchange, Receive, Scope, Send
from .faults import http_error, is_lost, public, unexpected
from .probes import Probes
from .rpc import JsonRpc

READ = ("GET", "HEAD")

Serve = Callable[[Exchange, Principal], Awaitable[None]]
Verbs = tuple[str, ...]


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
        verbs = self._route(exchange.path)
        serve = verbs.get(exchange.verb)
        if serve is None:
            if not verbs:
                self._access.admit(principal)
                raise NothingHere(exchange.path)
            raise WrongVerb(exchange.verb, tuple(verbs))
        await serve(exchange, principal)

    def _route(self, path: str) -> dict[str, Serve]:
        """Return what can be done at a path, by verb."""
        steps = path.removesuffix("/").split("/")[1:]
        old_door = steps[:2] == ["v1", "agents"]
        match steps[1:] if old_door else steps:
            case []:
                return {"POST": self._post("", lenient=False)}
            case ["agents"]:
                return _read(self._list)
            case ["agents", name] if name:
                return {**_read(self._card(name)), "POST": self._post(name, lenient=old_door)}
            case ["agents", name, ".well-known", "agent-card.json"] if name:
                return _read(self._card(name))
            case [".well-known", "agent-card.json"]:
                return _read(self._card(""))
        return {}

    def _card(self, name: str) -> Serve:
        async def serve(exchange: Exchange, principal: Principal) -> None:
            with scope(_call(exchange, principal)):
                await self._cards.card(exchange, principal, name)

        return serve

    async def _list(self, exchange: Exchange, principal: Principal) -> None:
        self._access.admit(principal)
        with scope(_call(exchange, principal)):
            await self._cards.list(exchange, principal)

    def _post(self, name: str, *, lenient: bool) -> Serve:
        async def serve(exchange: Exchange, principal: Principal) -> None:
            self._access.admit(principal)
            await self._rpc.serve(exchange, principal, name, lenient=lenient)

        return serve


def _read(serve: Serve) -> dict[str, Serve]:
    return dict.fromkeys(READ, serve)


def _call(exchange: Exchange, principal: Principal) -> Call:
    return Call(principal=principal, traceparent=exchange.traceparent, request_id=exchange.request_id)


def _check_verb(exchange: Exchange, allowed: Verbs) -> None:
    if exchange.verb not in allowed:
        raise WrongVerb(exchange.verb, allowed)
