"""Readers of runs that wait for somebody: nobody works on such a run, and who follows it stays."""

from weakref import WeakValueDictionary

from hector_mesh import HectorError

from .feed import Feed


class Waiting:
    """The feeds of runs that wait, as long as anybody reads them.

    Who parks a run keeps its feed here; who takes it up again takes the feed, and the readers with it. Until
    that is written, and the run at work, others still find the feed here.
    """

    def __init__(self) -> None:
        self._feeds: WeakValueDictionary[str, Feed] = WeakValueDictionary()

    def feed(self, run: str) -> Feed:
        """Return what a reader of a waiting run follows. To be asked before the run's row is read."""
        found = self._feeds.get(run)
        if found is None:
            found = self._feeds[run] = Feed()
        return found

    def keep(self, run: str, feed: Feed) -> None:
        """Keep the feed of a run that is parked; it must not be ended."""
        self._feeds[run] = feed

    def take(self, run: str, next_seq: int) -> Feed:
        """Return the feed of a run that is taken up again, or a new one; `taken` comes next.

        Args:
            run: The run.
            next_seq: The event that will be committed next.
        """
        feed = self.feed(run)
        feed.begin(next_seq)
        return feed

    def taken(self, run: str) -> None:
        """Take note that a run is at work, and found there."""
        self._feeds.pop(run, None)

    def end(self, failure: HectorError) -> None:
        """Let all readers go."""
        for feed in tuple(self._feeds.values()):
            feed.end(failure)
