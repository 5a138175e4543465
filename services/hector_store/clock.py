"""The database's clock, as SQL: microseconds since 1970 UTC. Replicas disagree; their database does not."""

from typing import Any

from sqlalchemy import BigInteger, Connection, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from .compiled import Rows

_MYSQL = "timestampdiff(MICROSECOND, '1970-01-01 00:00:00', utc_timestamp(6))"
_SPELLINGS = {
    # SQLite 3.40 knows no unixepoch('subsec'); julianday is good for a millisecond.
    "sqlite": "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}


class database_time(FunctionElement[int]):  # noqa: N801  (reads as SQL where it is used)
    """The time at which the statement runs."""

    inherit_cache = True
    type = BigInteger()
    name = "database_time"


@compiles(database_time)
def _spell(element: database_time, compiler: Any, **_: Any) -> str:
    return _SPELLINGS.get(compiler.dialect.name, "database_time()")


_NOW = Rows(select(database_time()))


def now(connection: Connection) -> int:
    """Return the database's time."""
    (time_us,) = _NOW.one(connection) or (0,)
    return int(time_us)
