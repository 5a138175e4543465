"""What a plugin's manifest says: `plugin.yaml`, or `NAME.plugin.yaml` beside a program NAME."""

import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hector_config import Alias, ConfigInvalid, Loaded, Section, load
from hector_config.problem import Path as KeyPath
from hector_config.problem import problem_at
from hector_config.version import VERSION
from hector_config.words import did_you_mean

from .manifest_config import ManifestFile, NamedFile, Platform, PluginManifest, Resources

NAMES = ("plugin.yaml", "plugin.yml")
SUFFIXES = (".plugin.yaml", ".plugin.yml")
_TOP = ("name", "version", "type", "types", "protocol", "hector_version", "command", "platforms", "sha256",
        "config_schema", "permissions", "resources", "description", "files")  # fmt: skip
ALIKE = 0.8
"""From here on two words are taken for one and a slip of the pen."""
_FLAT = tuple(Alias(key, f"plugin.{key}") for key in _TOP)
"""A manifest may have its keys at the top, too."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that can be used."""

    file: Path
    says: PluginManifest
    mistyped: tuple[str, ...] = ()
    """Keys that nobody knows and that look much like known ones, each in a sentence."""

    @property
    def name(self) -> str:
        return self.says.name

    @property
    def command(self) -> tuple[str, ...]:
        """What starts the plugin here; empty where the manifest is silent, and the program lies beside it."""
        return tuple(self._here.command or self.says.command)

    @property
    def sha256(self) -> str:
        """What the program must be, if the manifest says so."""
        return self._here.sha256 or self.says.sha256

    @property
    def program(self) -> Path | None:
        """The program that lies beside `NAME.plugin.yaml`; None where the manifest is no such one."""
        for suffix in SUFFIXES:
            if self.file.name.endswith(suffix):
                return self.file.with_name(self.file.name.removesuffix(suffix))
        return None

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of the plugin's settings; {} takes anything."""
        return schema_of(self.says.config_schema)

    @property
    def misses_platform(self) -> bool:
        """The manifest has programs, and none for this machine."""
        return (
            bool(self.says.platforms) and this_platform() not in self.says.platforms and not self.says.command
        )

    @property
    def _here(self) -> Platform:
        return self.says.platforms.get(this_platform(), Platform())


def read(file: Path) -> Manifest:
    """Return what a manifest says.

    Raises:
        ConfigInvalid: It is none; with what is wrong in which line.
    """
    loaded = load(file, ManifestFile, environment={}, aliases=_FLAT, project_dir=file.absolute().parent)
    return Manifest(file.absolute(), loaded.config.plugin, tuple(_mistyped(loaded)))


def _mistyped(loaded: Loaded[ManifestFile]) -> Iterator[str]:
    says = loaded.config.plugin
    holders: tuple[tuple[KeyPath, Section, Iterable[str]], ...] = (
        ((), loaded.config, _TOP),
        (("plugin",), says, _TOP),
        (("plugin", "resources"), says.resources, Resources.model_fields),
    )
    for path, holder, known in holders:
        for key in holder.model_extra or ():
            for near in get_close_matches(key, known, n=1, cutoff=ALIKE):
                at = (*path, key)
                yield str(problem_at(loaded.marks[at], at, "unknown key, left out", hint=did_you_mean(near)))


def name_in(file: Path) -> str:
    """Return the name of a plugin whose manifest may be of no use otherwise; empty if that cannot be told."""
    try:
        found = load(file, NamedFile, environment={}, aliases=_FLAT, project_dir=file.absolute().parent)
    except ConfigInvalid:
        return ""
    return found.config.plugin.name


def beside(path: Path) -> Path | None:
    """Return the manifest of a program, or of a folder with a plugin in it; None if there is none."""
    if path.is_dir():
        named = [path / name for name in NAMES]
        found = [file for file in named if file.is_file()]
        found += [
            file for file in sorted(path.iterdir()) if file.name.endswith(SUFFIXES) and file not in named
        ]
        return found[0] if found else None
    for suffix in SUFFIXES:
        file = path.with_name(path.name + suffix)
        if file.is_file():
            return file
    return None


def this_platform() -> str:
    """Return system and processor as manifests write them: "linux/amd64"."""
    machine = platform.machine().lower()
    processor = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{sys.platform}/{processor}"


def schema_of(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a JSON Schema; one of Hector 1.9 lists names that are required and optional, with defaults."""
    old = {"required", "optional", "defaults"}
    if not said or not set(said) <= old or "type" in said:
        return said
    names = [*said.get("required", ()), *said.get("optional", ())]
    defaults = said.get("defaults") or {}
    properties = {str(name): ({"default": defaults[name]} if name in defaults else {}) for name in names}
    required = [name for name in said.get("required", ()) if name not in defaults]
    return {"type": "object", "properties": properties, "required": required}


def suits(wanted: str, version: str = VERSION) -> bool:
    """Return whether a version of Hector is in a range such as ">=1.0,<2".

    Raises:
        ValueError: It is no range.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(_pythonic(wanted)).contains(version, prereleases=True)
    except InvalidSpecifier as error:
        raise ValueError(str(error)) from None


def _pythonic(wanted: str) -> str:
    """Return a range as Python writes it: others write `^1.2`, `~1.2`, `v1.2`, `1.2`, and no commas."""
    parts: list[str] = []
    together = re.sub(r"(?<=[<>=!~^])\s+", "", wanted.strip())
    for part in re.split(r"[\s,]+", together):
        word = re.sub(r"(?<![\w.])v(?=\d)", "", part)
        if word.startswith("^"):
            major = word[1:].split(".")[0]
            parts += [f">={word[1:]}", f"<{int(major) + 1}"] if major.isdecimal() else [word]
        elif re.match(r"~(?!=)", word):
            steps = word[1:].split(".")
            upper = f"{steps[0]}.{int(steps[1]) + 1}" if len(steps) > 1 else str(int(steps[0]) + 1)
            parts += [f">={word[1:]}", f"<{upper}"]
        elif re.match(r"\d", word):
            parts.append(f"=={word}.*" if word.count(".") < 2 else f"=={word}")
        else:
            parts.append(word)
    return ",".join(part for part in parts if part)
