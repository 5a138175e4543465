"""Writes into the wheel which commit it was built from, and puts in what `hector plugin new` begins with.

The commit is git's, or HECTOR_COMMIT where the sources are no clone; the date is that of
SOURCE_DATE_EPOCH, or today. An sdist carries the stamp along.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KITS = "hector_runtime/kits"
"""Where examples and SDKs of plugins stand in the wheel; in the clone that is plugins/."""
MADE = {"__pycache__", "node_modules", "target", "build", "dist"}
"""Folders that are made again."""
TESTS = {"test", "tests"}
"""Folders of an SDK that are nothing to who uses it."""
STAMP = "hector_runtime/build.json"
"""Where it stands in the wheel; in an sdist below services/."""


class Stamp(BuildHookInterface[Any]):
    """Adds the stamp to what is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # From an unpacked sdist it comes along by itself; an editable install reads the clone's own HEAD.
        if version == "editable" or Path(self.root, "services", STAMP).is_file():
            return
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name, "build.json")
        file.write_text(json.dumps({"commit": commit(self.root), "built": date()}) + "\n", encoding="utf-8")
        room = "" if self.target_name == "wheel" else "services/"
        build_data["force_include"][str(file)] = f"{room}{STAMP}"
        for source, name in kits(Path(self.root, "plugins")):
            build_data["force_include"][str(source)] = f"{room}{KITS}/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if folder := getattr(self, "_folder", None):
            folder.cleanup()


def kits(plugins: Path) -> Iterator[tuple[Path, str]]:
    """Give the files of examples and SDKs, and their names below plugins/."""
    for room in ("examples", "sdk"):
        for folder, inside, names in os.walk(plugins / room):
            left_out = MADE | TESTS if room == "sdk" else MADE
            inside[:] = sorted(name for name in inside if name not in left_out and not name.startswith("."))
            for name in sorted(names):
                path = Path(folder, name)
                if name not in ("Cargo.lock", "package-lock.json") and not name.startswith("."):
                    yield path, path.relative_to(plugins).as_posix()


def commit(root: str) -> str:
    """Return the commit that is built; empty when nobody says."""
    if said := os.environ.get("HECTOR_COMMIT"):
        return said
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:  # no git here
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def date() -> str:
    """Return the date of the build."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    when = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return when.strftime("%Y-%m-%d")
