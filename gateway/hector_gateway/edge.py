"""What lies between strangers and the mesh on gRPC: who they are, and what they are told."""

from asyncio import CancelledError
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from grpc.aio import AbortError, AioRpcError

from hector_a2a.codes import Profile, codes_of
from hector_mesh import CallInterceptor, Context, HectorError, Principal
from hector_mesh.errors import Trailers
from hector_mesh.status import Status

from .access import NOBODY, Access
from .addresses import is_loopback
from .errors import NoSuchMethod, Stopping, Unreadable
from .faults import is_lost, public, reason_in, unexpected
from .ids import request_id_of, traceparent_of
from .in_flight import InFlight
from .measuring import grpc_served

DETAILS = "grpc-status-details-bin"

Handler = Any  # grpc's RpcMethodHandler, whose type does not know coroutines


@dataclass(slots=True)
class Reply:
    """What is known of an answer as soon as it is known which agent is meant."""

    profile: Profile | None = None
    """Which edition of A2A decides the codes of its errors; None: as the server says."""
    said: tuple[tuple[str, str], ...] = ()
    """Metadata that comes with it."""
    agent: str = ""
    """Who is asked, for the log."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One call from outside. Nothing of it is believed but the credential."""

    principal: Principal
    request_id: str
    traceparent: str
    metadata: Mapping[str, str | bytes]
    time_left_s: float | None
    """How long the caller waits; None: it does not say."""
    reply: Reply
    caller: str = ""
    """Whose share of the server it takes: the principal's, or without a credential the address's."""


Unary = Callable[[Any, Visit], Awaitable[Any]]
Stream = Callable[[Any, Visit], AsyncGenerator[Any, None]]
Wording = Callable[[Status], str]


class Edge:
    """Lets callers in by their credential, and tells them of failures what outsiders may know."""

    def __init__(self, access: Access, in_flight: InFlight, profile: Callable[[], Profile]) -> None:
        self._access, self._in_flight, self._profile = access, in_flight, profile

    def unary(self, behavior: Unary, name: str = "", wording: Wording | None = None) -> Any:
        """Return a unary method for a server.

        Args:
            behavior: What it does.
            name: What the log calls it.
            wording: Says what a failure's message is; None: as it is.
        """

        async def unary(request: Any, context: Context) -> Any:
            metadata, request_id = _read(context)
            record = _Record(name, request_id, wording)
            try:
                visit = record.visit = self._visit(context, metadata, request_id)
                answer = await behavior(request, visit)
                if visit.reply.said:
                    await context.send_initial_metadata(visit.reply.said)
                context.set_trailing_metadata((("x-request-id", request_id),))
                return answer
            except BaseException as error:
                record.code = "CANCELLED"
                await self._refuse(context, error, request_id, record)
            finally:
                record.close()

        return unary

    def stream(self, behavior: Stream, name: str = "", wording: Wording | None = None) -> Any:
        """Return a streaming method for a server; see `unary`."""

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            metadata, request_id = _read(context)
            record = _Record(name, request_id, wording)
            try:
                visit = record.visit = self._visit(context, metadata, request_id)
                begun = False
                async for message in behavior(request, visit):
                    if not begun and visit.reply.said:
                        await context.send_initial_metadata(visit.reply.said)
                    begun = True
                    yield message
                context.set_trailing_metadata((("x-request-id", request_id),))
            except BaseException as error:
                record.code = "CANCELLED"
                await self._refuse(context, error, request_id, record)
            finally:
                record.close()

        return stream

    def guarded(self, behavior: Callable[[Any, Context], AsyncIterator[Any]]) -> Any:
        """Return a method of somebody else's that asks for the credential first."""

        async def stream(requests: Any, context: Context) -> AsyncIterator[Any]:
            metadata, request_id = _read(context)
            try:
                self._visit(context, metadata, request_id)
                async for message in behavior(requests, context):
                    yield message
            except BaseException as error:
                await self._refuse(context, error, request_id)

        return stream

    def _visit(self, context: Context, metadata: Mapping[str, str | bytes], request_id: str) -> Visit:
        shown = metadata.get("authorization")
        principal = self._access.caller(
            None if shown is None else str(shown), from_here=_from_here(context.peer() or "")
        )
        self._access.admit(principal)
        traceparent = traceparent_of(str(metadata.get("traceparent", "")))
        caller = principal.id or _host(context.peer() or "")
        return Visit(principal, request_id, traceparent, metadata, context.time_remaining(), Reply(), caller)

    async def _refuse(
        self, context: Context, error: BaseException, request_id: str, record: "_Record | None" = None
    ) -> NoReturn:
        if isinstance(error, AbortError) or (is_lost(error) and not self._ended_by_us(error)):
            try:
                raise error
            finally:
                del error  # from here on it knows this frame: a circle that only the collector would break
        if is_lost(error):
            error = Stopping()
        if isinstance(error, HectorError | AioRpcError):
            status = public(error, request_id)
        else:
            status = unexpected(error, request_id)
        reply = record.visit.reply if record is not None and record.visit is not None else Reply()
        code = codes_of(status, reply.profile or self._profile()).grpc
        status.code = code.value[0]
        if record is not None:
            record.code, record.reason = code.name, reason_in(status)
            if record.wording is not None:
                status.message = record.wording(status)
        trailers: Trailers = (
            (DETAILS, status.SerializeToString()),
            ("x-request-id", request_id),
            *reply.said,
        )
        await context.abort(code, status.message, trailers)
        raise AssertionError("abort came back")

    def _ended_by_us(self, error: BaseException) -> bool:
        """Say whether a call ended under its caller; a generator that is closed has nobody to tell."""
        return isinstance(error, CancelledError) and self._in_flight.ended_by_us()


