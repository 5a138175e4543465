"""Cuts bytes into lines, and lines that are too long to their beginning."""

LONGEST_BYTES = 64 * 1024
"""What of a line is kept."""
CUT = " … (cut after 64 KiB)"
"""What stands at the end of one of which some is missing."""


class Lines:
    """Makes lines of pieces, and needs no more memory for one without end than for the longest that is kept.

    A line that is cut keeps `margin` bytes more than it will show: whoever takes a secret out of it has to
    see all of it.
    """

    def __init__(self, margin: int = 0) -> None:
        self._most = LONGEST_BYTES + margin
        self._begun = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take a piece, and return the lines that are complete, or as long as any may be."""
        lines: list[bytes] = []
        start = 0
        while start < len(data):
            end = data.find(b"\n", start)
            stop = len(data) if end < 0 else end
            if not self._skipping:
                room = self._most + 1 - len(self._begun)
                self._begun += data[start : min(stop, start + room)]
                if len(self._begun) > self._most:
                    lines.append(self._taken())
                    self._skipping = True
            if end < 0:
                break
            if not self._skipping:
                lines.append(self._taken())
            self._skipping = False
            start = end + 1
        return lines

    def end(self) -> list[bytes]:
        """Return what was begun and not ended."""
        return [self._taken()] if self._begun else []

    def _taken(self) -> bytes:
        line = bytes(self._begun).rstrip(b"\r")
        self._begun.clear()
        return line


def shown(text: str) -> str:
    """Return a line as it is kept: cut, and marked, if it is too long."""
    if len(text) <= LONGEST_BYTES // 4:
        return text
    data = text.encode(errors="surrogatepass")
    return text if len(data) <= LONGEST_BYTES else data[:LONGEST_BYTES].decode(errors="ignore") + CUT
