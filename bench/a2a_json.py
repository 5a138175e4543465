"""How long our JSON converters take against protobuf's own. Run: python bench/a2a_json.py."""

import timeit
from collections.abc import Callable

import orjson
from google.protobuf import json_format

import hector_a2a as a2a
from hector_a2a.json_in import decode
from hector_a2a.json_out import encode

TEXT = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all. " * 4


def task() -> a2a.Task:
    found = a2a.Task(
        id="task-1", context_id="context-1", status=a2a.TaskStatus(state=a2a.TASK_STATE_COMPLETED)
    )
    found.status.timestamp.FromJsonString("2026-01-31T12:00:00.123Z")
    for turn in range(6):
        message = found.history.add(message_id=f"m{turn}", role=1 + turn % 2, context_id="context-1")
        message.parts.add(text=TEXT)
        message.metadata.update({"tokens": 120, "model": "fast", "tags": ["a", "b"]})
    artifact = found.artifacts.add(artifact_id="answer", name="answer")
    artifact.parts.add(text=TEXT)
    artifact.parts.add().data.struct_value.update({"rows": [{"a": 1, "b": "two"}, {"a": 3, "b": "four"}]})
    return found


def event() -> a2a.StreamResponse:
    found = a2a.StreamResponse()
    update = found.artifact_update
    update.task_id, update.context_id, update.append = "task-1", "context-1", True
    update.artifact.artifact_id = "answer"
    update.artifact.parts.add(text="a few words")
    return found


def request() -> a2a.SendMessageRequest:
    found = a2a.SendMessageRequest()
    found.message.message_id, found.message.role = "m", a2a.ROLE_USER
    found.message.parts.add(text="What is the mesh?")
    return found


def micros(run: Callable[[], object]) -> float:
    timer = timeit.Timer(run)
    number, _ = timer.autorange()
    return min(timer.repeat(5, number)) / number * 1e6


def main() -> None:
    print(f"{'':16}{'bytes':>8}{'ours out':>10}{'theirs':>10}{'ours in':>10}{'theirs':>10}   (us)")
    for name, message in {"task": task(), "stream event": event(), "send request": request()}.items():
        kind, text = type(message), encode(message)
        assert decode(text, kind) == message

        figures = (
            micros(lambda m=message: encode(m)),
            micros(lambda m=message: orjson.dumps(json_format.MessageToDict(m))),
            micros(lambda t=text, k=kind: decode(t, k)),
            micros(lambda t=text, k=kind: json_format.Parse(t, k())),
        )
        print(f"{name:16}{len(text):8}" + "".join(f"{figure:10.1f}" for figure in figures))


if __name__ == "__main__":
    main()
