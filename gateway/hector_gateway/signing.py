"""The keys that vouch for this server's cards, read when it starts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from hector_a2a.signing_config import SigningConfig, signing_keys

if TYPE_CHECKING:
    from hector_a2a.keys import SigningKey


class Signer:
    """Signs cards with every configured key, and shows the keys' public parts."""

    def __init__(self, keys: "Sequence[SigningKey]") -> None:
        from hector_a2a.card_signing import signatures_of

        self._keys, self._signatures_of = tuple(keys), signatures_of
        self.jwks = orjson.dumps({"keys": [key.jwk() for key in self._keys]}, option=orjson.OPT_SORT_KEYS)
        """The public parts, as a JSON Web Key Set."""

    def signatures_of(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what stands under `signatures` of a card."""
        return self._signatures_of(document, self._keys)


def signer_of(entries: Sequence[SigningConfig]) -> Signer | None:
    """Return what signs cards; None: they are not signed.

    Raises:
        KeyUnusable: A key cannot be read, or is none; the message names the file and says what to do.
    """
    keys = signing_keys(entries)
    return Signer(keys) if keys else None
