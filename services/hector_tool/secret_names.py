"""Files that hold secrets by their name: no file tool shows them, wherever its folder is."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

FOLDERS = frozenset({".hector", ".git", ".ssh", ".aws", ".azure", ".gnupg", ".kube", ".docker"})
"""Hector's own state, repositories (whose config may hold a token), and keys of other programs."""
FILES = (
    ".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".npmrc", ".pypirc",
    ".htpasswd", ".git-credentials", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key",
    "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
)  # fmt: skip
HARMLESS = (".env.example", ".env.sample", ".env.template", "*.pub")


def is_secret(path: Sequence[str]) -> bool:
    """Tell whether a path, as names from the root down, is one of those; upper case is lower case."""
    names = [name.casefold() for name in path]
    if not FOLDERS.isdisjoint(names):
        return True
    return any(
        any(fnmatchcase(name, pattern) for pattern in FILES)
        and not any(fnmatchcase(name, pattern) for pattern in HARMLESS)
        for name in names
    )
