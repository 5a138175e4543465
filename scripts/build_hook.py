"""Writes into the wheel which commit it was built from, and when: `hector version` tells it.

The commit is git's, or HECTOR_COMMIT where the sources are no clone; the date is that of
SOURCE_DATE_EPOCH, or today. An sdist carries the stamp along.
"""

import json
import os
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

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
        place = STAMP if self.target_name == "wheel" else f"services/{STAMP}"
        build_data["force_include"][str(file)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if folder := getattr(self, "_folder", None):
            folder.cleanup()


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
