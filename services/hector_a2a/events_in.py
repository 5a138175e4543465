"""Server-sent events, read from bytes as they arrive."""

from collections.abc import Iterator

from grpc import StatusCode

from hector_mesh import HectorError

LONGEST_BYTES = 64 * 1024 * 1024


class EventTooLong(HectorError):
    """The other side sends an event without end."""

    code = StatusCode.OUT_OF_RANGE
    reason = "EVENT_TOO_LONG"

    def __init__(self) -> None:
        super().__init__(f"the server sent an event of more than {LONGEST_BYTES} bytes")


class EventReader:
    """Takes bytes in whatever pieces they come, and gives the data of whole events.

    Lines end in CR, LF or both; comments and fields other than `data` are skipped.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._after_cr = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the data of every event that ends in this piece.

        Raises:
            EventTooLong: An event is longer than anybody would mean it to be.
        """
        if self._after_cr and piece:
            piece = piece.removeprefix(b"\n")  # of a line that has ended already
            self._after_cr = False
        self._rest += piece
        self._after_cr = piece.endswith(b"\r")
        if b"\n" not in piece and b"\r" not in piece:
            self._check()
            return
        *lines, rest = bytes(self._rest).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
                self._data_bytes += len(line)
            elif not line and self._data:
                data, self._data, self._data_bytes = b"\n".join(self._data), [], 0
                yield data
        self._check()

    def _check(self) -> None:
        if len(self._rest) + self._data_bytes > LONGEST_BYTES:
            raise EventTooLong
