"""Whether a plugin's files are what the operator put there."""

import hashlib
import stat
from pathlib import Path


def untrustworthy(file: Path) -> str:
    """Return why nobody should run a file: anybody may write it, or put another in its place; "" if not."""
    try:
        itself, around = file.stat(), file.resolve().parent.stat()
    except OSError:
        return ""  # that it is not there is another error
    if itself.st_mode & stat.S_IWOTH:
        return f"every user of this machine may write {file}: chmod o-w {file}"
    if around.st_mode & stat.S_IWOTH and not around.st_mode & stat.S_ISVTX:
        folder = file.resolve().parent
        return f"every user of this machine may put something else into {folder}: chmod o-w {folder}"
    return ""


def sha256_of(file: Path) -> str:
    """Return what a program is, as `sha256` in the config says it.

    Raises:
        OSError: It cannot be read.
    """
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
