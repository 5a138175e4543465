"""Text that is being said: it grows piece by piece, and becomes an event when it is committed."""

from hector.agent.v1 import RunEvent


class OpenText:
    """What is said of an artifact and not committed yet.

    No message of protobuf: a text that is set in one again and again takes memory for each time.
    """

    __slots__ = ("_pieces", "append", "artifact_id", "size")

    def __init__(self, artifact_id: str, text: str = "", *, append: bool = False) -> None:
        """Begin.

        Args:
            artifact_id: What it is a part of.
            text: Its beginning.
            append: The artifact is there already.
        """
        self.artifact_id, self.append = artifact_id, append
        self._pieces = [text]
        self.size = len(text)
        """How many characters there are."""

    @property
    def text(self) -> str:
        """All of it."""
        pieces = self._pieces
        if len(pieces) > 1:
            pieces[:] = ("".join(pieces),)
        return pieces[0]

    def add(self, text: str) -> None:
        """Say more."""
        self._pieces.append(text)
        self.size += len(text)

    def event(self, *, last: bool = False) -> RunEvent:
        """Return what the log has of it; `last`: it is the end of its artifact."""
        event = RunEvent()
        appended = event.text_appended  # filled field by field: by names at once it takes twice as long
        appended.artifact_id, appended.text = self.artifact_id, self.text
        appended.append, appended.last = self.append, last
        return event
