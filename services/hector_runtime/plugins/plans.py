"""What of `plugins:` runs in a process, as plans for its host; and what is in the way of that."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grpc import StatusCode

from hector.plugin.v1 import Instance, PluginKind
from hector_config.problem import Path, spelled
from hector_mesh import HectorError
from hector_plugin_host import Limits, PluginPlan, Restart, Security, Tls

from .config import KINDS, PluginConfig
from .discovery import Catalogue, catalogue
from .manifest import Manifest
from .permitted import Missing, granted, missing
from .private_files import private_files
from .program import Program, ProgramUnusable, program_of
from .references import Reference, references

if TYPE_CHECKING:
    from hector_runtime.config import Config

VALUES: Mapping[str, "PluginKind.ValueType"] = {
    key: PluginKind.Value(f"PLUGIN_KIND_{kind.upper()}") for key, kind in KINDS.items()
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a plugin that is referred to cannot be used, and where the config says something about it."""

    plugin: str
    path: Path
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{spelled(self.path)}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class PluginUnusable(HectorError):
    """Something refers to a plugin that cannot be run as the config has it."""

    code, reason = StatusCode.FAILED_PRECONDITION, "PLUGIN_UNUSABLE"

    def __init__(self, troubles: Sequence[Trouble]) -> None:
        lines = [
            f"{spelled(one.path)}: {one.message}" + (f" ({one.hint})" if one.hint else "") for one in troubles
        ]
        super().__init__("; ".join(lines), plugin=troubles[0].plugin)


def plans_of(config: "Config", roles: Collection[str]) -> tuple[PluginPlan, ...]:
    """Return the plugins that roles of this process need; what nobody refers to does not run.

    Raises:
        PluginUnusable: One of them cannot be run as the config has it.
    """
    plans, troubles = planned(config, roles)
    if troubles:
        raise PluginUnusable(troubles)
    return plans


def planned(
    config: "Config", roles: Collection[str] | None = None, *, named: Collection[str] = ()
) -> tuple[tuple[PluginPlan, ...], list[Trouble]]:
    """Return the plans, and what is in the way of others; without roles, for all that the config needs.

    Args:
        config: What refers to plugins, and declares them.
        roles: Whose plugins are meant.
        named: Plugins that are meant though nothing may refer to them: declared ones, or some that discovery
            finds.
    """
    wanted: dict[str, list[Reference]] = {name: [] for name in named}
    for reference in references(config):
        plugin = reference.word.plugin
        if roles is None or reference.place.role in roles or plugin in named:
            wanted.setdefault(plugin, []).append(reference)
    if not wanted:
        return (), []
    entries = {name: (kind, entry) for kind, name, entry in reversed(list(config.plugins.entries()))}
    found = _catalogue(config, wanted, entries)
    plans: list[PluginPlan] = []
    troubles: list[Trouble] = []
    for name, uses in wanted.items():
        kinds = _kinds(config, name, uses, found)
        _, entry = entries.get(name, ("", PluginConfig()))
        path: Path = ("plugins", kinds[0], name) if name in entries or not uses else uses[0].path
        try:
            program = program_of(name, entry, found, vouched=config.plugins.require_conformance)
        except ProgramUnusable as error:
            troubles.append(Trouble(name, (*path, *error.at), str(error), error.hint))
            continue
        lacking = missing(entry, program.manifest)
        troubles += [Trouble(name, path, *_said(name, kinds[0], one)) for one in lacking]
        if not lacking:
            plans.append(_plan(name, kinds, entry, program, uses, config))
    return tuple(plans), troubles


def names_of(config: "Config") -> list[str]:
    """Return the plugins that a config declares, that it refers to, or that discovery finds for it."""
    declared = [name for _, name, _ in config.plugins.entries()]
    referred = [reference.word.plugin for reference in references(config)]
    return list(dict.fromkeys([*declared, *referred, *catalogue(config.plugins.discovery).manifests]))


def _kinds(config: "Config", name: str, uses: Sequence[Reference], found: Catalogue) -> list[str]:
    """Return the keys under `plugins:` for what a plugin is: as declared, as referred to, or as it says."""
    declared = [key for key, other, _ in config.plugins.entries() if other == name]
    if declared or uses:
        return declared or [use.place.kind for use in uses]
    said = found.manifests[name].says.kinds if name in found.manifests else ()
    return [key for key, kind in KINDS.items() if kind in said] or ["tool_providers"]


