"""Takes a plugin's secrets out of what it, or the host in its place, says to others."""

from functools import lru_cache

from .logs.secrets import Secrets


def redacted(text: str, secrets: frozenset[str]) -> str:
    """Return a text without secrets."""
    return _spelled(secrets).hidden(text) if secrets else text


def holds_secret(data: bytes, secrets: frozenset[str]) -> bool:
    """Say whether bytes hold one."""
    text = data.decode("utf-8", "replace")
    return bool(secrets) and redacted(text, secrets) != text


@lru_cache(maxsize=32)
def _spelled(secrets: frozenset[str]) -> Secrets:
    return Secrets(secrets)
