"""What a handler did before it was called again: a leg begins with a message, or with what woke the task.

When its process dies in the middle of a leg, the handler is called again from the leg's beginning. What it
said in that leg is void and replaced, what it changed in the state is taken back, and what it does once stays
done.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import hector_a2a as a2a
from hector.agent.v1 import ArtifactSaved, RunEvent, StateChanged
from hector_agent.conversation import from_a2a
from hector_agent.in_doubt import Verdict, understood
from hector_agent.packing import packed, unpack
from hector_agent.run import Run
from hector_agent.view import INTERRUPTED, artifact_ids, fold, new_task

CHECKPOINT = "checkpoint of a plugin"
"""The step under which an agent that is a plugin has its state kept. It goes on from there, so what it had
said before that stays said."""


@dataclass(slots=True)
class Leg:
    """Where a handler is called, and what is known of earlier calls."""

    number: int = 1
    attempt: int = 1
    """How often it is called for the same message, this time included."""
    message: "a2a.Message | None" = None
    """What it answers; None: the user's last message."""
    known: frozenset[str] = frozenset()
    """Artifacts of earlier legs."""
    takes_back: list[RunEvent] = field(default_factory=list)
    """Undoes what an earlier attempt changed that is not void by itself."""
    taken_back: dict[str, object] = field(default_factory=dict)
    """State keys as they were when the leg began; None: not there."""
    done: dict[str, str] = field(default_factory=dict)
    """Steps that are done once, and what they gave, as JSON."""
    begun: dict[str, str] = field(default_factory=dict)
    """Steps that have begun, and of whose end nothing is known: their effect ids."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    """What a person said of those."""
    unanswered: Sequence[str] = ()
    """Steps that a person was asked about, whose answer nobody can understand."""

    @property
    def resumes(self) -> bool:
        """The task waited for somebody before this leg."""
        return self.number > 1


def leg_of(run: Run, own: Sequence[RunEvent]) -> Leg:
    """Return where a run's handler is to be called.

    Args:
        run: The run, with the message that it goes on with.
        own: Its events before that; empty for a new one.
    """
    leg, start, doubted = Leg(), 0, list[str]()
    waits = False
    for index, event in enumerate(own):
        kind = event.WhichOneof("event")
        if kind == "turn_parked":
            doubted = list(event.turn_parked.in_doubt)
        elif kind == "message_received" and doubted:
            _answer(leg, doubted, _message(event))
            doubted, waits = [], False
            leg.attempt += 1
        elif kind == "message_received" or (
            waits and kind == "signal_received" and event.signal_received.signal.wake_json
        ):
            start, leg.attempt = index, 1
            if kind == "message_received":
                leg.message = _message(event)
        elif kind == "owner_changed" and not waits:
            leg.attempt += event.owner_changed.epoch != run.place.epoch  # this one is counted below
        elif kind == "status_changed":
            waits = event.status_changed.state in INTERRUPTED
            leg.number += waits and not doubted
        elif kind == "step_started":
            leg.begun[event.step_started.name] = event.step_started.effect_id
            leg.verdicts = {
                name: one for name, one in leg.verdicts.items() if name != event.step_started.name
            }
        elif kind == "step_finished":
            leg.begun.pop(event.step_finished.name, None)
            leg.done[event.step_finished.name] = event.step_finished.result_json
            if event.step_finished.name == CHECKPOINT:
                start = index + 1
    if not own or (waits and not doubted):  # a leg begins here
        leg.attempt, leg.message = 1, None
        leg.known = artifact_ids(run.task)
        return leg
    if waits:
        _answer(leg, doubted, last_said(run))
    leg.attempt += 1
    _take_back(leg, own[:start], own[start:], run)
    return leg


def _take_back(leg: Leg, before: Sequence[RunEvent], void: Sequence[RunEvent], run: Run) -> None:
    """Find out what has to be undone of attempts that came to nothing."""
    earlier = fold(new_task(run.place.run, run.place.context), before)
    leg.known = artifact_ids(earlier)
    touched = set[str]()
    for event in void:
        kind = event.WhichOneof("event")
        if kind == "text_appended":
            touched.add(event.text_appended.artifact_id)
        elif kind == "artifact_saved":
            unpack(event.artifact_saved.artifact, artifact := a2a.Artifact())
            touched.add(artifact.artifact_id)
        elif kind == "state_changed" and event.state_changed.before_json:
            was = json.loads(event.state_changed.before_json)
            leg.taken_back = {**was, **leg.taken_back}
    run.void = frozenset(touched - leg.known)
    for artifact in earlier.artifacts:
        if artifact.artifact_id in touched:
            leg.takes_back.append(RunEvent(artifact_saved=ArtifactSaved(artifact=packed(artifact))))
    if leg.taken_back:
        written = json.dumps(leg.taken_back, ensure_ascii=False)
        leg.takes_back.append(RunEvent(state_changed=StateChanged(delta_json=written)))


def _answer(leg: Leg, doubted: Sequence[str], said: "a2a.Message") -> None:
    found = understood(from_a2a(said), doubted)
    if found is None:
        leg.unanswered = doubted
    else:
        leg.verdicts, leg.unanswered = found, ()


def _message(event: RunEvent) -> "a2a.Message":
    unpack(event.message_received.message, message := a2a.Message())
    return message


def last_said(run: Run) -> "a2a.Message":
    """Return the last message of the user's."""
    for message in reversed(run.task.history):
        if message.role == a2a.ROLE_USER:
            return message
    raise AssertionError("every run begins with a message of its user's")
