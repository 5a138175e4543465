"""Objects outside the database that nothing refers to any more: remembered until they are deleted there.

Whoever deletes rows that name objects dooms them in the same transaction: so an object is neither lost from
sight nor deleted while something refers to it, whatever dies in between.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, insert, select

from .clock import now
from .schema import doomed_objects

_C = doomed_objects.c
PAGE = 100


def doom(connection: Connection, app: str, keys: Collection[str]) -> int:
    """Remember objects that are to be deleted, and return how many there are."""
    wanted = {key for key in keys if key}
    if not wanted:
        return 0
    known = connection.execute(select(_C.object_key).where(_C.object_key.in_(sorted(wanted)))).scalars()
    time_us, fresh = now(connection), sorted(wanted - set(known))
    if fresh:
        rows = [{"object_key": key, "app": app, "time": time_us} for key in fresh]
        connection.execute(insert(doomed_objects), rows)
    return len(wanted)


def doomed(connection: Connection, limit: int = PAGE) -> Sequence[str]:
    """Return some of the objects that are to be deleted, the oldest first."""
    statement = select(_C.object_key).order_by(_C.time, _C.object_key).limit(limit)
    return connection.execute(statement).scalars().all()


def gone(connection: Connection, keys: Sequence[str]) -> int:
    """Forget objects that are deleted, and return how many there were."""
    if not keys:
        return 0
    return connection.execute(delete(doomed_objects).where(_C.object_key.in_(keys))).rowcount
