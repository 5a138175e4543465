"""From an address that an operator wrote down to a connection, and in words why there is none."""

import asyncio
import socket
import ssl
from collections.abc import Callable

from aiohappyeyeballs import start_connection

from hector_http.connection import Connection
from hector_http.errors import HttpError, TimedOut, Unreachable, Untrusted
from hector_http.targets import Target

NEXT_ADDRESS_S = 0.25
"""How long one address of a name has before the next is tried beside it."""


async def dialled(
    target: Target, connection: Connection, trust: ssl.SSLContext | None, within_s: float
) -> None:
    """Connect, by TLS if the target wants it.

    Raises:
        HttpError: There is no connection.
    """
    connection.origin = target.origin
    try:
        async with asyncio.timeout(within_s) as limit:
            await _connected(target, lambda: connection, trust)
    except BaseException as error:
        connection.close()
        if isinstance(error, TimeoutError) and limit.expired():
            message = f"{target.origin} took too long to accept a connection"
            raise TimedOut(message, origin=target.origin, phase="connect") from None
        if isinstance(error, OSError | UnicodeError | RuntimeError):
            raise _failed(error, target.origin) from error
        raise


async def _connected(target: Target, made: Callable[[], Connection], trust: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "no address")
    line = await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_S, interleave=1)
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        await loop.create_connection(
            made, sock=line, ssl=trust, server_hostname=target.host if trust is not None else None
        )
    except BaseException:
        line.close()
        raise


def _failed(error: Exception, origin: str) -> HttpError:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", "") or "no known authority vouches for it"
        return Untrusted(f"the certificate of {origin} is not trusted: {why}", origin=origin, sent=False)
    return Unreachable(f"cannot connect to {origin}: {_why(error)}", origin=origin, sent=False)


def _why(error: Exception) -> str:
    if isinstance(error, socket.gaierror | UnicodeError):
        return "its name cannot be looked up"
    if isinstance(error, ssl.SSLError):
        return "it does not speak TLS as we do"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (getattr(error, "strerror", None) or "no connection").lower()
