"""What must hold between the keys of a plugin's entry, and what may stand in them."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from hector_config import Misfit
from hector_config.private import is_private, without_passwords
from hector_config.problem import quoted

from .address import problem_with

if TYPE_CHECKING:
    from .config import PluginConfig

MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_UNDER_CONFIG = "write it under config: the plugin gets it once it runs, and nobody else sees it"


def misfits(entry: "PluginConfig", secrets: Collection[str]) -> Iterator[Misfit]:
    """Find what is wrong with an entry.

    Args:
        entry: A plugin.
        secrets: Values that came from variables named like secrets.
    """
    yield from _one_program(entry)
    yield from _of_its_mode(entry)
    if entry.address and (wrong := _address(entry)):
        yield wrong
    if entry.sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", entry.sha256):
        yield Misfit("a SHA-256 has 64 hexadecimal digits", at=("sha256",), hint="see hector plugin pin")
    yield from _environment(entry.env, secrets)
    yield from _arguments(entry.args, secrets)


def _one_program(entry: "PluginConfig") -> Iterator[Misfit]:
    if entry.path and entry.python:
        yield Misfit("a plugin is one program: path, or python", at=("python",))
    if entry.python and not MODULE.fullmatch(entry.python):
        hint = f"for a file write path: {entry.python}" if entry.python.endswith(".py") else ""
        message = f'{quoted(entry.python)} is no name of a Python module, as "package.module"'
        yield Misfit(message, at=("python",), hint=hint)


def _of_its_mode(entry: "PluginConfig") -> Iterator[Misfit]:
    starts = bool(entry.path or entry.python)
    if entry.mode in ("attach", "watch") and (starts or not entry.address):
        why = "what runs already is named by its address alone"
        yield Misfit(why, at=("mode",), hint="write address, and neither path nor python")
    if entry.mode in ("spawn", "listen") and entry.address and not starts:
        yield Misfit("there is no program to start", at=("mode",), hint="write path, or python")
    if starts or not entry.address:
        for key in ("tls", "auth", "insecure"):
            if key in entry.model_fields_set:
                yield Misfit("it belongs to plugins with an address alone", at=(key,))
        return
    # What would not be held must not look as if it were.
    hint = "take it out, and confine the plugin where it is started; or write path, and Hector starts it"
    idle: list[tuple[str, ...]] = [("security", key) for key in entry.security.of_a_process()]
    idle += [
        (key,) for key in ("env", "args", "working_directory", "sha256") if key in entry.model_fields_set
    ]
    for at in idle:
        yield Misfit(
            "Hector does not start what has an address alone, and cannot see to this", at=at, hint=hint
        )
    if "grants" in entry.model_fields_set:
        yield Misfit(
            "only what Hector starts is told the way to Hector's services",
            at=("grants",),
            hint="take it out; or write path, and Hector starts it",
        )


def _address(entry: "PluginConfig") -> Misfit | None:
    if entry.mode == "watch":
        if entry.address.startswith("unix:"):
            folder = entry.address.removeprefix("unix:")
            return Misfit("mode watch looks into a folder", at=("address",), hint=f"write {folder}")
        return None
    starts = bool(entry.path or entry.python)
    wrong = problem_with(entry.address, has_host=not starts)
    return Misfit(f"{quoted(entry.address)} {wrong}", at=("address",)) if wrong else None


def _environment(env: Mapping[str, str], secrets: Collection[str]) -> Iterator[Misfit]:
    for name, value in env.items():
        if not name or "=" in name or "\0" in name:
            yield Misfit("no variable can have this name", at=("env", name))
        elif "\0" in value:
            yield Misfit("no variable can hold a NUL", at=("env", name))
        elif is_private(name) or value in secrets or without_passwords(value) != value:
            yield Misfit("secrets stand in no environment", at=("env", name), hint=_UNDER_CONFIG)


def _arguments(args: list[str], secrets: Collection[str]) -> Iterator[Misfit]:
    option = ""
    for index, value in enumerate(args):
        name, equals, behind = value.partition("=")
        is_option = value.startswith("-")
        said = behind if is_option and equals else "" if is_option else value
        of = name if is_option and equals else option
        if "\0" in value:
            yield Misfit("no argument can hold a NUL", at=("args", index))
        elif value in secrets or without_passwords(value) != value or (said and is_private(of.lstrip("-"))):
            yield Misfit("secrets stand in no argument", at=("args", index), hint=_UNDER_CONFIG)
        option = value if is_option and not equals else ""
