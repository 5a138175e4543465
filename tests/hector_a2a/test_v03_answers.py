"""Answers of A2A 0.3 as our client reads them: what v03 makes of 1.0, it gets back."""

import pytest
from google.protobuf import json_format

import hector_a2a as a2a
from hector_a2a import v03, v03_answers
from hector_a2a.json_in import from_json
from hector_a2a.json_out import to_json

STATUS = {"state": "TASK_STATE_WORKING", "timestamp": "2026-01-31T12:00:00Z"}
MESSAGE = {
    "messageId": "m",
    "contextId": "c",
    "taskId": "t",
    "role": "ROLE_AGENT",
    "parts": [
        {"text": "hi", "metadata": {"a": 1}},
        {"data": {"x": [1, 2]}},
        {"data": [1, "two"]},
        {"url": "https://x/y", "mediaType": "image/png", "filename": "y.png"},
        {"raw": "aGk=", "mediaType": "text/plain"},
    ],
}
ARTIFACT = {"artifactId": "a", "name": "A", "parts": MESSAGE["parts"]}
TASK = {
    "id": "t",
    "contextId": "c",
    "status": {**STATUS, "message": MESSAGE},
    "artifacts": [ARTIFACT],
    "history": [{**MESSAGE, "role": "ROLE_USER"}],
    "metadata": {"hector.seq": "7"},
}
EVENTS = [
    {"task": TASK},
    {"message": MESSAGE},
    {"statusUpdate": {"taskId": "t", "contextId": "c", "status": STATUS, "metadata": {"hector.seq": "8"}}},
    {
        "artifactUpdate": {
            "taskId": "t",
            "contextId": "c",
            "artifact": ARTIFACT,
            "append": True,
            "lastChunk": True,
        }
    },
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: next(iter(event)))
def test_an_event_that_was_made_old_is_read_as_what_it_was(event):
    old = v03.result_from_v1("message/stream", event)
    read = from_json(v03_answers.answer_in_v1(old), a2a.StreamResponse, complete=False)
    assert read == json_format.ParseDict(event, a2a.StreamResponse())


def test_a_task_is_read_as_what_it_was():
    old = v03.result_from_v1("tasks/get", TASK)
    assert from_json(v03_answers.task_in_v1(old), a2a.Task, complete=False) == json_format.ParseDict(
        TASK, a2a.Task()
    )


def test_a_request_says_the_same_in_0_3():
    request = a2a.SendMessageRequest()
    json_format.ParseDict({**MESSAGE, "role": "ROLE_USER"}, request.message)
    request.configuration.return_immediately = True
    request.metadata["k"] = "v"
    old = v03_answers.request_in_v03(to_json(request))
    assert old["configuration"] == {"blocking": False}
    assert v03.request_to_v1("message/send", old) == to_json(request)


def test_a_time_without_a_zone_is_utc():
    old = {"kind": "task", "id": "t", "status": {"state": "completed", "timestamp": "2026-01-31T12:00:00"}}
    read = from_json(v03_answers.task_in_v1(old), a2a.Task, complete=False)
    assert read.status.timestamp.ToJsonString() == "2026-01-31T12:00:00Z"
