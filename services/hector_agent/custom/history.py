"""What was said in a session, as A2A's messages: the users' as they came, and one for each answer."""

from collections.abc import Iterable

import hector_a2a as a2a
from hector.agent.v1 import RunEvent
from hector_agent.packing import unpack
from hector_agent.view import INTERRUPTED, SHOWN, fold, new_task


def messages_said(events: Iterable[RunEvent]) -> list["a2a.Message"]:
    """Return the messages of runs, oldest first; artifacts are parts of the answer they were made for."""
    told: list[a2a.Message] = []
    answer: list[RunEvent] = []
    run = ""
    for event in events:
        kind = event.WhichOneof("event")
        if event.run != run or kind == "message_received":
            _tell(told, answer, run)
            run, answer = event.run, []
        if kind == "message_received":
            unpack(event.message_received.message, message := a2a.Message())
            told.append(message)
        elif kind == "message_sent":
            unpack(event.message_sent.message, message := a2a.Message())
            told.append(message)
        elif kind == "status_changed" and event.status_changed.state in INTERRUPTED:
            _tell(told, answer, run)
            answer = []
            if event.status_changed.HasField("message"):
                unpack(event.status_changed.message, message := a2a.Message())
                message.task_id = event.run
                told.append(message)
        elif kind in SHOWN:
            answer.append(event)
    _tell(told, answer, run)
    return told


def _tell(told: list["a2a.Message"], answer: list[RunEvent], run: str) -> None:
    shown = fold(new_task(run, ""), answer).artifacts if answer else ()
    parts = [part for artifact in shown for part in artifact.parts]
    if parts:
        message = a2a.Message(message_id=f"{run}-answer", role=a2a.ROLE_AGENT, task_id=run, parts=parts)
        message.context_id = told[-1].context_id if told else ""
        told.append(message)