class _Record:
    """What is noted of one call when it is over."""

    __slots__ = ("_begun", "code", "name", "reason", "request_id", "visit", "wording")

    def __init__(self, name: str, request_id: str, wording: Wording | None) -> None:
        self.name, self.request_id, self.code, self.reason = name, request_id, "OK", ""
        self.wording = wording
        self.visit: Visit | None = None
        self._begun = perf_counter()

    def close(self) -> None:
        """Take note of it."""
        visit = self.visit
        grpc_served(
            self.name,
            self.code,
            self.reason,
            self._begun,
            self.request_id,
            visit.traceparent if visit else "",
            visit.principal if visit else NOBODY,
            visit.reply.agent if visit else "",
        )


class Door(grpc.aio.ServerInterceptor):
    """Asks callers of reflection for their credential, too, and refuses in our words what is not there.

    Health is for everybody, and answered as it is inside the mesh.
    """

    def __init__(self, edge: Edge) -> None:
        self._edge, self._inside = edge, CallInterceptor()

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler]], handler_call_details: Any
    ) -> Handler:
        handler, path = await continuation(handler_call_details), handler_call_details.method
        if handler is None:

            async def refuse(request: bytes, visit: Visit) -> bytes:
                raise NoSuchMethod(path)

            return grpc.unary_unary_rpc_method_handler(self._edge.unary(refuse, "unknown"))
        if handler.request_deserializer is None:
            return handler  # ours: they read for themselves
        if not handler.request_streaming:
            return self._inside.wrapped(path, handler)
        reading = _reading(handler.stream_stream, handler.request_deserializer, path)
        return grpc.stream_stream_rpc_method_handler(
            self._edge.guarded(reading), None, handler.response_serializer
        )


def _reading(behavior: Any, read: Callable[[bytes], Any], path: str) -> Any:
    """Return a method that takes bytes: what grpc cannot read it calls UNKNOWN, as its parser words it."""

    async def messages(wires: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for wire in wires:
            try:
                yield read(wire)
            except DecodeError:
                raise Unreadable(f"message of {path}") from None

    def reading(wires: AsyncIterator[bytes], context: Context) -> Any:
        return behavior(messages(wires), context)

    return reading


def _read(context: Context) -> tuple[dict[str, str | bytes], str]:
    metadata: dict[str, Any] = {}
    for name, value in context.invocation_metadata() or ():
        known = metadata.get(name)
        metadata[name] = value if known is None or isinstance(value, bytes) else f"{known}, {value}"
    return metadata, request_id_of(str(metadata.get("x-request-id", "")))


def _from_here(peer: str) -> bool:
    """Say whether a peer, as grpc writes it, is on this machine."""
    return peer.startswith("unix:") or is_loopback(_host(peer))


def _host(peer: str) -> str:
    """Return the address of a peer, as grpc writes it, without its port."""
    address = peer.partition(":")[2]
    return address.rpartition(":")[0].replace("%5B", "[").replace("%5D", "]").strip("[]")