def _catalogue(
    config: "Config", wanted: Iterable[str], entries: Mapping[str, tuple[str, PluginConfig]]
) -> Catalogue:
    """Look for manifests only where a plugin is not described by the config alone."""
    if all(name in entries and entries[name][1].has_place for name in wanted):
        return Catalogue()
    return catalogue(config.plugins.discovery)


def _said(name: str, kind: str, lacks: Missing) -> tuple[str, str]:
    return (
        f"{lacks.file} says that plugin {name!r} needs {lacks.what}, and it is not granted",
        f"add to the config, if that is meant: plugins: {{{kind}: {{{name}: {lacks.yaml}}}}}",
    )


def _plan(
    name: str,
    kinds: Sequence[str],
    entry: PluginConfig,
    program: Program,
    uses: Sequence[Reference],
    config: "Config",
) -> PluginPlan:
    settings = {**_defaults(program.manifest), **entry.config}
    instances = tuple(_instances(uses))
    secrets = entry.config.secrets.union(*(use.settings.secrets for use in uses))
    auth = {one.reveal() for one in (entry.auth.bearer, entry.auth.token) if one}
    return PluginPlan(
        name,
        kinds=tuple(sorted({VALUES[kind] for kind in kinds})),
        mode=program.mode,
        command=program.command,
        folder=program.folder,
        address=entry.address,
        tls=Tls(entry.tls.ca, entry.tls.cert, entry.tls.key, entry.tls.server_name) if entry.tls else None,
        bearer=entry.auth.bearer.reveal() if entry.auth.bearer else "",
        token=entry.auth.token.reveal() if entry.auth.token else "",
        insecure=entry.insecure,
        env=dict(entry.env),
        config_json=json.dumps(settings, ensure_ascii=False),
        instances=instances,
        secrets=frozenset(secrets | auth),
        security=_security(entry, program.manifest),
        restart=_restart(entry),
        limits=_limits(entry, program.manifest),
        sha256=(entry.sha256 or (program.manifest.sha256 if program.manifest else "")).lower(),
        grants=granted(entry, program.manifest),
        hidden=private_files(config, program.folder),
        data_dir=(config.plugins.folder / "data" / name).absolute() if program.command else None,
        origin=spelled(("plugins", kinds[0], name)),
    )


def _instances(uses: Sequence[Reference]) -> Iterator[Instance]:
    seen: set[tuple[str, str]] = set()
    for use in uses:
        if (use.instance, use.place.kind) not in seen:
            seen.add((use.instance, use.place.kind))
            yield Instance(
                name=use.instance,
                kind=VALUES[use.place.kind],
                config_json=json.dumps(use.settings, ensure_ascii=False),
                component=use.word.component,
            )


def _defaults(manifest: Manifest | None) -> dict[str, object]:
    """Return what settings are where the config is silent, as a manifest of Hector 1.9 says."""
    schema = manifest.schema.get("properties", {}) if manifest else {}
    named = schema.items() if isinstance(schema, dict) else ()
    return {name: one["default"] for name, one in named if isinstance(one, dict) and "default" in one}


def _security(entry: PluginConfig, manifest: Manifest | None) -> Security:
    said = entry.security
    networks = said.allowed_networks
    return Security(
        sandbox=said.confines,
        timeout_s=entry.timeout_s,
        max_memory_bytes=said.max_memory or (manifest.says.resources.max_memory if manifest else 0),
        max_cpu=said.max_cpu,
        max_processes=said.max_processes,
        allowed_networks=None if networks is None else tuple(networks),
        allowed_paths=tuple(said.allowed_paths or ()),
        proxy_only=said.proxy_only,
    )


def _restart(entry: PluginConfig) -> Restart:
    said = entry.restart
    return Restart(said.backoff, said.max_backoff, said.window, said.max_crashes, said.probe)


def _limits(entry: PluginConfig, manifest: Manifest | None) -> Limits:
    said = entry.limits
    return Limits(
        max_concurrency=said.max_concurrency or (manifest.says.resources.max_concurrency if manifest else 0),
        queue=said.queue,
        max_message_bytes=said.max_message_size,
        start_timeout_s=said.start_timeout,
        drain_s=said.drain_timeout,
        replicas=entry.replicas,
    )
