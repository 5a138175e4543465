"""Fewer events that tell the same: pieces of text and artifacts joined, progress left out that is over.

Only what lies side by side is made one, and only where no view of the run changes by it: not its task, not
the conversation, not the session's state. What was asked, decided, called and answered stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_SUBMITTED,
    RUN_STATE_WAITING,
    RUN_STATE_WORKING,
    ArtifactSaved,
    RunEvent,
    TextAppended,
    TurnParked,
)
from hector_store import EventRow
from hector_store.history.values import Fold

from .idempotency import OPENING

MOST_BYTES = 256 * 1024
"""Of what becomes one row: readers get events whole."""

_PROGRESS = frozenset({RUN_STATE_SUBMITTED, RUN_STATE_WORKING, RUN_STATE_WAITING})
_FOLDED = frozenset({"text_appended", "artifact_saved", "status_changed", "turn_parked"})


def compacted(rows: Sequence[EventRow]) -> list[Fold]:
    """Return what becomes of events of a run that is over, in order; without those that stay as they are.

    An event of a kind that this version does not know stays, and parts what is before it from what is behind.
    """
    folds: list[Fold] = []
    open_: _Open | None = None
    for row in rows:
        event = RunEvent.FromString(row.payload) if row.kind in _FOLDED else None
        if open_ is not None and event is not None and open_.takes(event, row):
            continue
        if open_ is not None:
            folds += open_.closed()
        open_ = None if event is None else _Open(event, row.seq, event.since or row.seq, len(row.payload))
    if open_ is not None:
        folds += open_.closed()
    return folds


@dataclass(slots=True)
class _Open:
    """The event that the next one may become part of."""

    event: RunEvent
    seq: int
    since: int
    size_bytes: int
    gone: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    def takes(self, event: RunEvent, row: EventRow) -> bool:
        """Make the next event a part of this one, if it can be."""
        kind = event.WhichOneof("event")
        if kind != self.event.WhichOneof("event") or self.size_bytes + len(row.payload) > MOST_BYTES:
            return False
        if kind == "text_appended":
            is_taken = self._text(event.text_appended)
        elif kind == "artifact_saved":
            is_taken = self._artifact(event.artifact_saved)
        else:
            is_taken = kind == "status_changed" and self._status(event)
        if is_taken:
            self.gone.append(self.seq)
            self.seq = row.seq
            self.size_bytes += len(row.payload)
        return is_taken

    def closed(self) -> list[Fold]:
        """Return what became of it; nothing if it is as it was."""
        if self.event.WhichOneof("event") == "turn_parked":
            # How the turn would go on: it is over. That it waited for the answer to a call is still told.
            slim = RunEvent(
                turn_parked=TurnParked(calls=self.event.turn_parked.calls), since=self.event.since
            )
            if len(slim.SerializeToString()) < self.size_bytes:
                return [Fold(self.seq, slim.SerializeToString(), ())]
            return []
        if not self.gone:
            return []
        if self.pieces:
            self.event.text_appended.text += "".join(self.pieces)
        self.event.since = self.since
        return [Fold(self.seq, self.event.SerializeToString(), tuple(self.gone))]

    def _text(self, more: TextAppended) -> bool:
        text = self.event.text_appended
        if more.artifact_id != text.artifact_id or not more.append or text.last:
            return False
        self.pieces.append(more.text)
        text.last = more.last
        return True

    def _artifact(self, more: ArtifactSaved) -> bool:
        saved = self.event.artifact_saved
        whole, piece = a2a.Artifact(), a2a.Artifact()
        if not (saved.artifact.Unpack(whole) and more.artifact.Unpack(piece)):
            return False
        if piece.artifact_id != whole.artifact_id or not more.append or saved.last:
            return False
        whole.parts.extend(piece.parts)
        saved.artifact.Pack(whole)
        saved.last = more.last
        if more.HasField("metadata"):
            saved.metadata.MergeFrom(more.metadata)
        return True

    def _status(self, event: RunEvent) -> bool:
        """Leave progress out that another state follows at once. What it says of the task stays."""
        before = self.event.status_changed
        if before.state not in _PROGRESS or before.HasField("metadata") or before.HasField("error"):
            return False
        if self.since <= OPENING:  # whoever sends the message again reads on from there
            return False
        self.event.status_changed.CopyFrom(event.status_changed)
        return True
