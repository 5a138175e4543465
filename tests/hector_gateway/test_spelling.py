"""Events and tasks are turned into JSON once for all who are shown the same one in the same way."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import orjson

import hector_a2a as a2a
from hector_a2a.json_out import to_json
from hector_gateway import spelling
from hector_gateway.operations import place_of
from hector_gateway.pieces import PLACE, piece_in
from hector_gateway.spelling import Spelling, Spellings

READ = a2a.StreamResponse.FromString


def piece(text: str, place: str = "3.1") -> bytes:
    update = a2a.StreamResponse()
    update.artifact_update.artifact.parts.add(text=text)
    update.artifact_update.metadata[PLACE] = place
    return update.SerializeToString()


def counted(found):
    def worded(shown):
        found.append(shown)
        return shown

    return worded


def test_the_same_event_is_spelled_once():
    made: list[object] = []
    one = Spelling(READ, place_of, counted(made))
    first = one.events(b"", b"\n\n", [piece("a")])
    assert first == one.events(b"", b"\n\n", [bytes(bytearray(piece("a")))])
    assert first.startswith(b"id: 3.1\ndata: ")
    assert orjson.loads(one.spelled(piece("a")))["artifactUpdate"]["artifact"]["parts"] == [{"text": "a"}]
    assert one.spelled(piece("b")) != one.spelled(piece("a"))
    assert len(made) == 2


def test_no_more_is_kept_than_there_is_use_for(monkeypatch):
    monkeypatch.setattr(spelling, "MOST", 3)
    monkeypatch.setattr(spelling, "LARGEST", 100)
    made: list[object] = []
    one = Spelling(READ, place_of, counted(made))
    for text in ["a", "b", "c", "d", "x" * 200]:
        one.spelled(piece(text))
    assert len(one._kept) == 1
    one.spelled(piece("d"))
    assert len(made) == 5
    one.spelled(piece("a"))
    one.spelled(piece("x" * 200))
    assert len(made) == 7


def test_an_event_is_one_line_for_clients_that_know_the_ends_of_unicode():
    text = "a\u2028b\u2029c\x85d\x0be\x1cf\u20ac\u2019"
    events = Spelling(READ, place_of).events(b"", b"\n\n", [piece(text)]).decode()
    assert [line.partition(":")[0] for line in events.splitlines()] == ["id", "data", ""]
    [part] = orjson.loads(events.splitlines()[1][6:])["artifactUpdate"]["artifact"]["parts"]
    assert part == {"text": text}


def test_each_kind_of_client_has_its_own_words():
    spellings = Spellings()
    plain = spellings.of("SendStreamingMessage", "1.0", make=lambda: Spelling(READ, place_of))
    again = spellings.of("SendStreamingMessage", "1.0", make=lambda: Spelling(READ, place_of))
    other = spellings.of(
        "message/stream", "0.3", make=lambda: Spelling(READ, place_of, lambda _: {"kind": "x"})
    )
    assert plain is again
    assert other.spelled(piece("a")) == b'{"kind":"x"}'
    assert plain.spelled(piece("a")) != other.spelled(piece("a"))


def test_a_task_that_has_not_changed_is_spelled_once_and_one_that_has_is_spelled_anew():
    made: list[object] = []
    task = a2a.Task(id="t")
    one = Spelling(a2a.Task.FromString, None, counted(made))
    first = one.spelled(task.SerializeToString())
    assert first == one.spelled(task.SerializeToString())
    assert len(made) == 1
    task.status.state = a2a.TASK_STATE_COMPLETED
    assert orjson.loads(one.spelled(task.SerializeToString()))["status"]["state"] == "TASK_STATE_COMPLETED"


PLAIN: list[Callable[[Any], object]] = [
    lambda update: setattr(update, "append", True),
    lambda update: setattr(update, "last_chunk", True),
    lambda update: setattr(update, "task_id", 'quo"te'),
    lambda update: setattr(update, "context_id", "c"),
    lambda update: setattr(update.artifact, "artifact_id", "日本語"),
    lambda update: setattr(update.artifact, "name", "answer"),
    lambda update: setattr(update.artifact.parts[0], "text", ""),
    lambda update: update.metadata.update({PLACE: "17"}),
]
MORE: list[Callable[[Any], object]] = [
    lambda update: setattr(update.artifact, "description", "d"),
    lambda update: update.artifact.extensions.append("urn:x"),
    lambda update: update.artifact.metadata.SetInParent(),
    lambda update: update.artifact.parts.add(text="b"),
    lambda update: update.artifact.ClearField("parts"),
    lambda update: update.artifact.parts.add().metadata.update({"k": 1}),
    lambda update: [setattr(part, "url", "http://x") for part in update.artifact.parts],
    lambda update: [part.metadata.SetInParent() for part in update.artifact.parts],
    lambda update: [setattr(part, "media_type", "text/plain") for part in update.artifact.parts],
    lambda update: [setattr(part, "filename", "f") for part in update.artifact.parts],
    lambda update: update.metadata.update({"more": True}),
    lambda update: update.metadata.update({PLACE: "nowhere"}),
    lambda update: update.metadata.update({PLACE: 3}),
    lambda update: update.ClearField("metadata"),
    lambda update: update.ClearField("artifact"),
]
"""What an event can have beside one text; without it, it goes the short way."""


def changed(*changes: Callable[[Any], object]) -> Any:
    event = READ(piece("a"))
    for change in changes:
        change(event.artifact_update)
    return event


def test_a_piece_of_an_artifact_is_spelled_as_every_other_event():
    one = Spelling(READ, place_of)
    for event in [changed(*two) for two in combinations((*PLAIN, *MORE), 2)]:
        found = to_json(event)
        assert orjson.loads(one.spelled(event.SerializeToString())) == found, event
        place = place_of(found)
        begin = b"data: {" if place is None else b"id: %s\ndata: {" % place.encode()
        assert one.events(b"", b"", [event.SerializeToString()]).startswith(begin), event


def test_what_is_more_than_a_piece_goes_the_long_way():
    assert all(piece_in(changed(*two))[1] for two in combinations(PLAIN, 2))
    assert not any(piece_in(changed(one))[1] for one in MORE)
    status = a2a.StreamResponse(status_update=a2a.TaskStatusUpdateEvent(task_id="t"))
    assert piece_in(status) == (None, None)
