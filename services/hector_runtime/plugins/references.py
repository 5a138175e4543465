"""Where a config refers to plugins: `plugin:NAME`, or `plugin:NAME:COMPONENT`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from hector_config import Check, Data, Misfit, Settings
from hector_config.plugin_word import PluginWord, plugin_word
from hector_config.problem import Path, listed, quoted, spelled
from hector_config.words import did_you_mean, nearest

from .config import KINDS, DiscoveryConfig

if TYPE_CHECKING:
    from hector_runtime.config import Config

    from .discovery import Catalogue


class Place(NamedTuple):
    """Where such a word may stand."""

    path: tuple[str, ...]
    """`*` is any name."""
    kind: str
    """The key under `plugins:` for what is meant here."""
    role: str
    """Who calls the plugin then."""


PLACES = (
    Place(("llms", "*", "provider"), "llm_providers", "llm"),
    Place(("vector_stores", "*", "type"), "database_providers", "vector"),
    Place(("embedders", "*", "provider"), "embedder_providers", "embedder"),
    Place(("tools", "*", "type"), "tool_providers", "tool"),
    Place(("agents", "*", "reasoning", "strategy"), "reasoning_strategies", "reasoning"),
    Place(("agents", "*", "type"), "agents", "agent"),
    Place(("document_stores", "*", "source", "parser"), "document_parsers", "document"),
    Place(("document_stores", "*", "source", "parsers", "*"), "document_parsers", "document"),
)


@dataclass(frozen=True, slots=True)
class Reference:
    """One place of a config that refers to a plugin."""

    path: Path
    place: Place
    word: PluginWord
    settings: Settings
    """The entry's own, for this plugin."""

    @property
    def instance(self) -> str:
        """The entry, as calls name it: "llms.custom"."""
        return f"{self.path[0]}.{self.path[1]}"


def references(config: "Config") -> Iterator[Reference]:
    """Yield every reference of a config to a plugin."""
    for place in PLACES:
        for path, text in _texts(config, place.path, ()):
            if (word := plugin_word(text)) is not None and _is_used(config, path):
                yield Reference(path, place, word, _settings(config, path, place))


def checked_in(folder: FilePath) -> Check:
    """Return the check of a project's references: with the names that discovery finds there, if it is on."""

    def check(data: Mapping[str, Data]) -> Iterator[Misfit]:
        return unknown(data, lambda: _found_in(data, folder))

    return check


def unknown(data: Mapping[str, Data], found: Callable[[], "Catalogue"]) -> Iterator[Misfit]:
    """Find references to plugins that there are not, or that are something else.

    Args:
        data: The values of a whole file.
        found: Looks what discovery finds; asked only where it matters.
    """
    plugins = data.get("plugins")
    declared = _declared(plugins if isinstance(plugins, dict) else {})
    for place in PLACES:
        for path, text in _texts(data, place.path, ()):
            word = plugin_word(text)
            if word is None or not word.plugin:  # of no name at all the place itself tells
                continue
            if word.plugin not in declared:
                there = found()
                manifests = there.manifests
                if word.plugin in manifests:
                    kinds = manifests[word.plugin].says.kinds
                    if KINDS[place.kind] not in kinds:
                        yield _other_kind(path, place, word, ", ".join(kinds))
                    continue
                if why := there.problem_of(word.plugin):
                    yield Misfit(f"the manifest of {quoted(word.plugin)} cannot be used: {why}", at=path)
                    continue
                names = sorted({*declared, *manifests})
                hint = did_you_mean(nearest(word.plugin, names)) or f"plugins: {listed(names)}"
                hint += f"; discovery passed over what may be it: {there.nameless}" if there.nameless else ""
                message = f"no plugin is called {quoted(word.plugin)}"
                yield Misfit(f"{message}: declare it under plugins.{place.kind}", at=path, hint=hint)
            elif place.kind not in (kinds_of := declared[word.plugin]):
                yield _other_kind(path, place, word, " and ".join(f"plugins.{kind}" for kind in kinds_of))
            elif not kinds_of[place.kind]:
                hint = "take enabled: false out, or refer to something else"
                yield Misfit(f"plugins.{place.kind}.{word.plugin} is not enabled", at=path, hint=hint)


def _found_in(data: Mapping[str, Data], folder: FilePath) -> "Catalogue":
    from .discovery import Catalogue, catalogue

    plugins = data.get("plugins")
    said = plugins.get("discovery") if isinstance(plugins, dict) else None
    try:
        context = {"project_dir": folder}
        return catalogue(DiscoveryConfig.model_validate(said or {}, context=context))
    except ValidationError:
        return Catalogue()  # what is wrong with it is told by itself


def _other_kind(path: Path, place: Place, word: PluginWord, what: str) -> Misfit:
    message = f"plugin {quoted(word.plugin)} is {what}, and what is needed here is plugins.{place.kind}"
    hint = f"if it is that too, declare it under plugins.{place.kind} as well"
    if what in ("guardrail", "plugins.guardrails"):
        hint = "guardrails can be written and tested, and nothing asks them in this version"
    return Misfit(message, at=path, hint=hint)


def _declared(plugins: Mapping[str, Data]) -> dict[str, dict[str, bool]]:
    """Return declared plugins by name: the kinds each stands under, and whether it is enabled there."""
    found: dict[str, dict[str, bool]] = {}
    for kind in KINDS:
        section = plugins.get(kind)
        for name, entry in section.items() if isinstance(section, dict) else ():
            enabled = entry.get("enabled") is not False if isinstance(entry, dict) else True
            found.setdefault(name, {})[kind] = enabled
    return found


def _texts(holder: Any, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the texts at a pattern, in a config or in the plain values of one."""
    if not pattern:
        if isinstance(holder, str):
            yield path, holder
        return
    step, rest = pattern[0], pattern[1:]
    if step == "*":
        for name, inner in holder.items() if isinstance(holder, Mapping) else ():
            yield from _texts(inner, rest, (*path, str(name)))
        return
    below = holder.get(step) if isinstance(holder, Mapping) else getattr(holder, step, None)
    if below is not None:
        yield from _texts(below, rest, (*path, step))


def _is_used(config: "Config", path: Path) -> bool:
    """Return whether the entry that refers is there at all: tools can be switched off."""
    section: Mapping[str, Any] = getattr(config, str(path[0]))
    return bool(getattr(section[str(path[1])], "enabled", True))


def _settings(config: "Config", path: Path, place: Place) -> Settings:
    """Return what an entry says to its plugin, apart from the reference itself."""
    section: Mapping[str, Any] = getattr(config, str(path[0]))
    entry = section[str(path[1])]
    if place.kind == "reasoning_strategies":
        return Settings.of(entry.reasoning.options)
    own: Settings = getattr(entry, "config", None) or Settings()
    if place.kind != "llm_providers":
        return own
    beside = {key: _plain(getattr(entry, key)) for key in _BESIDE if key in entry.model_fields_set}
    whole = Settings({**beside, **own})
    secret = entry.api_key.reveal() if entry.api_key else ""
    whole.secrets = own.secrets | frozenset({secret} if secret else ())
    return whole


_BESIDE = ("model", "base_url", "api_key")
"""Keys of a model that its provider may want to know, wherever they stand."""


def _plain(value: object) -> object:
    reveal = getattr(value, "reveal", None)
    return reveal() if reveal else value


def described(reference: Reference) -> str:
    """Return where a reference stands, for people."""
    return spelled(reference.path)
