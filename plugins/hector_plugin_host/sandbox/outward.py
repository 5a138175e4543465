"""Connections that the host makes for a plugin: resolved here, checked here, and handed back as bytes."""

import asyncio
import ipaddress
import logging
import socket
from contextlib import suppress

from hector_plugin_host.security_events import report

from .networks import Address, Policy

log = logging.getLogger(__name__)

CONNECT_S = 10.0
"""For all addresses of a name together."""
HANG_UP_S = 1.0
_AT_ONCE = 64 * 1024


class Refused(Exception):
    """The plugin may not connect there."""


class Unreachable(Exception):
    """It may, but nobody answers."""


async def connect(
    plugin: str, policy: Policy, host: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a host that a plugin asked for.

    Raises:
        Refused: The policy does not allow it. Has been reported.
        Unreachable: It allows it in vain.
    """
    why = ""
    try:
        async with asyncio.timeout(CONNECT_S):
            for address in await _addresses(policy, host, port):
                why = policy.why_not(address, port)
                if why:
                    continue
                with suppress(OSError):
                    return await asyncio.open_connection(str(address), port, limit=_AT_ONCE)
    except Refused as refused:
        why = str(refused)
    except TimeoutError:
        raise Unreachable(f"{host}:{port} did not answer within {CONNECT_S:g} s") from None
    if why:
        report("network_refused", plugin, host=host, port=port, why=why)
        raise Refused(why)
    raise Unreachable(f"{host}:{port} cannot be reached")


async def splice(
    one: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    other: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Carry bytes both ways until both sides have ended, or one has failed; then close both."""
    try:
        async with asyncio.TaskGroup() as ways:
            ways.create_task(_carry(one[0], other[1]))
            ways.create_task(_carry(other[0], one[1]))
    except* OSError:
        pass  # one side is gone, and so will be the other
    finally:
        one[1].close()
        other[1].close()  # both at once: waiting for the first may be broken off
        await hang_up(one[1])
        await hang_up(other[1])


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and do not wait long for a side that reads no more."""
    writer.close()
    try:
        async with asyncio.timeout(HANG_UP_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_AT_ONCE):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _addresses(policy: Policy, host: str, port: int) -> list[Address]:
    """Return what a host's name stands for, or the address that it is, if it is on the list."""
    try:
        literal = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    else:
        if not policy.lists(literal, port):
            raise Refused(f"{host}:{port} is not in allowed_networks")
        return [literal]
    if not policy.allows_name(host, port):
        # Not even resolved: a question to a name server leaves the machine, too.
        raise Refused(f"{host}:{port} is not in allowed_networks")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable(f"{host} has no address: {error.strerror}") from None
    except ValueError:  # a part of it is empty, too long, or has characters that names cannot have
        raise Unreachable(f"{host} is no name of a host") from None
    return [ipaddress.ip_address(str(place[0]).split("%")[0]) for *_, place in found]
