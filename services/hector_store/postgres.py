"""What is special about PostgreSQL: how it is reached, its locks, its errors. Nothing else knows them."""

import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, ClassVar

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

from hector_mesh import HectorError

from .errors import InvalidValue, StorageBusy, StorageFailed, StorageFull, StorageReadOnly
from .group_commit import Fault
from .server import IDLE_S, LOCK_S, MIGRATION_S, detail_of, tls_context
from .server_errors import (
    StorageAccessDenied,
    StorageCrowded,
    StorageForbidden,
    StorageMissing,
    StorageNeedsTLS,
    StorageTooOld,
    StorageUnreachable,
)
from .server_url import ServerPlace

OLDEST = 130000
_MIGRATION_LOCK, _CLAIM_LOCK = 0x686563746F7201, 0x686563746F7202  # "hector", and one more byte

_SETTINGS = (
    f"SET lock_timeout = '{LOCK_S}s'; SET idle_in_transaction_session_timeout = '{IDLE_S}s'; "
    # A machine that lost its power lets go of its claim within a minute.
    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
)

_LOCAL_SETTINGS = f"SET LOCAL lock_timeout = '{LOCK_S}s'"
"""The same for one transaction, as far as it matters most."""

_AGAIN = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock not to be had in time
_GONE = {"57P01", "57P02", "57P03", "57P05", "25P03"}  # shut down, crashed, starting up, idle for too long


