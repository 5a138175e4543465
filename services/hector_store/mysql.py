"""What is special about MariaDB and MySQL: how they are reached, their locks, their errors."""

import asyncio
import hashlib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from hector_mesh import HectorError

from .errors import StorageBusy, StorageFailed, StorageFull, StorageReadOnly
from .group_commit import Fault
from .mysql_driver import driver, execute_at_once
from .schema import INLINE_BYTES
from .server import IDLE_S, LOCK_S, MIGRATION_S, detail_of, tls_context
from .server_errors import (
    StorageAccessDenied,
    StorageCrowded,
    StorageForbidden,
    StorageMissing,
    StorageNeedsTLS,
    StorageTooOld,
    StorageUnreachable,
    StorageUnsuitable,
    TextTooLong,
)
from .server_url import ServerPlace

OLDEST = {"MariaDB": (10, 6), "MySQL": (8, 0)}
PACKET_BYTES = 4 * INLINE_BYTES
"""Least that a statement may be long: a piece of a payload, every byte of it escaped, and the rest."""

_SETTINGS = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES',"
    f" SESSION innodb_lock_wait_timeout = {LOCK_S}, SESSION wait_timeout = 28800"
    f" /*M!100300 , SESSION idle_transaction_timeout = {IDLE_S} */"  # MySQL has no such thing
)

_BUSY = {1205, 1213, 1020, 1412}  # lock not to be had in time, deadlock; row or table changed meanwhile
_GONE = {1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927}
_GONE |= {2003, 2006, 2013, 2014, 2055, 4031}
_DENIED = {1045, 1698, 1130, 1129, 1820, 1862, 2049, 3118, 4151}
_FORBIDDEN = {1044, 1142, 1143, 1227, 1370}
_CROWDED = {1040, 1203, 1226}
_READ_ONLY = {1290, 1792, 1836, 3100}
_FULL = {1021, 1114}
_LOST = {1005, 1023, 1026, 1030, 1034, 1041, 1037, 1665}


