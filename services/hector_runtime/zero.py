"""A configuration without a file: from flags, from the folder's SKILL.md, or from nothing at all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hector_config import Loaded, load

from .config import INSTRUCTION, Config, known_names
from .skill import read_skill


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What the command line says in place of a file; None is unsaid."""

    provider: str | None = None
    model: str | None = None
    api_key: str | None = None
    base_url: str | None = None
    instruction: str | None = None
    tools: str | None = None
    """Names with commas between them; "none" for none."""
    docs_folder: Path | None = None

    def given(self) -> list[str]:
        """Return the flags that were used, as they are written."""
        return [f"--{name.replace('_', '-')}" for name in self.__slots__ if getattr(self, name) is not None]


def zero_config(folder: Path, flags: Flags, environment: Mapping[str, str]) -> Loaded[Config]:
    """Return the configuration of a folder without one: the agent `assistant`, or what SKILL.md describes.

    It goes through the same loader as a file, so that it is checked in the same way.

    Raises:
        ConfigInvalid: A flag's value is none that is allowed.
        SkillUnreadable: There is a SKILL.md that cannot be understood.
    """
    skill = read_skill(folder)
    agent: dict[str, object] = {
        "description": _literal((skill and skill.description) or "A helpful assistant."),
        "instruction": _literal(flags.instruction or (skill and skill.instruction) or INSTRUCTION),
    }
    if skill:
        agent["name"] = _literal(skill.name)
    wanted = _names(flags.tools) if flags.tools is not None else (skill.allowed_tools if skill else None)
    written: dict[str, object] = {"agents": {"assistant": agent}}
    if wanted is not None:
        agent["tools"] = list(wanted)
        written["tools"] = {name: {"type": name} for name in wanted}
    fields = (("provider", flags.provider), ("model", flags.model), ("base_url", flags.base_url))
    llm = {name: _literal(value) for name, value in fields if value is not None}
    given = dict(environment)
    if flags.api_key is not None:
        given["HECTOR_FLAG_API_KEY"] = flags.api_key  # by reference: the key is not part of the text
        llm["api_key"] = "${HECTOR_FLAG_API_KEY}"
    if llm:
        written["llms"] = {"default": {"provider": "openai", **llm}}
    if flags.docs_folder is not None:
        written["document_stores"] = {
            "docs": {
                "source": {"type": "directory", "path": _literal(str(flags.docs_folder.absolute()))},
                "watch": True,
            }
        }
    return load(
        json.dumps(written, ensure_ascii=False),
        Config,
        environment=given,
        project_dir=folder,
        name="the command line",
        known=known_names(),
    )


def _names(text: str) -> tuple[str, ...]:
    return (
        ()
        if text.strip() in ("", "none")
        else tuple(name.strip() for name in text.split(",") if name.strip())
    )


def _literal(text: str) -> str:
    """Return text that the loader leaves as it is: in it, `${` is no variable."""
    return text.replace("${", "$${")
