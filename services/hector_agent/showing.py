"""What a run shows: its task as last committed, its events, and the text that is not committed yet."""

import hector_a2a as a2a
from hector.agent.v1 import RUN_STATE_UNSPECIFIED, RunState
from hector_store import RunLog

from .errors import RunLost
from .feed import Feed
from .growing import OpenText
from .live_task import LiveTask
from .moment import Place
from .view import FINAL


class RunShown:
    """What is to be seen of a run that this process owns."""

    # As it is at first, in most runs also at last: in the class, since every answer makes one of these.
    state: "RunState.ValueType" = RUN_STATE_UNSPECIFIED
    _open: OpenText | None = None
    _shown: OpenText | None = None
    """Open text that readers may see, where there have been none yet."""
    _growing = ""  # the artifact that is not marked as ended yet
    _is_closed = False
    void: frozenset[str] = frozenset()
    """Artifacts that begin anew when there is more of them: another owner was in the middle of them."""

    def __init__(
        self, log: RunLog, place: Place, task: "a2a.Task", next_seq: int, feed: Feed | None = None
    ) -> None:
        self.place = place
        self._live = LiveTask(task)
        self._feed = feed
        self._log = log
        self._next_seq = next_seq

    @property
    def feed(self) -> Feed:
        """The live end of its log: there is none until somebody wants to read it."""
        feed = self._feed
        if feed is None:
            feed = self._feed = Feed(self._next_seq)
            if self._shown is not None:
                feed.show(self._shown)
            if self._is_closed:
                self._end(feed)
        return feed

    @property
    def over(self) -> bool:
        """The run has reached a state that it never leaves."""
        return self.state in FINAL

    @property
    def growing(self) -> str:
        """The artifact whose text was shown last, and is not marked as ended yet."""
        return self._growing

    def takes_back(self, artifact_id: str) -> bool:
        """Return whether what there is of an artifact is void, and be done with that: it begins anew now."""
        if artifact_id not in self.void:
            return False
        self.void -= {artifact_id}
        return True

    def _end(self, feed: Feed) -> None:
        """Let readers go once they have read everything."""
        feed.end(None if self.state in FINAL else RunLost(self.place.run))
