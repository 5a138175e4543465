"""Server-sent events, cut anywhere."""

import pytest

from hector_a2a import events_in
from hector_a2a.events_in import EventReader, EventTooLong

TEXT = (
    b": comment\n\n"
    b"id: 1\ndata: one\n\n"
    b"data: two\ndata:  lines\r\n\r\n"
    b"event: odd\ndata:bare\r\r"
    b"\n\n"
    b"retry: 5\n\n"
    b"data: gr\xc3\xbcn\n\n"
    b"data: unfinished\n"
)
EVENTS = [b"one", b"two\n lines", b"bare", "grün".encode()]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_events_are_the_same_however_the_bytes_are_cut(size: int) -> None:
    """The SSE specification: line ends may be CR, LF or both; an event ends at an empty line."""
    reader = EventReader()
    found = [data for at in range(0, len(TEXT), size) for data in reader.feed(TEXT[at : at + size])]
    assert found == EVENTS


def test_an_event_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_in, "LONGEST_BYTES", 1000)
    for piece in (b"x" * 100, b"data: " + b"x" * 100 + b"\n"):
        reader = EventReader()
        with pytest.raises(EventTooLong):
            [list(reader.feed(piece)) for _ in range(20)]
