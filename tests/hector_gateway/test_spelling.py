"""Events and tasks are turned into JSON once for all who are shown the same one in the same way."""

import orjson

import hector_a2a as a2a
from hector_gateway import spelling
from hector_gateway.operations import PLACE, place_of
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
    first = one.spelled(piece("a"))
    assert first == one.spelled(bytes(bytearray(piece("a"))))
    assert first[1] == "3.1"
    assert orjson.loads(first[0])["artifactUpdate"]["artifact"]["parts"] == [{"text": "a"}]
    assert one.spelled(piece("b")) != first
    assert len(made) == 2


def test_no_more_is_kept_than_there_is_use_for(monkeypatch):
    monkeypatch.setattr(spelling, "MOST", 3)
    monkeypatch.setattr(spelling, "LARGEST", 100)
    made: list[object] = []
    one = Spelling(READ, place_of, counted(made))
    for text in ["a", "b", "c", "d", "x" * 200]:
        one.spelled(piece(text))
    assert len(one._kept) == 3
    for text in ["b", "c", "d"]:
        one.spelled(piece(text))
    assert len(made) == 5
    one.spelled(piece("a"))
    one.spelled(piece("x" * 200))
    assert len(made) == 7


def test_each_kind_of_client_has_its_own_words():
    spellings = Spellings()
    plain = spellings.of("SendStreamingMessage", "1.0", make=lambda: Spelling(READ, place_of))
    again = spellings.of("SendStreamingMessage", "1.0", make=lambda: Spelling(READ, place_of))
    other = spellings.of(
        "message/stream", "0.3", make=lambda: Spelling(READ, place_of, lambda _: {"kind": "x"})
    )
    assert plain is again
    assert other.spelled(piece("a"))[0] == b'{"kind":"x"}'
    assert plain.spelled(piece("a"))[0] != other.spelled(piece("a"))[0]


def test_a_task_that_has_not_changed_is_spelled_once_and_one_that_has_is_spelled_anew():
    made: list[object] = []
    task = a2a.Task(id="t")
    one = Spelling(a2a.Task.FromString, None, counted(made))
    first = one.spelled(task.SerializeToString())
    assert first == one.spelled(task.SerializeToString())
    assert len(made) == 1
    task.status.state = a2a.TASK_STATE_COMPLETED
    assert orjson.loads(one.spelled(task.SerializeToString())[0])["status"]["state"] == "TASK_STATE_COMPLETED"
    assert first[1] is None
