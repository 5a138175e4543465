"""Which folders are the system's, and which are too many people's to be anybody's own."""

from pathlib import Path

SYSTEM = tuple(Path(name) for name in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"))
"""Programs and libraries; on most systems all but the first are links into it."""
_TOO_WIDE = frozenset(
    (
        *("", "Users", "boot", "dev", "etc", "home", "media", "mnt", "opt", "proc"),
        *("root", "run", "srv", "sys", "tmp", "usr", "var", "var/lib", "var/tmp"),
    )
)


def is_too_wide(folder: Path) -> bool:
    """Say whether a folder holds other people's things as a rule: being in it makes nothing one's own."""
    home = Path.home()
    if str(folder).lstrip("/") in _TOO_WIDE or folder.parent == Path("/home"):
        return True
    return home == folder or home.is_relative_to(folder)
