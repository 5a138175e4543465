"""A config as it is kept: as it was written, with a keyed hash in the place of every literal secret."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from hector_config.loading import Loaded, M
from hector_config.private import hidden


@dataclass(frozen=True, slots=True)
class Sealed:
    """A config that can be stored and shown."""

    id: str
    """Hash of `text`: the same content is the same revision."""
    text: str
    """The file, comments and all, before variables were filled in."""
    applicable: bool
    """False: secrets were written out in it and are not there any more, so it cannot be applied again."""


def sealed(loaded: Loaded[M], key: Callable[[], bytes]) -> Sealed:
    """Return a config as it can be kept.

    A plain hash of a secret could be guessed, and so could one of the file around it: hence a key, and an id
    that is made of the sealed text. Another secret is still another revision.

    Args:
        loaded: What was read.
        key: Asked for only when a secret is written out in the file.
    """
    text = loaded.text
    if loaded.literals:
        known = key()
        text = hidden(text, loaded.literals, lambda secret: _word(known, secret))
    return Sealed(hashlib.sha256(text.encode()).hexdigest()[:32], text, not loaded.literals)


def _word(key: bytes, secret: str) -> str:
    return f"hmac-sha256:{hmac.new(key, secret.encode(), hashlib.sha256).hexdigest()[:32]}"
