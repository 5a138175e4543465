"""A file beside a plugin that says that it is conformant, as long as it is the same file."""

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .verdicts import Report

CONTRACT = "hector.plugin.v1"
KIT = "2"
"""Which rules were tried; raised when rules are added."""
ENDING = ".conformance.json"
_RUNS_OTHERS = re.compile(
    r"(python|node|java|deno|bun|ruby|perl|php|lua|dotnet|env|sh|bash|uv|npx|tsx)[\d.]*(\.exe)?$"
)
"""Programs that run the one that is meant."""


@dataclass(frozen=True, slots=True)
class Badge:
    """What the kit found, and of what."""

    conformant: bool
    sha256: str
    """Of the executable, as it was when it was tested."""
    name: str = ""
    version: str = ""
    kinds: tuple[str, ...] = ()
    kit: str = KIT

    def stands_for(self, executable: Path) -> bool:
        """Tell whether this very file was found conformant by rules of this version."""
        return self.conformant and self.kit == KIT and self.sha256 == digest(executable)


def place_of(executable: Path) -> Path:
    """Return where a plugin's badge is."""
    return executable.with_name(executable.name + ENDING)


def file_of(command: Sequence[str]) -> Path:
    """Return the file that a badge is about: the program itself, or the script or archive that it runs."""
    program = Path(command[0])
    behind = [Path(part) for part in command[1:] if not part.startswith("-") and Path(part).is_file()]
    if behind and _RUNS_OTHERS.match(program.name):
        return behind[0]
    return program if program.is_file() else Path(shutil.which(command[0]) or program)


def badge_for(executable: Path) -> Badge | None:
    """Read a plugin's badge; None if there is none, or none that can be read."""
    try:
        found = json.loads(place_of(executable).read_text(encoding="utf-8"))
        return Badge(
            found[CONTRACT] == "conformant",
            found["sha256"],
            found.get("name", ""),
            found.get("version", ""),
            tuple(found.get("kinds", ())),
            found["kit"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_badge(report: Report, executable: Path) -> Path:
    """Write what a test found beside the executable, and return where."""
    fields = {
        CONTRACT: "broken" if report.failed else "conformant",
        "bare": report.bare,
        "kinds": list(report.kinds),
        "kit": KIT,
        "name": report.name,
        "version": report.version,
        "failed": [one.id for one in report.failed],
        "warned": [one.id for one in report.warned],
        "sha256": digest(executable),
    }
    place = place_of(executable)
    place.write_text(json.dumps(fields, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return place


def digest(file: Path) -> str:
    """Return the SHA-256 of a file; empty if it cannot be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""
