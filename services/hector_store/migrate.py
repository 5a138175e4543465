"""Brings a database's tables to what this version knows. Alembic is imported only when that is needed."""

import logging
import threading
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from .errors import StorageNewer, StorageOccupied
from .migrations import HEAD, KNOWN, VERSION_TABLE
from .schema import metadata

log = logging.getLogger(__name__)

_FOUND = text(f"SELECT version_num FROM {VERSION_TABLE}")
_ONE_AT_A_TIME = threading.Lock()  # alembic keeps what it migrates in a module


def is_current(connection: Connection, database: str) -> bool:
    """Return whether there is nothing to migrate.

    Raises:
        StorageNewer: A newer version made the tables.
        StorageOccupied: There are tables, but not ours.
    """
    found = _version(connection, database)
    if found and found not in KNOWN:
        raise StorageNewer(database, found, HEAD)
    return found == HEAD


def migrate(connection: Connection, database: str) -> None:
    """Migrate inside the connection's transaction, which must exclude every other migration.

    Raises:
        HectorError: As `is_current`.
    """
    if is_current(connection, database):
        return
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")
    log.info("database migrated", extra={"database": database, "schema": HEAD})


def _version(connection: Connection, database: str) -> str:
    inspector = inspect(connection)
    if inspector.has_table(VERSION_TABLE):
        return str(connection.execute(_FOUND).scalar() or "")
    foreign = set(inspector.get_table_names()) & set(metadata.tables)
    if foreign:
        raise StorageOccupied(database, min(foreign))
    return ""
