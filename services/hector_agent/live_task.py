"""The task of a run while it grows: what is said goes into it when somebody looks, and in few steps."""

from collections.abc import Sequence

import hector_a2a as a2a
from hector.agent.v1 import RunEvent

from .view import TOLD, fold, tell

MOST_APART = 64
"""Events that may wait at first until they are put into the task; it is doubled whenever that was done."""
SPARE_BYTES = 1 << 20
_A_CHANGE_BYTES = 500


class LiveTask:
    """A task in memory, with its state and messages always, and its artifacts when somebody looks.

    A protobuf message keeps the room of every value that its fields ever had, until it is gone itself. So
    text is added in few large pieces, and the task is copied when four fifths of its room are for nothing.
    """

    __slots__ = ("_apart", "_bytes", "_most", "_task", "_wasted")

    def __init__(self, task: "a2a.Task") -> None:
        self._task = task
        self._apart: list[RunEvent] = []
        """What was said since somebody looked, but for state and messages."""
        self._most = MOST_APART
        self._bytes = self._wasted = 0

    @property
    def told(self) -> "a2a.Task":
        """The task with its state and messages; artifacts may lack something."""
        return self._task

    @property
    def whole(self) -> "a2a.Task":
        """The task as last committed. It is not to be kept: what comes next goes into it, or into a copy."""
        if self._apart:
            self._gather()
        return self._task

    def take(self, events: Sequence[RunEvent], kinds: Sequence[str | None]) -> None:
        """Make committed events, of these kinds, part of the task."""
        apart = self._apart
        if TOLD.isdisjoint(kinds):
            apart += events
        else:
            for kind, event in zip(kinds, events, strict=True):
                if kind in TOLD:
                    tell(self._task, event, kind)
                    self._wasted += _A_CHANGE_BYTES
                else:
                    apart.append(event)
            if self._wasted > SPARE_BYTES:
                self._tidy()
        if len(apart) > self._most:
            self._most *= 2
            self._gather()

    def _gather(self) -> None:
        said, self._apart = self._apart, []
        fold(self._task, said)
        self._wasted += self._bytes  # if it was all one text, that has moved
        for event in said:
            if event.HasField("text_appended"):
                self._bytes += len(event.text_appended.text)
            elif event.HasField("artifact_saved"):
                saved = event.artifact_saved
                size = len(saved.artifact.value)
                self._bytes += size if saved.append else 0
                self._wasted += 0 if saved.append else size
        if self._wasted > SPARE_BYTES:
            self._tidy()

    def _tidy(self) -> None:
        if self._wasted > 4 * self._bytes + SPARE_BYTES:
            copy = a2a.Task()
            copy.CopyFrom(self._task)
            self._task, self._wasted = copy, 0
