"""Readers of runs that are not at work here: of those that wait for somebody, and of other processes' runs.

A run has one feed in this process, whoever writes it. While the run is at work here that is its `Run`, and
before and after a `Mirror`; who reads goes from one to the other without noticing.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from contextvars import Context
from functools import partial
from weakref import WeakValueDictionary

from hector_mesh import HectorError, Peers
from hector_store import Hints, RunLog, Standing

from .errors import RunLost, ShuttingDown
from .feed import Feed
from .mirror import Mirror
from .watching import Watch

logger = logging.getLogger(__name__)

TAKING_S = 5.0
"""How long it may take a process to take up a run that waits, before others answer that it does."""
WAITING = frozenset({"RUN_STATE_INPUT_REQUIRED", "RUN_STATE_AUTH_REQUIRED"})


class Elsewhere:
    """The feeds of runs that are not at work here, as long as anybody reads them. Use inside `running()`."""

    def __init__(self) -> None:
        self._feeds: WeakValueDictionary[str, Feed] = WeakValueDictionary()
        self._mirrors: dict[str, tuple[Mirror, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking: set[str] = set()
        """Runs that are about to be at work here."""
        self._start: Callable[[str, Feed], None] | None = None
        self._watch: Watch | None = None
        self.has_taken: Callable[[str], None] | None = None
        """Is told of runs that are taken over, or up again, by this process."""

    @asynccontextmanager
    async def running(self, log: RunLog, peers: Peers, hints: Hints) -> AsyncIterator[None]:
        """Follow runs until the block ends.

        Args:
            log: Where they are.
            peers: How the processes are reached that work on them.
            hints: What other processes say.
        """
        self._watch = watch = Watch(log)
        self._start = partial(self._begin, log, peers, watch)
        create_task = asyncio.get_running_loop().create_task
        looking = create_task(watch.look(), context=Context())
        listening = create_task(watch.listen(hints), context=Context())
        for run, feed in tuple(self._feeds.items()):
            self._watched(run, there_are_readers=bool(feed.followers))
        try:
            yield
        finally:
            self._start = None
            for run in tuple(self._mirrors):
                self._stop(run)
            looking.cancel()
            listening.cancel()
            await asyncio.wait({looking, listening, *self._tasks})

    def feed(self, run: str) -> Feed:
        """Return what a reader of a run follows that is not at work here; ask before you read its row."""
        found = self._feeds.get(run)
        if found is None:
            found = self._feeds[run] = Feed()
            found.watched = partial(self._watched, run)
        return found

    def keep(self, run: str, feed: Feed) -> None:
        """Keep the feed of a run that waits from now on, or was lost by this process; it is not ended."""
        self._taking.discard(run)
        self._feeds[run] = feed
        feed.watched = partial(self._watched, run)
        feed.dismiss_mirrors()
        self._watched(run, there_are_readers=bool(feed.followers))

    def take(self, run: str, next_seq: int) -> Feed:
        """Return the feed of a run that is taken up here, or a new one; `taken` or `left` comes next.

        Others still find the feed here until then.

        Args:
            run: The run.
            next_seq: The event that will be committed next.
        """
        self._taking.add(run)
        self._stop(run)
        feed = self.feed(run)
        feed.begin(next_seq)
        return feed

    def taken(self, run: str) -> None:
        """Take note that a run is at work here, and found there."""
        self._taking.discard(run)
        feed = self._feeds.pop(run, None)
        if feed is not None:
            feed.watched = None
        if self.has_taken is not None:
            self.has_taken(run)

    def left(self, run: str) -> None:
        """Take note that a run could not be taken up: it is elsewhere, still or again."""
        self._taking.discard(run)
        feed = self._feeds.get(run)
        if feed is not None:
            self._watched(run, there_are_readers=bool(feed.followers))

    async def settled(self, run: str) -> Standing | None:
        """Return how a run stands once it is over or waits for somebody; None: it is gone.

        Raises:
            HectorError: Nobody can tell any more: this process ends.
        """
        async with self.changes(run) as changes:
            async for standing in changes:
                if standing is None or standing.finished or standing.state in WAITING:
                    return standing
        return None

    async def let_be(self, run: str) -> None:
        """Wait until nobody is about to take up a run that waits: he has, or is gone; not for very long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(TAKING_S), self.changes(run) as changes:
                async for standing in changes:
                    if standing is None or not standing.worker or standing.state not in WAITING:
                        return

    @asynccontextmanager
    async def changes(self, run: str) -> AsyncIterator[AsyncIterator[Standing | None]]:
        """Give how a run stands, now and after each change; None where it is gone.

        Raises:
            HectorError: As `settled`.
        """
        if self._watch is None:
            raise ShuttingDown
        with self._watch.watching(run) as watched:
            async with aclosing(watched.changes()) as changes:
                yield changes

    def end(self, failure: HectorError) -> None:
        """Let all readers go."""
        if self._watch is not None:
            self._watch.end(failure)
        for run in tuple(self._mirrors):
            self._stop(run)
        self._start = None
        for feed in tuple(self._feeds.values()):
            feed.end(failure)

    def _watched(self, run: str, there_are_readers: bool) -> None:
        feed = self._feeds.get(run)
        if not there_are_readers or run in self._taking:
            self._stop(run)
        elif self._start is not None and feed is not None and not feed.over and run not in self._mirrors:
            self._start(run, feed)

    def _begin(self, log: RunLog, peers: Peers, watch: Watch, run: str, feed: Feed) -> None:
        mirror = Mirror(log, peers, watch, run, feed)
        # An empty context: it must not inherit, and so die with, the call of the first reader.
        task = asyncio.get_running_loop().create_task(mirror.keep(), context=Context())
        self._mirrors[run] = mirror, task
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, run))

    def _stop(self, run: str) -> None:
        mirror, task = self._mirrors.pop(run, (None, None))
        if mirror is not None and task is not None:
            mirror.stop()
            task.cancel()

    def _ended(self, run: str, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        mirror, found = self._mirrors.get(run, (None, None))
        if mirror is not None and found is task:
            del self._mirrors[run]
        if not task.cancelled() and (error := task.exception()) is not None:
            # The border: a bug must not leave readers without an end.
            logger.error("run elsewhere could not be followed", exc_info=error, extra={"run": run})
            if (feed := self._feeds.get(run)) is not None:
                feed.end(RunLost(run))
