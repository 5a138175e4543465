"""What a database server's backend needs to know of the kind of server it speaks with."""

import asyncio
import logging
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from .group_commit import Fault
from .server_errors import StorageNeedsTLS
from .server_url import POSTGRESQL, ServerPlace

log = logging.getLogger(__name__)

LOCK_S = 10
"""How long a statement waits for somebody else's lock; the transaction is tried again then."""

IDLE_S = 5
"""How long a transaction may wait for its own process, which may stand still: its locks are in the way."""

POOL_S = 10.0
"""How long a reader waits for a connection that nobody uses."""

MIGRATION_S = 120
"""How long another process's migration is waited for."""

CLOSE_S = 3.0

RECYCLE_S = 1800
"""How old a reader's connection becomes: what stands between may forget old ones in silence."""


class Server(Protocol):
    """One kind of server, and where one of it is."""

    place: ServerPlace
    dialect: ClassVar[str]
    """SQLAlchemy's name for it and its driver."""
    reading: ClassVar[dict[str, Any]]
    """Options of the engine that reads."""

    async def connect(self) -> Any:
        """Return a new connection of the driver's.

        Raises:
            Exception: The driver's, or one of ours; see `explained`.
        """

    async def connect_reader(self) -> Any:
        """Return a new connection that cannot write."""

    def check(self, connection: Connection) -> None:
        """See whether this server will do.

        Raises:
            HectorError: It is too old, or set up in a way that would lose something.
        """

    def migrating(self, connection: Connection) -> AbstractContextManager[object]:
        """Return a transaction in which no other process migrates this database."""

    def is_claimed(self, connection: Connection) -> bool:
        """Return whether a process of an earlier version holds the lock on the runs that it needed."""

    @property
    def statements(self) -> Mapping[str, Any]:
        """How SQLAlchemy is to prepare statements."""

    def hasten(self, engine: AsyncEngine) -> None:
        """Do what makes an engine that writes faster."""

    def fault_of(self, error: Exception) -> Fault:
        """Say what an exception means for the transaction it happened in."""

    def explained(self, error: Exception) -> Exception:
        """Return the error of ours that says what a driver's error means; others as they are."""


def server_of(place: ServerPlace) -> Server:
    """Return the server of a place."""
    if place.kind == POSTGRESQL:
        from .postgres import Postgres

        return Postgres(place)
    from .mysql import MySQL

    return MySQL(place)


def writer_engine(server: Server) -> AsyncEngine:
    """Return an engine whose connections are each new, and see what is committed at each statement."""
    engine = _engine(server, server.connect, poolclass=NullPool, isolation_level="READ COMMITTED")
    server.hasten(engine)
    return engine


def reader_engine(server: Server) -> AsyncEngine:
    """Return an engine whose transactions see one moment, and can write nothing."""
    return _engine(
        server,
        server.connect_reader,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=server.place.pool_size,
        max_overflow=0,
        pool_timeout=POOL_S,
        pool_recycle=RECYCLE_S,
        pool_reset_on_return=None,  # every reader ends its transaction itself
        isolation_level="REPEATABLE READ",
        **server.reading,
    )


def _engine(server: Server, connect: Callable[[], Awaitable[Any]], **options: Any) -> AsyncEngine:
    def creator() -> Any:
        driver: Any = engine.dialect.dbapi
        return driver.connect(async_creator_fn=connect, **server.statements)

    engine = create_async_engine(
        f"{server.dialect}://",
        creator=creator,
        hide_parameters=True,  # errors must not quote what is written
        **options,
    )
    return engine


async def let_go(connection: AsyncConnection) -> None:
    """Close a connection that nobody needs any more, or that may be broken, within a bounded time."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await connection.invalidate()
            await connection.close()
    except (SQLAlchemyError, OSError) as error:
        log.debug("connection was not closed in good order", extra={"error": detail_of(error)})


async def let_all_go(engine: AsyncEngine) -> None:
    """Close an engine's connections within a bounded time: drivers wait for a goodbye for ever."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await engine.dispose()
    except (SQLAlchemyError, OSError) as error:
        log.debug("connections were not closed in good order", extra={"error": detail_of(error)})


def tls_context(place: ServerPlace) -> ssl.SSLContext:
    """Return how to encrypt, with the server's proof of who it is as far as the place asks for one.

    Raises:
        StorageNeedsTLS: A certificate cannot be read.
    """
    tls = place.tls
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = tls.mode == "verify-full"
    if not tls.verified and not tls.root:
        context.verify_mode = ssl.CERT_NONE
    try:
        if tls.root:
            context.load_verify_locations(tls.root)
        elif tls.verified:
            context.load_default_certs()
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key or None)
    except OSError as error:  # SSLError too
        files = ", ".join(file for file in (tls.root, tls.certificate, tls.key) if file)
        raise StorageNeedsTLS(
            place, f"{error.strerror or error}: {files}", "correct sslrootcert, sslcert and sslkey in the URL"
        ) from None
    return context


def detail_of(error: BaseException) -> str:
    """Return what a network error says, in one line; their texts name addresses and addresses only."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)  # asyncio's own says nothing of the cause
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
