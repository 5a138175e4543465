"""Takes secrets out of texts that a plugin wrote."""

from collections.abc import Collection

HIDDEN = "***"
SHORTEST = 4
"""Characters: shorter values would be found in every text."""


def redacted(text: str, secrets: Collection[str]) -> str:
    """Return a text with every secret replaced, longer ones first."""
    for secret in sorted(secrets, key=len, reverse=True) if secrets else ():
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
    return text


def holds_secret(data: bytes, secrets: Collection[str]) -> bool:
    """Say whether bytes hold a secret as it is."""
    return any(len(secret) >= SHORTEST and secret.encode() in data for secret in secrets)
