"""The keys that vouch for this server's cards, read when it starts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from .a2a_config import SigningConfig

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
    if not entries:
        return None
    from hector_a2a.keys import KeyUnusable, signing_key

    keys = []
    for index, entry in enumerate(entries):
        where = f"server.a2a.signing[{index}].key_file: {entry.key_file}"
        try:
            pem = entry.key_file.read_bytes()
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise KeyUnusable(
                f"{where} cannot be read: {why}; name a file that the user who runs Hector may read",
                file=str(entry.key_file),
            ) from error
        keys.append(signing_key(pem, entry.key_id, entry.algorithm, where=where))
    return Signer(keys)
