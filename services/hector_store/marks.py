"""What a database knows of itself: a few words by name."""

from sqlalchemy import Connection, select

from .clock import now
from .schema import marks
from .upserting import Upsert

_UPSERT = Upsert(marks)


def get_mark(connection: Connection, name: str) -> str | None:
    """Return a mark; None when it was never set."""
    return connection.execute(select(marks.c.value).where(marks.c.name == name)).scalar()


def set_mark(connection: Connection, name: str, value: str) -> None:
    """Set a mark."""
    _UPSERT.execute(connection, [(name, value, now(connection))])
