"""What of the machine's files a confined plugin sees, the same in both kinds of sandbox."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hector_plugin_host.plan import PluginPlan

from .errors import SandboxRefused
from .places import SYSTEM, is_too_wide
from .runtimes import homes_of, scripts_of

_SETTINGS = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "gai.conf", "java*"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "os-release", "pki/ca-trust"),
    *("pki/java", "pki/tls/cert.pem", "pki/tls/certs", "pki/tls/openssl.cnf", "protocols", "services"),
    *("ssl/cert.pem", "ssl/certs", "ssl/openssl.cnf", "timezone"),
)
"""Of /etc: nothing that is secret, nothing that names users."""
_SHOWN_THOUGH_DOTTED = frozenset((".venv",))


@dataclass(frozen=True, slots=True)
class View:
    """Paths that are there for the plugin; everything else is not."""

    readable: tuple[Path, ...]
    """Programs, libraries, settings and the plugin's own folder."""
    hidden: tuple[Path, ...]
    """What lies in a readable folder and is not there all the same."""
    granted: tuple[Path, ...]
    """What is readable though it may lie in what is hidden."""
    writable: tuple[Path, ...]
    folder: Path
    """Where it begins to run; the root if its folder cannot be shown."""


def view_of(plan: PluginPlan, scratch: Path) -> View:
    """Return what a plugin sees.

    Raises:
        SandboxRefused: A path of `allowed_paths` is not there.
    """
    granted, writable = allowed_paths(plan)
    own = [plan.folder] if not is_too_wide(plan.folder) else []
    runtimes = homes_of(plan.command, plan.env.get("PATH") or os.environ.get("PATH", os.defpath), plan.folder)
    for program in (Path(plan.command[0]), *scripts_of(plan.command)):
        if not any(program.is_relative_to(place) for place in (*own, *SYSTEM)):
            is_alone = is_too_wide(program.parent) or _is_of(program, runtimes)
            own.append(program if is_alone else program.parent)
    writable = [*writable, scratch]
    if plan.data_dir is not None:
        writable.append(plan.data_dir)
    return View(
        readable=(*(place for place in SYSTEM if place.exists()), *_settings(), *own),
        hidden=tuple(_hidden(own, plan.hidden)),
        granted=tuple(dict.fromkeys((*runtimes, *granted))),
        writable=tuple(writable),
        folder=plan.folder if plan.folder in own else Path("/"),
    )


def listable(view: View) -> list[Path]:
    """Return folders whose names may be read though not all that they name."""
    return [place for place in view.readable if any(one.is_relative_to(place) for one in view.hidden)]


def parts(view: View, place: Path) -> list[Path]:
    """Return what a readable path is shown by: itself, or what is in it now.

    The latter if something of it is to be hidden and is not there yet: nothing could cover that.
    """
    return _without(place, [one for one in view.hidden if not one.exists()])


def outside(view: View) -> list[Path]:
    """Return readable paths with hidden ones taken out, for rules that can only add."""
    found: list[Path] = []
    for place in view.readable:
        found += _without(place, view.hidden)
    return [*found, *view.granted]


def _without(place: Path, hidden: Iterable[Path]) -> list[Path]:
    inside = [one for one in hidden if one.is_relative_to(place)]
    if not inside:
        return [place]
    if place in inside or not place.is_dir():
        return []
    return [kept for child in sorted(place.iterdir()) for kept in _without(child, inside)]


def allowed_paths(plan: PluginPlan) -> tuple[list[Path], list[Path]]:
    readable: list[Path] = []
    writable: list[Path] = []
    for text in plan.security.allowed_paths:
        name, colon, mode = text.rpartition(":")
        if not colon or mode not in ("ro", "rw"):
            name, mode = text, "ro"
        path = Path(os.path.normpath(plan.folder / Path(name).expanduser()))
        if not path.exists():
            raise SandboxRefused(
                plan.name,
                f"security.allowed_paths names {path}, which is not there",
                "make it, or take it off the list",
            )
        if path == Path("/") and mode == "rw":
            raise SandboxRefused(
                plan.name, "security.allowed_paths lets it write everywhere", "name a folder"
            )
        (writable if mode == "rw" else readable).append(path)
    return readable, writable


def _settings() -> list[Path]:
    return sorted(path for pattern in _SETTINGS for path in Path("/etc").glob(pattern))


def _hidden(own: Iterable[Path], also: Iterable[Path]) -> Iterable[Path]:
    for folder in own:
        if folder.is_dir():
            yield from (
                child
                for child in sorted(folder.iterdir())
                if child.name.startswith(".") and child.name not in _SHOWN_THOUGH_DOTTED
            )
            yield from (path for path in also if folder in path.parents and not _is_dotted(path, folder))


def _is_dotted(path: Path, folder: Path) -> bool:
    return path.relative_to(folder).parts[0].startswith(".")


def _is_of(program: Path, runtimes: Iterable[Path]) -> bool:
    return any(program.is_relative_to(place) for place in runtimes)
