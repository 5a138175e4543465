"""What one replica at a time does for all of them, by a lease on the database's clock.

The lease saves work, and nothing depends on it: what two do at once harms nobody.
"""

from sqlalchemy import Connection, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from hector_store.clock import database_time
from hector_store.database import Database
from hector_store.schema import chores

_C = chores.c
_SECOND_US = 1_000_000


class Chores:
    """The chores of one database, for one process."""

    def __init__(self, database: Database, me: str) -> None:
        self._database, self._me = database, me

    async def take(self, name: str, *, lease_s: float, every_s: float = 0.0) -> bool:
        """Take a chore for so long, or longer if it is ours; False when somebody else is at it.

        Also when it was done within the last `every_s`.
        """
        try:
            return await self._database.write(
                lambda connection: self._take(connection, name, lease_s, every_s)
            )
        except IntegrityError:
            return False  # another process was faster to begin it, the first time ever

    async def done(self, name: str) -> None:
        """Let go of a chore that is done."""
        mine = update(chores).where(_C.name == name, _C.holder == self._me)
        finished = mine.values(holder="", until=0, done_time=database_time())
        await self._database.write(lambda connection: connection.execute(finished))

    async def leave(self, name: str) -> None:
        """Let go of a chore that is not done."""
        mine = update(chores).where(_C.name == name, _C.holder == self._me).values(holder="", until=0)
        await self._database.write(lambda connection: connection.execute(mine))

    def _take(self, connection: Connection, name: str, lease_s: float, every_s: float) -> bool:
        until = database_time() + int(lease_s * _SECOND_US)
        known = connection.execute(select(_C.name).where(_C.name == name)).first()
        if known is None:
            row = {"name": name, "holder": self._me, "until": 0, "done_time": 0}
            connection.execute(insert(chores), row)
        is_free = or_(_C.holder == self._me, _C.until < database_time())
        is_time = or_(_C.holder == self._me, _C.done_time <= database_time() - int(every_s * _SECOND_US))
        taking = update(chores).where(_C.name == name, is_free, is_time).values(holder=self._me, until=until)
        return connection.execute(taking).rowcount == 1
