"""One process of the mesh: the roles that run here, and channels to those that do not."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import grpc.aio
from grpc import StatusCode

from hector_mesh import (
    Health,
    HectorError,
    LocalChannel,
    LocalServer,
    Mesh,
    Peers,
    Prepare,
    Prepared,
    Renewal,
    Room,
    interceptors,
    wire_channel,
    wire_server,
)

from .checking import keep_checking
from .config import Config
from .merging import MERGES
from .metrics import measured
from .roles import ROLES, chosen, elsewhere
from .tracing import traced
from .watch_port import watched

if TYPE_CHECKING:
    from hector_gateway.config_source import ConfigSource


class ListeningWithoutToken(HectorError):
    """Identity metadata from a stranger is worth nothing: such a listener needs the mesh's token."""

    code, reason = StatusCode.FAILED_PRECONDITION, "LISTENING_WITHOUT_TOKEN"

    def __init__(self, listen: str) -> None:
        super().__init__(
            f"{listen} can be reached from other machines, so the roles must share a secret: add "
            '`mesh: {token: "${HECTOR_MESH_TOKEN}"}` to the config, or listen on a unix socket or 127.0.0.1',
            listen=listen,
        )


@dataclass(frozen=True, slots=True)
class Process:
    """A running process of the mesh."""

    mesh: Mesh
    roles: tuple[str, ...]
    address: str
    """Where its services listen for other roles; empty when they do not."""
    public: Mapping[str, str]
    """Where clients reach the gateway, by protocol: "HTTP", "gRPC"; empty without one."""
    ready: asyncio.Event
    """Set when every role here is."""
    prepare: Prepare
    """Makes all roles here ready for another config; see `Room.prepare`."""


@asynccontextmanager
async def running(
    config: Config,
    roles: Collection[str] = (),
    listen: str | None = None,
    *,
    source: "ConfigSource | None" = None,
) -> AsyncIterator[Process]:
    """Run roles until the block ends: all that the configuration needs, or those named.

    Args:
        config: What the roles read.
        roles: Which of them run here; none named: all.
        listen: Where other roles reach these.
        source: What the gateway shows of the config; None: nothing.

    Raises:
        UnknownRole: There is no such role.
        RoleWithoutAddress: A role here calls one that is neither here nor has an address.
        HectorError: A role cannot start; the message names what is in the way.
    """
    here = chosen(roles, config)
    away = elsewhere(here, config)
    token = config.mesh.token.reveal() if config.mesh.token else None
    if listen and token is None and _reachable_from_outside(listen):
        raise ListeningWithoutToken(listen)
    async with AsyncExitStack() as stack:
        stack.enter_context(_single_error())
        await stack.enter_async_context(traced(config.observability.tracing))
        await stack.enter_async_context(measured(config))
        health = Health(service for role in here for service in ROLES[role].serves)
        watch = await stack.enter_async_context(watched(config.observability.metrics, health))
        local = LocalServer(interceptors())
        stack.push_async_callback(local.stop, 0)
        health.register(local)
        drain_s = config.server.shutdown_timeout
        wire = (
            wire_server(listen, token=token, health=health, merges=MERGES, drain_s=drain_s)
            if listen
            else None
        )
        routes: dict[str, grpc.aio.Channel] = {}
        for role in here:
            routes |= dict.fromkeys(ROLES[role].serves, LocalChannel(local))
        for role, address in away.items():
            channel = await stack.enter_async_context(wire_channel(address, token=token, role=role))
            routes |= dict.fromkeys(ROLES[role].serves, channel)
        peers = Peers(partial(wire_channel, token=token, role="agent"))
        stack.push_async_callback(peers.close)
        mesh = Mesh(routes, peers=peers)
        more: dict[str, dict[str, object]] = {}
        if source is not None:
            more = {"gateway": {"source": source}, "agent": {"revision": source.revision_id}}
        rooms = {role: ROLES[role].build(config, mesh, **more.get(role, {})) for role in here}
        for room in rooms.values():
            room.register(local)
            if wire is not None:
                room.register(wire)
        ready = asyncio.Event()
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for role, room in rooms.items():
            await stack.enter_async_context(room.running())
            if room.ready is None:
                await _serve(health, role)
        if wire is not None:
            await stack.enter_async_context(wire)
        becoming = group.create_task(_become_ready(rooms, health, ready))
        stack.callback(becoming.cancel)
        checking = group.create_task(keep_checking(rooms, health))
        stack.callback(checking.cancel)
        stack.callback(setattr, watch, "stopping", True)
        public = {name: at for room in rooms.values() for name, at in room.addresses().items()}
        prepare = partial(_prepared, tuple(rooms.values()))
        yield Process(mesh, tuple(here), wire.address if wire else "", public, ready, prepare)


async def _prepared(rooms: Collection[Room], renewal: Renewal) -> Prepared:
    """Make rooms ready for another config, all of them or none."""
    ready = [await room.prepare(renewal) for room in rooms if room.prepare is not None]

    def commit() -> None:
        for each in ready:
            each.commit()

    return Prepared(commit, tuple(change for each in ready for change in each.changes))


@contextmanager
def _single_error() -> Iterator[None]:
    """Raise the error itself where task groups around it have wrapped it."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise first_of(group) from None


def first_of(error: BaseException) -> BaseException:
    """Return the first error in a group, however deep; what is no group is itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _become_ready(rooms: dict[str, Room], health: Health, ready: asyncio.Event) -> None:
    async def wait(role: str, room: Room) -> None:
        if room.ready is not None:
            await room.ready()
        await _serve(health, role)

    async with asyncio.TaskGroup() as group:
        for role, room in rooms.items():
            group.create_task(wait(role, room))
    ready.set()


async def _serve(health: Health, role: str) -> None:
    for service in ROLES[role].serves:
        await health.set(service, True)


def _reachable_from_outside(listen: str) -> bool:
    host, colon, _ = listen.rpartition(":")
    if listen.startswith("unix:") or not colon:
        return False  # what is no address is refused as such
    host = host.strip("[]")
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True
