"""Ours: JSON for scripts has every field, and numbers as numbers."""

from hector.agent.v1 import AgentQueue, DeadLetter, GetQueueStatsResponse, ListDeadLettersResponse
from hector_a2a.json_whole import to_whole_json


def test_nothing_is_an_empty_list():
    assert to_whole_json(ListDeadLettersResponse()) == {"deadLetters": [], "nextPageToken": ""}


def test_counts_are_numbers_and_zeros_are_there():
    found = to_whole_json(GetQueueStatsResponse(total=AgentQueue(due=2**40), oldest_due_ms=5))
    assert found["total"]["due"] == 2**40
    assert (found["total"]["dead"], found["oldestDueMs"], found["agents"]) == (0, 5, [])


def test_times_are_as_everywhere_and_left_out_where_there_are_none():
    letter = DeadLetter(run="r")
    assert "time" not in to_whole_json(letter)
    letter.time.FromMilliseconds(1)
    assert to_whole_json(letter)["time"] == "1970-01-01T00:00:00.001Z"