class Postgres:
    """A PostgreSQL server."""

    dialect: ClassVar[str] = "postgresql+asyncpg"
    reading: ClassVar[dict[str, Any]] = {"execution_options": {"postgresql_readonly": True}}

    def __init__(self, place: ServerPlace) -> None:
        self.place = place

    async def connect(self) -> Any:
        """Connect, and set how long is waited for what."""
        if self.place.is_pooled:
            return await self._connect(self.place)
        return await self._session(self.place)

    async def _connect(self, place: ServerPlace) -> Any:
        import asyncpg

        encrypted: object = place.tls.mode
        if place.socket or place.tls.mode == "disable":
            encrypted = False
        elif place.tls.verified or place.tls.root or place.tls.certificate:
            encrypted = tls_context(place)
        return await asyncpg.connect(
            host=place.socket or place.host,
            port=place.port or None,
            user=place.user or None,
            password=place.password or None,
            database=place.database,
            timeout=place.connect_s,
            ssl=encrypted,
            server_settings={"application_name": f"hector {socket.gethostname()}:{os.getpid()}"[:63]},
            **({"statement_cache_size": 0} if place.is_pooled else {}),
        )

    async def connect_listener(self) -> Any:
        """Connect for notifications, which belong to a session; None where there are no sessions."""
        if not self.place.is_pooled:
            return await self.connect()
        if not self.place.listen:
            return None
        host, _, port = self.place.listen.rpartition(":")
        straight = replace(self.place, host=host, port=int(port), socket="", is_pooled=False, listen="")
        return await self._session(straight)

    async def _session(self, place: ServerPlace) -> Any:
        connection = await self._connect(place)
        with ExitStack() as leaving:
            leaving.callback(connection.terminate)
            await connection.execute(_SETTINGS, timeout=place.connect_s)
            leaving.pop_all()
        return connection

    async def connect_reader(self) -> Any:
        """Connect; each of the reader's transactions says that it only reads."""
        return await self.connect()

    def check(self, connection: Connection) -> None:
        """Refuse what is too old, and what nobody may write to."""
        found = connection.exec_driver_sql(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'),"
            " pg_is_in_recovery()"
        ).one()
        if found[0] < OLDEST:
            raise StorageTooOld(self.place, f"PostgreSQL {found[1]}", "PostgreSQL 13")
        if found[2]:
            raise self._read_only("it is a replica")

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[object]:
        """Hold a lock until the transaction ends."""
        with connection.begin() as transaction:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{MIGRATION_S}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            yield transaction

    def is_claimed(self, connection: Connection) -> bool:
        """Look for the lock among those that are held."""
        found = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            f" AND classid::bigint = {_CLAIM_LOCK >> 32} AND objid::bigint = {_CLAIM_LOCK & 0xFFFFFFFF}"
        )
        return bool(found.scalar())

    @property
    def statements(self) -> Mapping[str, Any]:
        """Prepare no statement by name where the next transaction may be another session's."""
        if not self.place.is_pooled:
            return {}
        return {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}

    def hasten(self, engine: AsyncEngine) -> None:
        """Nothing to do: the driver sends many rows without waiting for each.

        Where there are no sessions, each transaction is told how long to wait for what.
        """
        if self.place.is_pooled:
            event.listen(engine.sync_engine, "begin", _set_locally)

    def fault_of(self, error: Exception) -> Fault:
        """Tell by SQLSTATE."""
        if isinstance(error, HectorError | PoolTimeout):
            return Fault.OF_ITEM
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            return Fault.OF_CONNECTION
        if isinstance(error, ssl.SSLCertVerificationError) or _is_without_tls(error):
            return Fault.OF_STORAGE  # the next connection would fare no better
        state = _state(error)
        if state in _AGAIN or _is_stale_plan(error):
            return Fault.RETRY
        if state in _GONE or state.startswith("08") or (not state and isinstance(error, OSError)):
            return Fault.OF_CONNECTION
        if type(error).__name__ == "InterfaceError" and "clos" in str(error):
            return Fault.OF_CONNECTION
        if state[:2] in ("53", "57", "58", "XX") or state in ("25006", "42501"):
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
        place, state, detail = self.place, _state(error), _detail(error)
        if isinstance(error, PoolTimeout):
            return StorageCrowded(
                place, f"all {place.pool_size} connections were in use", "raise pool_size in the URL"
            )
        if isinstance(error, ssl.SSLError):
            return StorageNeedsTLS(place, detail, "correct sslmode and sslrootcert in the URL")
        if state == "28000" and "no encryption" in detail:
            return StorageNeedsTLS(place, detail, "add ?sslmode=require to the URL")
        if not state and "SSL" in detail and isinstance(error, ConnectionError):
            return StorageNeedsTLS(place, detail, "switch TLS on at the server, or add ?sslmode=disable")
        if state in ("28000", "28P01"):
            return StorageAccessDenied(place, detail)
        if state == "3D000":
            return StorageMissing(place)
        if state == "42501":
            return StorageForbidden(place, detail)
        if state in ("53300", "53400"):
            return StorageCrowded(
                place, detail, "lower pool_size, stop other clients, or raise the server's max_connections"
            )
        if state == "53100":
            return StorageFull(place.name)
        if state == "22021":  # only asked for: what is written is looked at before
            return InvalidValue("an id or name", "written with NUL", "what PostgreSQL takes, which has none")
        if state == "25006":
            return self._read_only(detail)
        if state in _AGAIN:
            return StorageBusy(place.name, "another transaction; end what holds it (pg_stat_activity)")
        fault = self.fault_of(error)
        if fault is Fault.OF_CONNECTION:
            return StorageUnreachable(place, detail)
        if fault is Fault.OF_STORAGE:
            return StorageFailed(place.name, detail, "the server's log")
        return None

    def _read_only(self, detail: str) -> StorageReadOnly:
        advice = "name the primary server in storage.database, not a replica"
        return StorageReadOnly(self.place.name, detail, advice)


def _set_locally(connection: Connection) -> None:
    connection.exec_driver_sql(_LOCAL_SETTINGS)


def _driver_error(error: Exception) -> BaseException:
    if not isinstance(error, DBAPIError) or error.orig is None:
        return error
    return error.orig.__cause__ or error.orig  # SQLAlchemy gives asyncpg's errors the names of the DBAPI's


def _state(error: Exception) -> str:
    return str(getattr(_driver_error(error), "sqlstate", None) or "")


def _detail(error: Exception) -> str:
    return detail_of(_driver_error(error))


def _is_without_tls(error: Exception) -> bool:
    """Whether the server was asked for TLS and has none; asyncpg says so in words only."""
    return isinstance(error, ConnectionError) and "rejected SSL" in str(error)


def _is_stale_plan(error: Exception) -> bool:
    """Whether tables changed under a statement that was prepared before."""
    return type(_driver_error(error)).__name__ == "InvalidCachedStatementError"
