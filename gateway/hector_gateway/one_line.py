"""JSON in one line for every client: some end a line of a stream where Unicode knows a line's end, too."""

_FIRST_BYTES = b"\xe2\x80", b"\xc2\x85"
_ENDS = (
    (b"\xe2\x80\xa8", rb"\u2028"),
    (b"\xe2\x80\xa9", rb"\u2029"),
    (b"\xc2\x85", rb"\u0085"),
)
"""As UTF-8, and as JSON may spell them as well. Below U+0020, JSON has no other way anyhow."""


def in_one_line(found: bytes) -> bytes:
    """Return the same JSON, given as UTF-8, for a line of server-sent events.

    Their specification ends lines at CR and LF alone. Clients that leave that to their HTTP library, as
    httpx's `aiter_lines`, end them as `str.splitlines` does, and lose an answer that quotes such a character.
    """
    if _FIRST_BYTES[0] in found or _FIRST_BYTES[1] in found:
        for end, spelled in _ENDS:
            found = found.replace(end, spelled)
    return found
