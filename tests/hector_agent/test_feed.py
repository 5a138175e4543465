"""The live end of a run: what readers get of it, and nothing twice."""

from hector.agent.v1 import RunEvent
from hector_agent.feed import Cursor, Feed, Follower


def events(*places: int) -> list[RunEvent]:
    return [RunEvent(seq=seq) for seq in places]


def seen(feed: Feed, follower: Follower) -> list[int]:
    return [shown.event.seq for shown in feed.behind(follower)]


def test_who_read_the_log_between_a_commit_and_its_publication_gets_nothing_twice():
    """A task is answered: both events are committed, and who asks for it has them before the feed."""
    feed = Feed(9)
    early = Follower(Cursor(8))
    feed.join(early)
    feed.begin(11)
    late = Follower(Cursor(10))
    feed.join(late)
    feed.publish(events(9, 10))
    assert seen(feed, late) == []
    feed.publish(events(11))
    assert seen(feed, late) == [11]
    assert early.seq + 1 < feed.first  # it reads the log


def test_what_only_the_rest_of_was_missed_comes():
    feed, follower = Feed(9), Follower(Cursor(9))
    feed.join(follower)
    feed.begin(10)
    feed.publish(events(9, 10, 11))
    assert seen(feed, follower) == [10, 11]
