"""What is tested: a command or an address, and what its author says about it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hector.plugin.v1 import PluginKind


@dataclass(frozen=True, slots=True)
class Subject:
    """A plugin under test."""

    command: tuple[str, ...] = ()
    """What starts it."""
    endpoint: str = ""
    """Instead of a command: where it listens, as "unix:/tmp/plugin.sock" or "127.0.0.1:9000"."""
    token: str = ""
    """What it wants to be shown, at an endpoint."""
    kinds: tuple["PluginKind.ValueType", ...] = ()
    """What it is; empty: as it says itself."""
    config: Mapping[str, Any] | None = None
    """A configuration that works; None: one made of its schema."""
    entry: Mapping[str, Any] = field(default_factory=dict)
    """The settings of the entry that refers to it."""
    calls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Tools that may be called, with arguments that work; others only if they say that they are read-only."""
    slow: tuple[str, Mapping[str, Any]] | None = None
    """A tool and arguments with which it takes some ten seconds."""
    model: str = ""
    """The model to ask for."""
    any_model: bool = False
    """It answers for whatever model is asked for, so that none is unknown."""
    sample: bytes = b""
    """A document that a parser reads."""
    sample_name: str = ""
    """Its file name."""
    max_memory_bytes: int = 0
    """What it says that it needs at most."""
    env: Mapping[str, str] = field(default_factory=dict)
    """What its process gets beside what a host gives it."""
    start_timeout_s: float = 30.0
    call_timeout_s: float = 15.0
    only: frozenset[str] = frozenset()
    """Numbers of the checks to run, or the letters that they begin with; empty: all."""

    @property
    def called(self) -> str:
        """What to call it."""
        return " ".join(self.command) or self.endpoint


def subject_of(told: Mapping[str, Any], **more: Any) -> Subject:
    """Return a subject that goes by a test's configuration file.

    Args:
        told: `config`, `entry`, `calls` and `slow` ({tool: arguments}), `model`, `any_model`, `env`.
        more: What the command line says.

    Raises:
        ValueError: The file says something else.
    """
    _mapping("the file", told)
    known = {"config", "entry", "calls", "slow", "model", "any_model", "env"}
    if unknown := set(told) - known:
        raise ValueError(
            f"{sorted(map(str, unknown))[0]!r} is not known (there are: {', '.join(sorted(known))})"
        )
    for name in ("config", "entry", "calls", "slow", "env"):
        _mapping(f"`{name}`", told.get(name))
    slow = told.get("slow")
    if slow is not None and len(slow) != 1:
        raise ValueError("`slow` names one tool and its arguments: {wait: {seconds: 30}}")
    for name in ("calls", "slow"):
        for tool, arguments in (told.get(name) or {}).items():
            _mapping(f"`{name}.{tool}`", arguments)
    _text("`model`", told.get("model"))
    for name, value in (told.get("env") or {}).items():
        _text(f"`env.{name}`", value)
    return Subject(
        config=told.get("config"),
        entry=told.get("entry") or {},
        calls=told.get("calls") or {},
        slow=next(iter(slow.items())) if slow else None,
        model=told.get("model") or "",
        any_model=bool(told.get("any_model")),
        env=told.get("env") or {},
        **more,
    )


def _mapping(name: str, found: object) -> None:
    if found is not None and not isinstance(found, Mapping):
        raise ValueError(f"{name} is no mapping: {json.dumps(found, default=str)}")


def _text(name: str, found: object) -> None:
    if found is not None and not isinstance(found, str):
        raise ValueError(f"{name} is no text: {json.dumps(found, default=str)} (put it into quotes)")


def bytes_in(size: str) -> int:
    """Return a size as people write it: "512MB", "1GiB".

    Raises:
        ValueError: It is none.
    """
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "B": 1}
    number = size.rstrip("BKMGIbkmgi")
    unit = units.get(size[len(number) :].upper() or "B")
    if unit is None or not number.strip().isdecimal():
        raise ValueError(f"{size!r} is no size (allowed: 512MB, 1GiB)")
    return int(number) * unit


def kinds_named(names: Sequence[str]) -> tuple["PluginKind.ValueType", ...]:
    """Return kinds by their names in the configuration: "tool_provider", or "tool".

    Raises:
        ValueError: There is none of that name.
    """
    known = {name.removeprefix("PLUGIN_KIND_").lower(): value for name, value in PluginKind.items() if value}
    short = {name.split("_")[0]: value for name, value in known.items()} | {
        "parser": known["document_parser"]
    }
    found = []
    for name in names:
        kind = known.get(name) or short.get(name)
        if kind is None:
            raise ValueError(f"there is no kind {name!r} (there are: {', '.join(known)})")
        found.append(kind)
    return tuple(found)


def name_of(kind: "PluginKind.ValueType") -> str:
    """Return a kind's name in the configuration."""
    return PluginKind.Name(kind).removeprefix("PLUGIN_KIND_").lower()
