"""Takes hints from process to process through PostgreSQL's LISTEN and NOTIFY, on a connection of its own.

A hint that is lost, with the connection or because a process is slow, costs others one interval of looking.
"""

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Any

from . import hints
from .hints import Hints
from .ids import new_id
from .postgres import Postgres
from .server import detail_of

if TYPE_CHECKING:
    import asyncpg

log = logging.getLogger(__name__)

CHANNEL = "hector"

TOGETHER_S, EVENTS_TOGETHER_S = 0.02, 0.1
"""How long hints are gathered after the last ones were sent; those about events are many."""

LOOK_S = 15.0
"""How often a silent connection is looked after."""

ANSWER_S = 5.0
PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
GOODBYE_S = 2.0

MOST_TOPICS = 50
"""In one notification, which may be 8000 bytes long."""


class PostgresHints:
    """Carries the hints of one database. Connects when there is something to tell or somebody listens."""

    def __init__(self, server: Postgres, carried: Hints) -> None:
        self._server, self._hints = server, carried
        self._id = new_id()
        """Whose: everybody hears himself, too."""
        self._to_tell: set[str] = set()
        self._wake = asyncio.Event()
        self._is_listening = self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self._told_at = 0.0
        carried.carry(self)

    def tell(self, topic: str) -> None:
        """Send a topic soon."""
        if topic not in self._to_tell:
            self._to_tell.add(topic)
            self._begin()

    def listen(self) -> None:
        """Hear others from now on."""
        if not self._is_listening:
            self._is_listening = True
            self._begin()

    async def close(self) -> None:
        """Send what is left, within a bounded time, and disconnect."""
        self._is_closing = True
        self._hints.carry(None)
        if self._task is None:
            return
        self._wake.set()
        done, _ = await asyncio.wait([self._task], timeout=GOODBYE_S)
        if not done:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self) -> None:
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="hector-store-hints")

    async def _run(self) -> None:
        pause_s, was_lost = PAUSE_S, False
        while not self._is_closing or self._to_tell:
            connection: asyncpg.Connection[Any] | None = None
            try:
                connection = await self._server.connect_listener()
                if connection is None:
                    log.info("hints of other processes cannot be heard here", extra=self._facts())
                    return
                await self._carry(connection)
            except Exception as error:  # the border: whatever drivers raise, hints are carried again soon
                detail = detail_of(error)
                if not was_lost:
                    log.warning("connection for hints was lost", extra={**self._facts(), "error": detail})
                was_lost = True
            else:
                was_lost, pause_s = False, PAUSE_S
            finally:
                if connection is not None:
                    connection.terminate()
            if self._is_closing:
                return
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _carry(self, connection: "asyncpg.Connection[Any]") -> None:
        """Carry hints until the connection is gone, or this is closed."""
        is_heard = False
        connection.add_termination_listener(lambda _: self._wake.set())
        while not connection.is_closed():
            self._wake.clear()
            if self._is_listening and not is_heard:
                async with asyncio.timeout(ANSWER_S):
                    await connection.add_listener(CHANNEL, self._heard)
                is_heard = True
                self._hints.missed()  # whatever was said before
            if self._to_tell:
                await self._gather()
                await self._send(connection)
            elif self._is_closing:
                return
            elif not await self._woken(LOOK_S):
                async with asyncio.timeout(ANSWER_S):
                    await connection.execute("SELECT 1")

    async def _gather(self) -> None:
        """Wait a little for more to tell, if something was told just now."""
        clock = asyncio.get_running_loop().time
        while not self._is_closing:
            together_s = EVENTS_TOGETHER_S if self._to_tell == {hints.EVENTS} else TOGETHER_S
            left_s = self._told_at + together_s - clock()
            if left_s <= 0:
                return
            await self._woken(left_s)
            self._wake.clear()

    async def _woken(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, connection: "asyncpg.Connection[Any]") -> None:
        topics, self._to_tell = sorted(self._to_tell), set()
        self._told_at = asyncio.get_running_loop().time()
        lines = [self._id]
        for number, topic in enumerate(topics, 1):
            lines.append(topic)
            if number == len(topics) or len(lines) > MOST_TOPICS:
                text = "\n".join(lines).replace("'", "''")
                async with asyncio.timeout(ANSWER_S):
                    await connection.execute(f"NOTIFY {CHANNEL}, '{text}'")
                lines = [self._id]

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        sender, *topics = str(payload).split("\n")
        if sender != self._id:
            for topic in topics:
                self._hints.heard(topic)

    def _facts(self) -> dict[str, object]:
        return {"database": self._server.place.name}
