"""One process of the mesh: the roles that run here, and channels to those that do not."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import grpc.aio

from hector_mesh import (
    Health,
    LocalChannel,
    LocalServer,
    Mesh,
    Peers,
    Prepare,
    Prepared,
    Renewal,
    Room,
    Whereabouts,
    interceptors,
    this_host,
    wire_channel,
)

from .checking import keep_checking
from .config import Config
from .metrics import measured
from .plugins.hosting import Plugins
from .plugins.of_workers import PluginsOfWorkers
from .plugins.showing import ShownPlugins
from .roles import ROLES, chosen, elsewhere
from .tracing import traced
from .watch_port import WatchPort, watched
from .wires import Wires
from .workers.member import Member
from .workers.neighbours import Neighbours

if TYPE_CHECKING:
    from hector_gateway.config_source import ConfigSource

log = logging.getLogger(__name__)

LATE_S = 5.0
"""What a room may take beyond the time that it was given to end what it is at."""


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
    drain: Callable[[], Awaitable[None]]
    """Told to stop: takes on nothing more, and returns when what is at work has ended, or its time is up."""
    bereave: Callable[[str], Awaitable[None]]
    """Says that a process of the same server has died; see `Room.bereaved`."""


@asynccontextmanager
async def running(
    config: Config,
    roles: Collection[str] = (),
    listen: str | None = None,
    *,
    source: "ConfigSource | None" = None,
    member: Member | None = None,
) -> AsyncIterator[Process]:
    """Run roles until the block ends: all that the configuration needs, or those named.

    Args:
        config: What the roles read.
        roles: Which of them run here; none named: all.
        listen: Where other roles reach these.
        source: What the gateway shows of the config; None: nothing.
        member: Which of several workers this is; None: the server is one process.

    Raises:
        UnknownRole: There is no such role.
        RoleWithoutAddress: A role here calls one that is neither here nor has an address.
        HectorError: A role cannot start; the message names what is in the way.
    """
    here = chosen(roles, config)
    if member is not None:
        config = config.model_copy(update={"mesh": config.mesh.elsewhere(member.addresses(here))})
        here = member.roles(here)
    away = elsewhere(here, config)
    token = config.mesh.token.reveal() if config.mesh.token else None
    async with AsyncExitStack() as stack:
        stack.enter_context(_single_error())
        await stack.enter_async_context(traced(config.observability.tracing))
        await stack.enter_async_context(measured(config))
        health = Health(service for role in here for service in ROLES[role].serves)
        wires = Wires(config, listen, member, health)
        watching = watched(config.observability.metrics, health, shared=member is not None)
        watch = await stack.enter_async_context(watching)
        local = LocalServer(interceptors())
        stack.push_async_callback(local.stop, 0)
        health.register(local)
        routes: dict[str, grpc.aio.Channel] = {}
        for role in here:
            routes |= dict.fromkeys(ROLES[role].serves, LocalChannel(local))
        for role, address in away.items():
            patient = member is not None and role in member.addresses(away)
            dialled = wire_channel(address, token=token, role=role, patient=patient)
            channel = await stack.enter_async_context(dialled)
            routes |= dict.fromkeys(ROLES[role].serves, channel)
        peers = Peers(partial(wire_channel, token=token, role="agent"))
        stack.push_async_callback(peers.close)
        plugins = Plugins(here)
        mesh = Mesh(routes, peers=peers, plugins=plugins)
        more: dict[str, dict[str, object]] = {}
        if source is not None:
            more = {"gateway": {"source": source}, "agent": {"revision": source.revision_id}}
        more.setdefault("agent", {})["whereabouts"] = _whereabouts(wires, member)
        own = ShownPlugins(plugins)
        more.setdefault("gateway", {})["plugins"] = own
        if member is not None:
            neighbours = Neighbours(member, watch.reasons)
            await stack.enter_async_context(neighbours.answering())
            watch.others = neighbours.waiting
            more.setdefault("gateway", {})["beside"] = neighbours
            more["gateway"]["plugins"] = PluginsOfWorkers(own, neighbours)
        rooms = {role: ROLES[role].build(config, mesh, **more.get(role, {})) for role in here}
        for room in rooms.values():
            room.register(local)
            wires.register(room)
        wires.bind()
        beside = plugins.room(config, mesh)
        await stack.enter_async_context(beside.running())
        ready = asyncio.Event()
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for role, room in rooms.items():
            await stack.enter_async_context(room.running())
            if room.ready is None:
                await _serve(health, role)
        await stack.enter_async_context(wires.running())
        becoming = group.create_task(_become_ready(rooms, health, ready))
        stack.callback(becoming.cancel)
        checking = group.create_task(keep_checking({**rooms, "plugins": beside}, health))
        stack.callback(checking.cancel)
        stack.callback(setattr, watch, "stopping", True)
        public = {name: at for room in rooms.values() for name, at in room.addresses().items()}
        every = (beside, *rooms.values())
        limit_s = config.server.shutdown_delay + config.server.shutdown_timeout
        yield Process(
            mesh,
            tuple(here),
            wires.address,
            public,
            ready,
            partial(_prepared, every),
            partial(_drained, every, wires, watch, limit_s),
            partial(_bereaved, every),
        )


async def _prepared(rooms: Collection[Room], renewal: Renewal) -> Prepared:
    """Make rooms ready for another config, all of them or none."""
    ready = [await room.prepare(renewal) for room in rooms if room.prepare is not None]

    def commit() -> None:
        for each in ready:
            each.commit()

    return Prepared(commit, tuple(change for each in ready for change in each.changes))


async def _drained(rooms: Collection[Room], wires: Wires, watch: WatchPort, limit_s: float) -> None:
    """Let all rooms end what they are at, side by side."""
    watch.stopping = True
    async with asyncio.TaskGroup() as group:
        group.create_task(wires.drain())
        for room in rooms:
            if room.drain is not None:
                group.create_task(_within(room.drain(limit_s), limit_s + LATE_S))


async def _within(work: Awaitable[None], limit_s: float) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await work
    except TimeoutError:
        log.warning("part of the process did not end in time", extra={"limit_s": limit_s})


async def _bereaved(rooms: Collection[Room], name: str) -> None:
    for room in rooms:
        if room.bereaved is not None:
            await room.bereaved(name)


def _whereabouts(wires: Wires, member: Member | None) -> Whereabouts:
    if member is None:
        return Whereabouts(wires.target, this_host())
    return Whereabouts(wires.target, this_host(), member.name, member.number)


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
