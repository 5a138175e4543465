"""Which Hector this is: version, commit and build date, as the wheel carries them or the clone has them."""

import json
import platform
from pathlib import Path

from hector_config.version import VERSION

STAMP = Path(__file__).with_name("build.json")
"""Written into the wheel when it is built (scripts/build_hook.py); a clone has none."""
CLONE = Path(__file__).resolve().parents[2]


def build_facts() -> dict[str, str]:
    """Return version, commit, build date, Python and system; what nobody knows is empty."""
    stamp = _stamp() if STAMP.is_file() else {"commit": _commit_of(CLONE), "built": ""}
    return {
        "version": VERSION,
        "commit": str(stamp.get("commit", "")),
        "built": str(stamp.get("built", "")),
        "python": platform.python_version(),
        "system": f"{platform.system().lower()} {platform.machine()}",
    }


def _stamp() -> dict[str, object]:
    try:
        found = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _commit_of(clone: Path) -> str:
    """Return what HEAD points at, without git: it may not be installed."""
    try:
        folder = clone / ".git"
        if folder.is_file():  # a worktree
            folder = (clone / folder.read_text().partition("gitdir:")[2].strip()).resolve()
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head
        name = head.removeprefix("ref:").strip()
        common = folder / "commondir"
        home = (folder / common.read_text().strip()).resolve() if common.is_file() else folder
        if (home / name).is_file():
            return (home / name).read_text().strip()
        packed = (home / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
    except (OSError, ValueError):
        return ""
