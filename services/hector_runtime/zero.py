"""A configuration without a file: from flags, from the folder's SKILL.md, or from nothing at all."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from hector_config import ConfigInvalid, Loaded, Mark, Problem, load
from hector_tool.config import LATER

from .config import INSTRUCTION, Config, known_names
from .flags import Flags
from .skill import Skill, read_skill

KEYS = {"provider": "HECTOR_PROVIDER", "model": "HECTOR_MODEL", "base_url": "HECTOR_BASE_URL"}
"""Fields of the model that the environment sets where the flags are silent."""


def zero_config(folder: Path, flags: Flags, environment: Mapping[str, str]) -> Loaded[Config]:
    """Return the configuration of a folder without one: the agent `assistant`, or what SKILL.md describes.

    It goes through the same loader as a file, so that it is checked in the same way.

    Raises:
        ConfigInvalid: A value is none that is allowed; each problem names the flag, the variable, or the
            line of SKILL.md that it comes from.
        SkillUnreadable: There is a SKILL.md that cannot be understood.
    """
    written = _Written()
    skill = read_skill(folder)
    _write_agent(written, flags, skill)
    given = dict(environment)
    if flags.api_key is not None:
        given["HECTOR_FLAG_API_KEY"] = flags.api_key  # by reference: the key is not part of the text
    _write_model(written, flags, environment)
    _write_documents(written, flags)
    try:
        return load(
            json.dumps(written.config, ensure_ascii=False),
            Config,
            environment=given,
            project_dir=folder,
            name="the command line",
            known=known_names(),
            later={"tools": LATER},
        )
    except ConfigInvalid as error:
        problems = [written.traced(problem) for problem in error.problems]
        raise ConfigInvalid(problems, error.warnings) from None


@dataclass(slots=True)
class _Written:
    """A config in the making, and where each part of it comes from."""

    config: dict[str, object] = field(default_factory=dict)
    origins: dict[str, tuple[Mark, str]] = field(default_factory=dict)
    """By path: where a person wrote it, and under which key there."""

    def put(self, value: object, origin: Mark, *path: str, key: str = "") -> None:
        """Set a value at a path, and remember whose it is."""
        place: dict[str, object] = self.config
        for step in path[:-1]:
            inner = place.setdefault(step, {})
            assert isinstance(inner, dict)
            place = inner
        place[path[-1]] = _literal(value)
        self.origins[".".join(path)] = (origin, key)

    def traced(self, problem: Problem) -> Problem:
        """Return a problem at the place that a person knows: a flag, a variable, a line of SKILL.md."""
        for path in _outwards(problem.path):
            if path in self.origins:
                (file, line, column), key = self.origins[path]
                rest = problem.path.removeprefix(path).lstrip(".").removesuffix(".type")
                named = f"{key}: {rest}" if key and rest else key or rest
                return replace(problem, file=file, line=line, column=column, path=named)
        return problem


def _write_agent(written: _Written, flags: Flags, skill: Skill | None) -> None:
    me, nobody = ("agents", "assistant"), Mark("the command line", 0, 0)
    written.put((skill and skill.description) or "A helpful assistant.", nobody, *me, "description")
    if skill:
        written.put(skill.name, skill.place("name"), *me, "name", key="name")
    origin = _flag(flags, "instruction") if flags.instruction else skill.place() if skill else nobody
    instruction = flags.instruction or (skill and skill.instruction) or INSTRUCTION
    written.put(instruction, origin, *me, "instruction")
    if flags.streaming is not None:
        written.put(flags.streaming, _flag(flags, "streaming"), *me, "streaming")
    if flags.tools is not None:
        wanted, origin, key = _names(flags.tools), _flag(flags, "tools"), ""
    elif skill and skill.allowed_tools is not None:
        key = "allowed-tools"
        wanted, origin = skill.allowed_tools, skill.place(key)
    else:
        return
    written.put(list(wanted), origin, *me, "tools", key=key)
    written.put({name: {"type": name} for name in wanted}, origin, "tools", key=key)


def _write_model(written: _Written, flags: Flags, environment: Mapping[str, str]) -> None:
    me = ("llms", "default")
    for name in ("provider", "model", "base_url", "temperature", "max_tokens"):
        value = getattr(flags, name)
        if value is not None:
            written.put(value, _flag(flags, name), *me, name)
        elif name in KEYS and environment.get(KEYS[name]):
            written.put(environment[KEYS[name]], Mark(KEYS[name], 0, 0), *me, name)
    if flags.thinking is not None:
        written.put(flags.thinking, _flag(flags, "thinking"), *me, "thinking", "enabled")
    if flags.thinking_budget is not None:
        written.put(flags.thinking_budget, _flag(flags, "thinking_budget"), *me, "thinking", "budget_tokens")
    if flags.api_key is not None:
        written.put(_Reference("${HECTOR_FLAG_API_KEY}"), _flag(flags, "api_key"), *me, "api_key")
    if "llms" in written.config and "llms.default.provider" not in written.origins:
        written.put("openai", Mark("the command line", 0, 0), *me, "provider")


def _write_documents(written: _Written, flags: Flags) -> None:
    for name, key in (("provider", "provider"), ("model", "model"), ("url", "base_url")):
        flag = f"embedder_{name}"
        if getattr(flags, flag) is not None:
            written.put(getattr(flags, flag), _flag(flags, flag), "embedders", "default", key)
    if flags.vector_type is not None:
        written.put(flags.vector_type, _flag(flags, "vector_type"), "vector_stores", "default", "type")
    if flags.docs_folder is None:
        return
    me, origin = ("document_stores", "docs"), _flag(flags, "docs_folder")
    written.put({"type": "directory", "path": str(flags.docs_folder.absolute())}, origin, *me, "source")
    written.put(flags.docs_watch is not False, origin, *me, "watch")


class _Reference(str):
    """Text in which `${` is meant."""


def _flag(flags: Flags, name: str) -> Mark:
    return Mark(flags.spelled(name), 0, 0)


def _outwards(path: str) -> Iterator[str]:
    """Give a key path, then that of what it is in, up to the section."""
    yield path
    while path:
        cut = max(path.rfind("."), path.rfind("["))
        path = path[:cut] if cut > 0 else ""
        if path:
            yield path


def _names(text: str) -> tuple[str, ...]:
    return (
        ()
        if text.strip() in ("", "none")
        else tuple(name.strip() for name in text.split(",") if name.strip())
    )


def _literal(value: object) -> object:
    """Return a value that the loader leaves as it is: in its texts, `${` is no variable."""
    if isinstance(value, _Reference):
        return str(value)
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {name: _literal(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_literal(inner) for inner in value]
    return value
