"""Sees that plugins which a config refers to can be run, without running one, and says where if not."""

import json
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from hector_config import ConfigInvalid, Loaded, Problem
from hector_config.problem import Path, in_order, problem_at

from .references import references

if TYPE_CHECKING:
    from hector_runtime.config import Config

    from .manifest import Manifest


def check_plugins(loaded: "Loaded[Config]", roles: Collection[str] | None = None) -> None:
    """Look at programs, manifests, permissions and settings: what is wrong there is wrong with the config.

    Args:
        loaded: The config.
        roles: Whose plugins have to be here; None: those of all, and what confines them has to be here too.

    Raises:
        ConfigInvalid: Some of them cannot be run.
    """
    if not any(roles is None or one.place.role in roles for one in references(loaded.config)):
        return
    problems = [*_troubles(loaded, roles), *_settings(loaded)]
    if roles is None:  # a server starts without a plugin that may not run here, and says so
        problems += [*_mismatched(loaded), *_unconfined(loaded), *_refused(loaded)]
    if problems:
        raise ConfigInvalid(in_order(problems), loaded.warnings)


def passed_over(loaded: "Loaded[Config]") -> Iterator[Problem]:
    """Yield a warning for each manifest and folder that discovery cannot use."""
    if not loaded.config.plugins.discovery.enabled:
        return
    from .discovery import catalogue

    for one in catalogue(loaded.config.plugins.discovery).rejected:
        path: Path = ("plugins", "discovery", "paths", one.folder)
        yield problem_at(loaded.marks[path], path, f"passed over: {one.why}")


def unused(loaded: "Loaded[Config]") -> Iterator[Problem]:
    """Yield a warning for each plugin that nothing refers to and that could not be started, were it used."""
    wanted = {one.word.plugin for one in references(loaded.config)}
    entries = loaded.config.plugins.entries()
    idle = {name for _, name, entry in entries if entry.enabled and name not in wanted}
    if not idle:
        return
    from .plans import planned

    for trouble in planned(loaded.config, (), named=idle)[1]:
        message = f"{trouble.message}; nothing refers to {trouble.plugin}, so it is not started"
        yield problem_at(loaded.marks[trouble.path], trouble.path, message, hint=trouble.hint)


def mistyped(loaded: "Loaded[Config]") -> Iterator[Problem]:
    """Yield a warning for each key of a manifest that looks like another one, and has no effect."""
    from .discovery import catalogue
    from .program import said_of

    plugins = loaded.config.plugins
    found = catalogue(plugins.discovery)
    manifests: list[tuple[Path, Manifest | None]] = [
        (("plugins", kind, name), said_of(name, entry, found)) for kind, name, entry in plugins.entries()
    ]
    manifests += [(("plugins", "discovery", "paths"), said) for said in found.manifests.values()]
    told: set[str] = set()
    for path, said in manifests:
        for why in said.mistyped if said else ():
            if why not in told:
                told.add(why)
                yield problem_at(loaded.marks[path], path, why)


def _troubles(loaded: "Loaded[Config]", roles: Collection[str] | None) -> Iterator[Problem]:
    from .plans import planned

    for trouble in planned(loaded.config, roles)[1]:
        yield problem_at(loaded.marks[trouble.path], trouble.path, trouble.message, hint=trouble.hint)


def _unconfined(loaded: "Loaded[Config]") -> Iterator[Problem]:
    """Ask whether this machine can confine plugins as the config says."""
    from hector_plugin_host.sandbox import refusal

    from .plans import planned

    kinds = {name: kind for kind, name, _ in loaded.config.plugins.entries()}
    for plan in planned(loaded.config)[0]:
        if plan.name in kinds and (why := refusal(plan)):
            path: Path = ("plugins", kinds[plan.name], plan.name)
            yield problem_at(loaded.marks[path], (*path, "security"), why)


def _mismatched(loaded: "Loaded[Config]") -> Iterator[Problem]:
    """Look whether pinned programs are what their pins say."""
    from hector_plugin_host.executable import check_pin
    from hector_plugin_host.start_failed import PluginStartFailed

    from .plans import planned

    kinds = {name: kind for kind, name, _ in loaded.config.plugins.entries()}
    for plan in planned(loaded.config)[0]:
        try:
            if plan.command:
                check_pin(plan)
        except PluginStartFailed as error:
            path: Path = (
                ("plugins", kinds[plan.name], plan.name, "sha256") if plan.name in kinds else ("plugins",)
            )
            yield problem_at(loaded.marks[path], path, error.why, hint=error.fix)


def _refused(loaded: "Loaded[Config]") -> Iterator[Problem]:
    """Look whether addresses would be used as they are: nothing secret in plain text, all files there."""
    from hector_plugin_host.modes.attach import credentials_of
    from hector_plugin_host.start_failed import PluginStartFailed

    from .plans import planned

    kinds = {name: kind for kind, name, _ in loaded.config.plugins.entries()}
    for plan in planned(loaded.config)[0]:
        try:
            if plan.mode == "attach":
                credentials_of(plan)
        except PluginStartFailed as error:
            path: Path = ("plugins", kinds[plan.name], plan.name, "address")
            yield problem_at(loaded.marks[path], path, error.why, hint=error.fix)


def _settings(loaded: "Loaded[Config]") -> Iterator[Problem]:
    """Hold settings to the schemas that manifests have; those of the others only their plugins know."""
    from .discovery import catalogue
    from .program import said_of

    plugins = loaded.config.plugins
    found = catalogue(plugins.discovery)
    wanted = {one.word.plugin for one in references(loaded.config)}
    for kind, name, entry in plugins.entries():
        if name in wanted and (said := said_of(name, entry, found)) is not None:
            path: Path = ("plugins", kind, name, "config")
            for why in _against(said, entry.config):
                yield problem_at(loaded.marks[path], path, f"{said.file} does not allow this: {why}")


def _against(said: "Manifest", settings: dict[str, object]) -> list[str]:
    if not said.schema:
        return []
    from hector_plugin_host.schema_check import UnusableSchema, problems

    try:
        return problems(json.dumps(said.schema), json.dumps(settings))
    except UnusableSchema as error:
        return [f"its config_schema is no JSON Schema ({error})"]
