"""What a plugin may do: what its manifest asks for and its entry in the config grants, and nothing else."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from hector_plugin_host import Grants

from .config import PluginConfig
from .manifest import Manifest
from .manifest_config import Permissions


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a manifest asks for, and the config does not grant."""

    file: Path
    what: str
    yaml: str
    """What to write below the plugin's name to grant it."""


def granted(entry: PluginConfig, manifest: Manifest | None) -> Grants:
    """Return what a plugin may ask of its host; a plugin whose manifest asks for less gets less."""
    said = entry.grants
    asks = manifest.says.permissions if manifest else None
    if asks is None:
        return Grants(tuple(said.llms), tuple(said.tools), tuple(said.embedders), said.state, said.log)
    host = asks.host
    return Grants(
        tuple(name for name in said.llms if name in host.llm),
        tuple(name for name in said.tools if name in host.tools),
        tuple(name for name in said.embedders if name in host.embedders),
        min(said.state, host.state),
        said.log and host.log,
    )


def missing(entry: PluginConfig, manifest: Manifest | None) -> list[Missing]:
    """Return what a plugin asks for and does not get."""
    if manifest is None or manifest.says.permissions is None:
        return []
    asks = manifest.says.permissions
    lacks = [*_of_host(entry, asks)]
    if entry.security.sandbox not in (False, "off"):  # said so, it grants the whole machine
        lacks += _of_machine(entry, asks, manifest.file.parent)
    return [Missing(manifest.file, what, yaml) for what, yaml in lacks]


def _of_host(entry: PluginConfig, asks: Permissions) -> Iterator[tuple[str, str]]:
    grants, host = entry.grants, asks.host
    for key, word, wanted, given in (
        ("llms", "model", host.llm, grants.llms),
        ("tools", "tool", host.tools, grants.tools),
        ("embedders", "embedder", host.embedders, grants.embedders),
    ):
        if lacking := [name for name in wanted if name not in given]:
            names = ", ".join([*given, *lacking])
            yield f"the {word} {', '.join(lacking)}", f"{{grants: {{{key}: [{names}]}}}}"
    if host.state > grants.state:
        yield f"{host.state} bytes to keep values in", f"{{grants: {{state: {host.state}}}}}"
    if host.log and not grants.log:
        yield "to write into Hector's log", "{grants: {log: true}}"


def _of_machine(entry: PluginConfig, asks: Permissions, folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what it wants of the machine and is not allowed, each with what allows it beside the rest."""
    allowed = entry.security.allowed_networks or []
    if lacking := [one for one in asks.network if not _covered(one, allowed)]:
        yield f"to connect to {', '.join(lacking)}", _allowing("allowed_networks", [*allowed, *lacking])
    paths = entry.security.paths()
    lacks: list[tuple[str, Path]] = []
    for wanted, writing in ((asks.files.read, False), (asks.files.write, True)):
        for one in wanted:
            path = (folder / one).resolve()
            fits = [may for place, may in paths if path.is_relative_to(place.resolve())]
            if not fits or (writing and not any(fits)):
                lacks.append(("write" if writing else "read", path))
    if lacks:
        added = [f"{path}:rw" if verb == "write" else str(path) for verb, path in lacks]
        what = " and ".join(f"to {verb} {path}" for verb, path in lacks)
        yield what, _allowing("allowed_paths", [*(entry.security.allowed_paths or []), *added])


def _allowing(key: str, values: list[str]) -> str:
    return f"{{security: {{{key}: [{', '.join(map(json.dumps, values))}]}}}}"


def _covered(wanted: str, allowed: list[str]) -> bool:
    host = wanted.rpartition(":")[0] if wanted.rpartition(":")[2].isdecimal() else wanted
    return any(one in ("*", wanted, host) or fnmatchcase(host, one) for one in allowed)
