"""SKILL.md: an agent described by a Markdown file with a head, for folders without a config."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from grpc import StatusCode

from hector_config import Mark
from hector_config.reading import read_bytes
from hector_mesh import HectorError

SKILL_FILE = "SKILL.md"
LIMIT_BYTES = 256 * 1024


class SkillUnreadable(HectorError):
    """The folder's SKILL.md is not what it should be."""

    code, reason = StatusCode.INVALID_ARGUMENT, "SKILL_UNREADABLE"

    def __init__(self, path: Path, why: str, line: int = 0) -> None:
        super().__init__(
            f"{Mark(str(path), line, 1)}: {why}; it begins with `---`, YAML with name and description, "
            "and `---`; then it says what to do",
            path=str(path),
        )


@dataclass(frozen=True, slots=True)
class Skill:
    """What SKILL.md says about the agent."""

    name: str
    description: str
    instruction: str
    allowed_tools: tuple[str, ...] | None
    """None: the file does not say."""
    file: str = field(default=SKILL_FILE, compare=False)
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)
    """Where each key of the head stands; the body under ""."""

    def place(self, key: str = "") -> Mark:
        """Return where a key of the head stands, or the body."""
        return Mark(self.file, self.lines.get(key, 0), 1)


def read_skill(folder: Path) -> Skill | None:
    """Return what the folder's SKILL.md says, or None when there is none.

    Raises:
        SkillUnreadable: There is one that cannot be understood.
    """
    path = folder / SKILL_FILE
    try:
        raw = read_bytes(path, LIMIT_BYTES)
        if len(raw) > LIMIT_BYTES:
            raise SkillUnreadable(path, f"it is larger than {LIMIT_BYTES} bytes")
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SkillUnreadable(path, error.strerror or "it cannot be read") from error
    except UnicodeDecodeError:
        raise SkillUnreadable(path, "it is not UTF-8") from None
    head, body = _split(path, text)
    try:
        fields = yaml.safe_load(head) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        why = getattr(error, "problem", None) or error.__class__.__name__
        raise SkillUnreadable(path, f"its head is not YAML ({why})", mark.line + 2 if mark else 1) from None
    lines = {line.partition(":")[0].strip(): at for at, line in enumerate(head.split("\n"), 2) if ":" in line}
    if not isinstance(fields, dict) or not isinstance(fields.get("name"), str) or not fields["name"].strip():
        raise SkillUnreadable(path, "its head has no name", lines.get("name", 1))
    return Skill(
        name=fields["name"].strip(),
        description=str(fields.get("description") or "").strip(),
        instruction=body.strip(),
        allowed_tools=_tools(path, fields.get("allowed-tools"), lines.get("allowed-tools", 1)),
        file=str(path),
        lines={**lines, "": head.count("\n") + 4},
    )


def _split(path: Path, text: str) -> tuple[str, str]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        raise SkillUnreadable(path, "it does not begin with a head", 1)
    try:
        end = next(number for number, line in enumerate(lines[1:], 1) if line.strip() == "---")
    except StopIteration:
        raise SkillUnreadable(path, "its head does not end", 1) from None
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :])


def _tools(path: Path, value: object, line: int) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SkillUnreadable(path, "`allowed-tools` is neither a list of names nor a line of them", line)
    return tuple(names)
