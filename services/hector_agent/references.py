"""Earlier tasks that a message refers to: they must be the caller's, and a model gets to read them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.json_format import MessageToJson

import hector_a2a as a2a
from hector.common.v1 import ROLE_USER, Message, Part
from hector_mesh import Call
from hector_store import RunLog

from .ledger import task_of
from .moment import Place
from .view import SHOWN

MOST = 32
"""Tasks that one message may refer to."""

SHOWN_CHARACTERS = 16_000
"""How much of one task a model gets to read, …"""
ALL_CHARACTERS = 64_000
"""… and of all of them together."""

CUT = "\n[… cut here: the rest was too long]"


async def check_references(log: RunLog, call: Call, message: "a2a.Message") -> None:
    """Let a message pass that refers to nothing, or to tasks of the caller's, whichever agent's they are.

    Raises:
        InvalidParams: It refers to more than `MOST`.
        TaskNotFound: One is somebody else's, or there is none of that id.
    """
    wanted = message.reference_task_ids
    if len(wanted) > MOST:
        raise a2a.InvalidParams({"message.referenceTaskIds": f"may have at most {MOST}"})
    for task_id in dict.fromkeys(wanted):
        row = await log.get(call.app, call.principal.id, task_id)
        if row is None or not row.is_task:
            raise a2a.TaskNotFound(task_id)


async def referred_to(log: RunLog, place: Place, messages: Iterable["a2a.Message"]) -> list[Message]:
    """Return what a model is told of the tasks that a run's messages refer to; oldest reference first.

    Tasks of the same session are left out: they are in its conversation. So is what is gone by now.
    """
    wanted = [task_id for message in messages for task_id in message.reference_task_ids]
    told, left = [], ALL_CHARACTERS
    for task_id in dict.fromkeys(wanted):
        found = await log.story(place.app, place.owner, task_id, SHOWN)
        if found is None or found[0].context_id == place.context or left <= 0:
            continue
        text = _told(task_of(*found), min(left, SHOWN_CHARACTERS))
        left -= len(text)
        told.append(Message(role=ROLE_USER, parts=[Part(text=text)]))
    return told


def _told(task: "a2a.Task", most: int) -> str:
    state = a2a.TaskState.Name(task.status.state).removeprefix("TASK_STATE_").lower().replace("_", " ")
    asked = [message.parts for message in task.history if message.role == a2a.ROLE_USER]
    made = [artifact.parts for artifact in task.artifacts]
    pieces = [
        f"An earlier task, {task.id} ({state}), that the next message refers to.",
        *_section("It was asked:", asked),
        *_section("It answered:", made),
    ]
    text = "\n\n".join(pieces)
    return text if len(text) <= most else text[: max(0, most - len(CUT))] + CUT


def _section(title: str, groups: Sequence[Iterable[Any]]) -> Iterator[str]:
    texts = [text for parts in groups for part in parts if (text := _text_of(part))]
    if texts:
        yield title + "\n" + "\n".join(texts)


def _text_of(part: "a2a.Part") -> str:
    kind = part.WhichOneof("content")
    if kind == "text":
        return part.text
    if kind == "data":
        return MessageToJson(part.data, indent=None)
    name = part.filename or (part.url if kind == "url" else "")
    return f"[a file {name!r} of type {part.media_type or 'unknown'}]" if kind else ""
