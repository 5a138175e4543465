"""Page tokens: where a list goes on, in a form that nobody takes apart."""

import base64
import binascii

from .errors import InvalidPageToken

_MARK = "1"


def token_after(*key: int | str) -> str:
    """Return the token of what follows a row with this key (a time, then texts)."""
    text = "\0".join((_MARK, *map(str, key)))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def key_of(token: str, texts: int) -> tuple[int, tuple[str, ...]]:
    """Return the time and the texts of a token.

    Raises:
        InvalidPageToken: `token_after` did not make it.
    """
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        mark, time_us, *rest = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("\0")
        if mark == _MARK and len(rest) == texts:
            return int(time_us), tuple(rest)
    except (ValueError, binascii.Error):
        pass
    raise InvalidPageToken
