"""Server-sent events, from bytes as they come to the data of whole events."""

from hector_llm.openai.answers import NotAnAnswerError

MAX_EVENT_BYTES = 8 * 1024 * 1024


class EventReader:
    """Cuts a stream of bytes into events; only their data matters, comments and other fields are left out.

    Lines may end in LF, CRLF or CR and may be split anywhere between two reads.
    """

    __slots__ = ("_held", "_rest", "seen")

    def __init__(self) -> None:
        self._rest = b""
        self._held = b""
        self.seen = False
        """At least one event has had data."""

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of every event that `piece` completes.

        Raises:
            NotAnAnswerError: One event is larger than 8 MiB.
        """
        if self._held:
            piece = self._held + piece
            self._held = b""
        if b"\r" in piece:
            if piece.endswith(b"\r"):  # it may be half of a CRLF
                self._held, piece = b"\r", piece[:-1]
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        text = self._rest + piece
        if not self.seen:
            text = text.removeprefix(b"\xef\xbb\xbf")
        if text.startswith(b"data:") and text.endswith(b"\n\n"):
            # Whole events of one line each, as models send them: this is the way that has to be fast.
            found = text[5:-2].split(b"\n\ndata:")
            if text.count(b"\n") == 2 * len(found):
                self._rest, self.seen = b"", True
                return [data.strip() for data in found]
        *events, self._rest = text.split(b"\n\n")
        if len(self._rest) > MAX_EVENT_BYTES:
            raise NotAnAnswerError(f"an event of more than {MAX_EVENT_BYTES} bytes")
        return self._data_of(events)

    def rest(self) -> list[bytes]:
        """Return the data of a last event whose end is missing, at the end of the stream."""
        events, self._rest, self._held = [self._rest], b"", b""
        return self._data_of(events)

    def _data_of(self, events: list[bytes]) -> list[bytes]:
        found = []
        for event in events:
            if event.startswith(b"data:") and b"\n" not in event:
                found.append(event[5:].strip())
            elif event:
                lines = event.split(b"\n")
                data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
                if data:
                    found.append(b"\n".join(data).strip())
        if found:
            self.seen = True
        return found
