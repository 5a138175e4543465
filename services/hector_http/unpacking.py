"""Bodies that a server packed although nobody asked for it, unpacked a bounded piece at a time."""

import zlib

PIECE_BYTES = 256 * 1024
_GZIP = b"\x1f\x8b"


class Unpacking:
    """Unpacks gzip and deflate; what grows beyond a piece waits for the next one."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._unpacker = zlib.decompressobj(31) if is_gzip else None
        self._left = b""
        self._full = False

    @property
    def waits(self) -> bool:
        """There is, or may be, more in what was taken in."""
        return self._full or bool(self._left)

    def feed(self, packed: bytes) -> bytes:
        """Return the next piece, of what is left and of what is added.

        Raises:
            zlib.error: It is not packed as was said.
        """
        packed = self._left + packed
        if self._unpacker is None:
            if not packed:
                return b""
            # "deflate" is to mean zlib's format, and some send the bare stream: the first byte tells.
            self._unpacker = zlib.decompressobj(15 if packed[0] & 15 == 8 else -15)
        elif self._unpacker.eof and self._is_gzip and packed.startswith(_GZIP):
            self._unpacker = zlib.decompressobj(31)  # gzip may come in several members
        piece = self._unpacker.decompress(packed, PIECE_BYTES)
        self._full = len(piece) == PIECE_BYTES
        rest = self._unpacker.unused_data
        self._left = self._unpacker.unconsumed_tail or (rest if rest.startswith(_GZIP) and piece else b"")
        return piece


def unpacking(encoding: str) -> Unpacking | None:
    """Return what unpacks this encoding; None if nothing has to.

    Raises:
        ValueError: We cannot.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ValueError(encoding)
    return Unpacking(is_gzip=encoding != "deflate")
