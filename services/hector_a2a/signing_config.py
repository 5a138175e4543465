"""The keys of `server.a2a.signing:`: what cards and notifications are signed with."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from hector_config import ProjectPath, Section

if TYPE_CHECKING:
    from .keys import SigningKey


class SigningConfig(Section):
    """One key that cards are signed with."""

    key_file: ProjectPath
    """PEM file with the private key, without a password: `openssl genpkey -algorithm ed25519`."""
    key_id: Annotated[str, Field(min_length=1, max_length=200)]
    """Its name in signatures and in `/.well-known/jwks.json`. A new key gets a new one."""
    algorithm: Literal["ES256", "EdDSA"] | None = None
    """What the key is for. Left out: ES256 for a key on P-256, EdDSA for one of Ed25519."""


def signing_keys(entries: Sequence[SigningConfig]) -> "list[SigningKey]":
    """Return the keys that entries name.

    Raises:
        KeyUnusable: A key cannot be read, or is none; the message names the file and says what to do.
    """
    return [
        signing_key_of(entry, f"server.a2a.signing[{index}].key_file: {entry.key_file}")
        for index, entry in enumerate(entries)
    ]


def signing_key_of(entry: SigningConfig, where: str) -> "SigningKey":
    """Return the key that an entry names; raises as `signing_keys`, with `where` before what is wrong."""
    from .keys import KeyUnusable, signing_key

    try:
        pem = entry.key_file.read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise KeyUnusable(
            f"{where} cannot be read: {why}; name a file that the user who runs Hector may read",
            file=str(entry.key_file),
        ) from error
    return signing_key(pem, entry.key_id, entry.algorithm, where=where)