class MySQL:
    """A MariaDB or MySQL server."""

    dialect: ClassVar[str] = "mysql+aiomysql"
    reading: ClassVar[dict[str, Any]] = {}

    def __init__(self, place: ServerPlace) -> None:
        self.place = place
        name = hashlib.sha256(place.database.encode()).hexdigest()[:24]  # locks are the whole server's
        self._migration_lock, self._claim_lock = f"hector migrate {name}", f"hector runs {name}"

    async def connect(self) -> Any:
        """Connect, and set how long is waited for what."""
        return await self._connect(_SETTINGS)

    async def connect_reader(self) -> Any:
        """Connect for transactions that only read."""
        return await self._connect(_SETTINGS, "SET SESSION TRANSACTION READ ONLY")

    async def _connect(self, *settings: str) -> Any:
        place = self.place
        encrypted = None if place.socket or place.tls.mode == "disable" else tls_context(place)
        connection = driver()(
            host=place.host,
            port=place.port,
            unix_socket=place.socket or None,
            user=place.user or None,
            password=place.password.encode().decode("latin-1"),  # the driver sends latin-1: bytes as they are
            db=place.database,
            charset="utf8mb4",
            ssl=encrypted,
            client_flag=2,  # FOUND_ROWS: a row that was the right one already counts
            connect_timeout=place.connect_s,
            program_name="hector",
        )
        connection.needs_tls = encrypted is not None and place.tls.mode != "prefer"
        try:
            async with asyncio.timeout(place.connect_s):
                await connection._connect()
                await connection.prepare(settings)
        except BaseException:
            connection.close()
            raise
        return connection

    def check(self, connection: Connection) -> None:
        """Refuse what is too old, what nobody may write to, and what would not take a large payload."""
        version, packet, read_only = connection.exec_driver_sql(
            "SELECT version(), @@max_allowed_packet, @@read_only"
        ).one()
        kind = "MariaDB" if "mariadb" in version.lower() else "MySQL"
        numbers = version.removeprefix("5.5.5-").split("-")[0].split(".")
        if tuple(map(int, numbers[:2])) < OLDEST[kind]:
            needed = ".".join(map(str, OLDEST[kind]))
            raise StorageTooOld(self.place, f"{kind} {version}", f"{kind} {needed}")
        if read_only:
            raise self._read_only("read_only is set")
        if packet < PACKET_BYTES:
            raise StorageUnsuitable(
                self.place,
                f"max_allowed_packet is {packet} bytes",
                f"SET GLOBAL max_allowed_packet = {4 * PACKET_BYTES}, and in the server's configuration",
            )

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[object]:
        """Hold a named lock around the transaction: every change of a table ends one here."""
        with connection.begin():
            got = connection.exec_driver_sql("SELECT GET_LOCK(%s, %s)", (self._migration_lock, MIGRATION_S))
            if not got.scalar():
                raise StorageBusy(self.place.name, "a migration of another process; stop that process")
        with connection.begin() as transaction:
            yield transaction
        with connection.begin():  # after a failure the connection is closed, and the lock goes with it
            connection.exec_driver_sql("SELECT RELEASE_LOCK(%s)", (self._migration_lock,))

    def is_claimed(self, connection: Connection) -> bool:
        """Ask who holds the lock."""
        found = connection.exec_driver_sql("SELECT IS_USED_LOCK(%s)", (self._claim_lock,))
        return found.scalar() is not None

    @property
    def statements(self) -> Mapping[str, Any]:
        """Nothing to say: the driver prepares none."""
        return {}

    def hasten(self, engine: AsyncEngine) -> None:
        """Send many rows at once: the driver would wait for the answer to each."""
        event.listen(engine.sync_engine, "do_executemany", execute_at_once)

    def fault_of(self, error: Exception) -> Fault:
        """Tell by number."""
        if isinstance(error, HectorError | PoolTimeout):
            return Fault.OF_ITEM
        number = _number(error)
        if number == 2026 or isinstance(_origin(error), ssl.SSLCertVerificationError):
            return Fault.OF_STORAGE
        if number in _BUSY:
            return Fault.RETRY
        if number in _GONE or isinstance(error, OSError | EOFError):
            return Fault.OF_CONNECTION
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return Fault.OF_CONNECTION
        if number in _READ_ONLY | _FULL | _LOST | _FORBIDDEN:
            return Fault.OF_STORAGE
        return Fault.OF_ITEM

    def explained(self, error: Exception) -> Exception:
        """Name the cause, the server and the next step."""
        found = self._found(error)
        if found is None:
            return error
        found.__cause__ = error
        return found

    def _found(self, error: Exception) -> HectorError | None:
        if isinstance(error, HectorError):
            return None
        place, number, detail = self.place, _number(error), _detail(error)
        if isinstance(error, PoolTimeout):
            return StorageCrowded(
                place, f"all {place.pool_size} connections were in use", "raise pool_size in the URL"
            )
        if number == 2026 or isinstance(_origin(error), ssl.SSLError):
            return StorageNeedsTLS(place, detail, "correct sslmode and sslrootcert in the URL")
        if number == 3159 or "require_secure_transport" in detail:
            return StorageNeedsTLS(place, detail, "add ?sslmode=require to the URL")
        if number in _DENIED or (number == 1044 and "to database" not in detail):
            return StorageAccessDenied(place, detail)
        if number == 1049:
            return StorageMissing(place)
        if number in _FORBIDDEN:
            return StorageForbidden(place, detail)
        if number in _CROWDED:
            return StorageCrowded(
                place, detail, "lower pool_size, stop other clients, or raise the server's max_connections"
            )
        if number in _FULL:
            return StorageFull(place.name)
        if number in _READ_ONLY:
            return self._read_only(detail)
        if number in _BUSY:
            return StorageBusy(place.name, "another transaction; end what holds it (SHOW PROCESSLIST)")
        if number == 1153:
            return TextTooLong(place, detail)
        fault = self.fault_of(error)
        if fault is Fault.OF_CONNECTION:
            return StorageUnreachable(place, detail)
        if fault is Fault.OF_STORAGE:
            return StorageFailed(place.name, detail, "the server's log")
        return None

    def _read_only(self, detail: str) -> StorageReadOnly:
        advice = "name the primary server in storage.database, not a replica"
        return StorageReadOnly(self.place.name, detail, advice)


def _driver_error(error: Exception) -> BaseException:
    return (error.orig or error) if isinstance(error, DBAPIError) else error


def _number(error: Exception) -> int:
    arguments = getattr(_driver_error(error), "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


def _origin(error: Exception) -> BaseException | None:
    """Return the network's error behind the driver's, if there is one."""
    cause = _driver_error(error)
    return cause if isinstance(cause, OSError) else cause.__cause__


def _detail(error: Exception) -> str:
    cause, origin = _driver_error(error), _origin(error)
    if isinstance(origin, OSError):  # "Can't connect" alone says nothing
        return detail_of(origin)
    if len(cause.args) > 1 and isinstance(cause.args[0], int):
        return " ".join(str(cause.args[1]).split())
    return detail_of(cause)
