"""Commands on their way to whoever works on a run: rows beside it, which say what is wanted and by whom."""

from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from google.protobuf.message import DecodeError

from hector.agent.v1 import Signal, SignalReceived
from hector_store import SignalRow

KINDS = {"cancel": "cancel", "pause": "pause", "resume": "resume", "wake_json": "wake"}
"""What signals are called beside runs."""


class Wish(NamedTuple):
    """A command that waits for the owner of a run."""

    id: int
    run: str
    said: SignalReceived

    @property
    def kind(self) -> str:
        """Say what is wanted, as `Signal` calls it; "" if that is not known here."""
        return self.said.signal.WhichOneof("signal") or ""


def written(signal: Signal, principal: str) -> tuple[str, bytes]:
    """Return the kind and the payload of a row."""
    said = SignalReceived(signal=signal, principal=principal)
    return KINDS[signal.WhichOneof("signal") or ""], said.SerializeToString()


def wishes_of(rows: Iterable[SignalRow]) -> list[Wish]:
    """Return what rows say, in order. Of what cannot be read, nothing but its number is left.

    Rows of versions that wrote no principal are of that sort: they were acted upon when they were written.
    """
    found: list[Wish] = []
    for row in rows:
        said = SignalReceived()
        with suppress(DecodeError):
            said = SignalReceived.FromString(row.payload)
        if KINDS.get(said.signal.WhichOneof("signal") or "") != row.kind:
            said = SignalReceived()
        found.append(Wish(row.id, row.run_id, said))
    return found
