"""SKILL.md: an agent described by a Markdown file with a head, for folders without a config."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from grpc import StatusCode

from hector_mesh import HectorError

SKILL_FILE = "SKILL.md"
LIMIT_BYTES = 256 * 1024


class SkillUnreadable(HectorError):
    """The folder's SKILL.md is not what it should be."""

    code, reason = StatusCode.INVALID_ARGUMENT, "SKILL_UNREADABLE"

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path}: {why}; it begins with `---`, YAML with name and description, and `---`; "
            "then it says what to do",
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


def read_skill(folder: Path) -> Skill | None:
    """Return what the folder's SKILL.md says, or None when there is none.

    Raises:
        SkillUnreadable: There is one that cannot be understood.
    """
    path = folder / SKILL_FILE
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES + 1)
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
        raise SkillUnreadable(path, f"its head is not YAML ({error.__class__.__name__})") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("name"), str) or not fields["name"].strip():
        raise SkillUnreadable(path, "its head has no name")
    return Skill(
        name=fields["name"].strip(),
        description=str(fields.get("description") or "").strip(),
        instruction=body.strip(),
        allowed_tools=_tools(path, fields.get("allowed-tools")),
    )


def _split(path: Path, text: str) -> tuple[str, str]:
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        raise SkillUnreadable(path, "it does not begin with a head")
    try:
        end = next(number for number, line in enumerate(lines[1:], 1) if line.strip() == "---")
    except StopIteration:
        raise SkillUnreadable(path, "its head does not end") from None
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :])


def _tools(path: Path, value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SkillUnreadable(path, "`allowed-tools` is neither a list of names nor a line of them")
    return tuple(names)
