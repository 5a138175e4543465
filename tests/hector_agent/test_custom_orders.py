"""Ours: however a handler mixes what it says with waiting, stream, task and log tell the same."""

import json
import random

import pytest
from support.custom_agent import answering, said
from support.scripted_agent import as_ada

import hector_a2a as a2a

SOURCE = """
    import asyncio, json
    from hector_agent.custom import artifact, data, metadata, piece, working

    async def echo(turn):
        for word, *rest in json.loads(turn.text):
            if word == "text":
                yield rest[0]
            elif word == "data":
                yield data(rest[0])
            elif word == "artifact":
                yield artifact(*rest[1:], id=rest[0])
            elif word == "piece":
                yield piece(rest[0], rest[1], append=rest[2])
            elif word == "working":
                yield working(rest[0])
            elif word == "metadata":
                yield metadata({"n": rest[0]})
            elif word == "state":
                turn.state["n"] = rest[0]
            else:
                await asyncio.sleep(rest[0])
"""


WORDS = ["text", "text", "text", "data", "artifact", "piece", "working", "metadata", "state", "wait", "wait"]


def script(seed: int) -> tuple[list[list], dict[str, list]]:
    """Return what a handler does, and the artifacts that this makes."""
    dice, told = random.Random(seed), list[list]()
    made: dict[str, list] = {}
    for number in range(dice.randint(1, 25)):
        match dice.choice(WORDS):
            case "text":
                told.append(["text", f"t{number} "])
                made.setdefault("answer-1", []).append(f"t{number} ")
            case "data":
                told.append(["data", {"n": number}])
                made.setdefault("answer-1", []).append(number)
            case "artifact":
                name = dice.choice("ab")
                told.append(["artifact", name, f"w{number}"])
                made[name] = [f"w{number}"]
            case "piece":
                name = dice.choice("ab")
                append = name in made and dice.random() < 0.8
                told.append(["piece", name, f"p{number}", append])
                made[name] = [*(made[name] if append else []), f"p{number}"]
            case "wait":
                told.append(["wait", dice.choice([0, 0, 0.001, 0.004])])
            case word:
                told.append([word, f"{word} {number}"])
    return told, {name: joined(parts) for name, parts in made.items()}


def joined(parts: list) -> list:
    """Return parts with text that follows text in one."""
    found: list = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        else:
            found.append(part)
    return found


def parts_of(parts) -> list:
    shown = [int(part.data.struct_value["n"]) if part.HasField("data") else part.text for part in parts]
    return joined([part for part in shown if part != ""])


@pytest.mark.parametrize("seed", range(12))
async def test_stream_task_and_log_tell_the_same(mesh_under_test, tmp_path, monkeypatch, seed):
    monkeypatch.setattr("hector_agent.writing.FLUSH_S", 0.002)  # text is written in the middle of all this
    async with answering(mesh_under_test, tmp_path, SOURCE) as agent:
        with as_ada():
            for number in range(6):
                told, made = script(seed * 100 + number)
                request = said(json.dumps(told), context="c" if number % 2 else "")
                events = [event async for event in agent.SendStreamingMessage(request)]
                task = await agent.GetTask(a2a.GetTaskRequest(id=events[0].task.id))
                assert task.status.state == a2a.TASK_STATE_COMPLETED
                assert {one.artifact_id: parts_of(one.parts) for one in task.artifacts} == made, told
                assert retold(events) == made, told
                blocking = (await agent.SendMessage(request)).task
                assert {one.artifact_id: parts_of(one.parts) for one in blocking.artifacts} == made, told
                ends = [event.artifact_update for event in events if event.artifact_update.last_chunk]
                assert ("answer-1" in made) == any(one.artifact.artifact_id == "answer-1" for one in ends)


def retold(events) -> dict[str, list]:
    """Return the artifacts as a client puts them together from a stream."""
    found: dict[str, a2a.Artifact] = {one.artifact_id: one for one in events[0].task.artifacts}
    ended = set()
    for event in events[1:]:
        if event.HasField("artifact_update"):
            update = event.artifact_update
            name = update.artifact.artifact_id
            if update.append:
                assert name in found
                assert name not in ended or name != "answer-1"
            artifact = found.setdefault(name, a2a.Artifact())
            if not update.append:
                del artifact.parts[:]
            artifact.parts.extend(update.artifact.parts)
            if update.last_chunk:
                ended.add(name)
    return {name: parts_of(artifact.parts) for name, artifact in found.items()}
