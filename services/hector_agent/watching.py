"""How runs stand that others work on: asked for all of them at once, soon after each change, else seldom."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager

from hector_mesh import HectorError
from hector_mesh.flag import Flag
from hector_store import EVENTS, Hints, RunLog, Standing

logger = logging.getLogger(__name__)

SOONEST_S = 0.025
"""How soon a run is looked at again that has changed; the pause grows while it does not."""
LONGEST_S = 0.25
"""How long the pause grows, of a run whose worker does not tell us itself."""
SELDOM_S = 1.0
"""And of one whose worker does: he may be gone, and not know it yet."""
GROWS = 1.6
LISTENS_S = 5.0
"""How long hints are listened to after nobody wants to know of any run."""
MOST_S = 5.0
"""How long the pause may be at most where very many runs are watched."""
PER_SECOND = 2_000
"""About how many rows are looked at in a second, where there are that many."""
TROUBLE_S = 0.5
"""When to look again if the database could not be asked."""


class Watched:
    """One run that somebody here wants to know of."""

    __slots__ = ("_changed", "_watch", "due", "is_told", "pause_s", "run", "standing", "users", "version")

    def __init__(self, watch: "Watch", run: str) -> None:
        self._watch, self.run = watch, run
        self._changed = Flag()
        self.standing: Standing | None = None
        """As last seen; None: it is not there."""
        self.version = 0
        """Goes up with each change; 0: not looked at yet."""
        self.is_told = False
        """Who works on it tells us what happens."""
        self.due = self.pause_s = 0.0
        self.users = 0

    def look(self) -> None:
        """Look soon: something has happened."""
        self.due = self.pause_s = 0.0
        self._watch.poke()

    async def changes(self) -> AsyncGenerator[Standing | None, None]:
        """Yield how it stands, and again when that has changed; what changes meanwhile is yielded once.

        Raises:
            HectorError: Nobody looks any more.
        """
        seen = 0
        while True:
            while self.version == seen:
                if self._watch.failure is not None:
                    raise self._watch.failure
                self._changed.clear()
                await self._changed.wait()
            seen = self.version
            yield self.standing

    def saw(self, standing: Standing | None, now: float, longest_s: float) -> None:
        """Take note of how it stands."""
        if self.version and standing == self.standing:
            self.pause_s = min(longest_s, max(self.pause_s, SOONEST_S) * GROWS)
        else:
            self.standing, self.pause_s = standing, SOONEST_S
            self.version += 1
            self._changed.set()
        self.due = now + self.pause_s

    def wake(self) -> None:
        """Let go on who waits."""
        self._changed.set()


class Watch:
    """Looks after all runs that are watched, with one statement each time."""

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self._watched: dict[str, Watched] = {}
        self._poked, self._any = Flag(), Flag()
        self._looked_at = 0.0
        self.failure: HectorError | None = None
        """Why nobody looks any more."""

    @contextmanager
    def watching(self, run: str) -> Iterator[Watched]:
        """Know of a run until the block ends."""
        found = self._watched.get(run)
        if found is None:
            found = self._watched[run] = Watched(self, run)
        found.users += 1
        self._any.set()
        found.look()
        try:
            yield found
        finally:
            found.users -= 1
            if not found.users:
                del self._watched[run]

    def poke(self) -> None:
        """Look at what is due."""
        self._poked.set()

    async def listen(self, hints: Hints) -> None:
        """Look sooner when other processes say that they have committed something; until cancelled."""
        while True:
            await self._any.wait()
            with hints.subscribe(EVENTS, foreign=True) as flag:
                while self._watched:
                    if await flag.raised(LISTENS_S):
                        self._hinted()
                        await asyncio.sleep(SOONEST_S)  # those that come meanwhile are one
                self._any.clear()

    def _hinted(self) -> None:
        soonest = self._looked_at + max(SOONEST_S, len(self._watched) / PER_SECOND / 4)
        for watched in self._watched.values():
            if not watched.is_told:
                watched.due = min(watched.due, soonest)
        self.poke()

    def end(self, failure: HectorError) -> None:
        """Let everybody go who waits."""
        self.failure = failure
        for watched in self._watched.values():
            watched.wake()

    async def look(self) -> None:
        """Look until cancelled."""
        time = asyncio.get_running_loop().time
        while True:
            self._poked.clear()
            now = time()
            due = [watched for watched in self._watched.values() if watched.due <= now]
            if due:
                await self._look_at(due)
                continue
            if self._watched:
                next_due = min(watched.due for watched in self._watched.values())
                await self._poked.happens_within(max(next_due - now, 0.0))
            else:
                await self._poked.wait()

    async def _look_at(self, due: Sequence[Watched]) -> None:
        loop = asyncio.get_running_loop()
        self._looked_at = now = loop.time()
        for watched in due:
            watched.due = now + MOST_S  # who wants it sooner from now on says so, and is heard
        try:
            found: Mapping[str, Standing] | None = await self._log.standings([watched.run for watched in due])
        except HectorError as error:
            logger.warning("runs elsewhere could not be looked at", extra={"reason": error.reason})
            found = None
        except Exception:
            # A border: a bug must not end this loop, on which all streams of runs elsewhere hang.
            logger.exception("looking at runs elsewhere met a bug")
            found = None
        if found is None:
            for watched in due:
                watched.due = min(watched.due, loop.time() + TROUBLE_S)
            return
        many_s = min(MOST_S, len(self._watched) / PER_SECOND)
        for watched in due:
            asked_for = watched.due
            longest_s = max(SELDOM_S if watched.is_told else LONGEST_S, many_s)
            watched.saw(found.get(watched.run), loop.time(), longest_s)
            watched.due = min(watched.due, asked_for)
