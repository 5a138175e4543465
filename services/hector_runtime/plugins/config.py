"""The keys of `plugins:`: processes that others wrote, by what they are."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from hector_config import Misfit, ProjectPath, Section, Settings, Text, project_dir_of
from hector_config.units import parse_duration

from .entry_config import AuthConfig, GrantsConfig, LimitsConfig, RestartConfig, SecurityConfig, TLSConfig
from .entry_rules import misfits

KINDS: Mapping[str, str] = {
    "llm_providers": "llm_provider",
    "database_providers": "database_provider",
    "embedder_providers": "embedder_provider",
    "tool_providers": "tool_provider",
    "reasoning_strategies": "reasoning_strategy",
    "document_parsers": "document_parser",
    "agents": "agent",
    "guardrails": "guardrail",
}
"""What a plugin can be: the key that holds plugins of that kind, and the kind's own name."""


def _usable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name):
        allowed = 'letters, digits, "_", "-" and ".", at most 64, a letter or a digit first'
        raise Misfit(f"the name of a plugin stands in references: {allowed}")
    return name


PluginName = Annotated[str, AfterValidator(_usable)]


class PluginConfig(Section):
    """One plugin. Its key is the name that `plugin:NAME` refers to.

    It is a program (`path` or `python`), something that runs already (`address` alone), or, with none of
    these, the plugin whose manifest discovery has found under this name.
    """

    type: Literal["grpc"] = "grpc"
    """How Hector speaks with it; there is one way."""
    enabled: bool = True
    """false: what refers to it is refused, as if it were not there."""
    path: ProjectPath | None = None
    """The program: something executable, a file that Python, Node or Java runs (Python: Hector's own), or a
    folder with a manifest."""
    python: str = ""
    """In place of `path`: a Python module, run as `python -m` with Hector's own Python."""
    args: list[Text] = []
    """Arguments of the program. They can be seen by other users of the machine: no secrets."""
    address: str = ""
    """Where it listens, as "unix:/run/up.sock", "127.0.0.1:8081" or "dns:///embed.internal:7443". Alone: it
    runs already. With a program: where that listens once it has started, if it does not say so itself."""
    mode: Literal["spawn", "listen", "attach", "watch"] | None = None
    """How it is reached. Left out: `spawn` for a program, `listen` for one with an address, `attach` for an
    address alone. `watch`: the address is a folder, in which somebody puts its socket."""
    working_directory: ProjectPath | None = None
    """The folder its program runs in. Left out: the one that the program lies in; of a Python module the
    project folder."""
    env: dict[str, Text] = {}
    """Environment of its program, which gets nothing of Hector's own. Secrets belong into `config`."""
    config: Settings = Settings()
    """Its own settings, handed over once it runs; each keeps its type. Secrets are safe here: they are in no
    environment, no argument and no log."""
    sha256: str = ""
    """What its program must be; `hector plugin pin` prints it. Another one is not started."""
    tls: TLSConfig | None = None
    """With an address alone: speak TLS."""
    auth: AuthConfig = AuthConfig()
    """With an address alone: what shows that it is Hector who calls."""
    insecure: bool = False
    """With an address alone: plain text to another machine is meant."""
    security: SecurityConfig = SecurityConfig()
    """What it may do to the machine, and how long its calls may take."""
    restart: RestartConfig = RestartConfig()
    """What follows when it crashes."""
    limits: LimitsConfig = LimitsConfig()
    """How much at once, how large, and how long."""
    replicas: Annotated[int, Field(ge=1, le=64)] = 1
    """So many processes share its calls."""
    grants: GrantsConfig = GrantsConfig()
    """What it may ask of Hector: models, tools, embedders, a place to keep values."""

    later = {"autostart": "a plugin starts when something refers to it"}

    @property
    def has_place(self) -> bool:
        """Whether it says where the plugin is; else a manifest has to."""
        return bool(self.path or self.python or self.address)

    @property
    def timeout_s(self) -> float:
        """Longest time for one call, 0 as the caller says; `config.timeout` where nothing else is said."""
        return self.security.timeout or _seconds(self.config.get("timeout"))

    @model_validator(mode="after")
    def _holds_together(self, info: ValidationInfo) -> Self:
        context: Mapping[str, Any] = info.context or {}
        found = list(misfits(self, context["private"]() if "private" in context else ()))
        if found:
            first, *others = found
            raise Misfit(first.message, at=first.at, hint=first.hint, also=others)
        return self


USUAL = (Path("plugins"), Path("~/.hector/plugins"))
"""Where plugins are looked for if nobody says another place."""


class DiscoveryConfig(Section):
    """Looks for plugins by their manifests. Being found starts nothing: a reference does."""

    enabled: bool = False
    """Look for manifests."""
    paths: list[ProjectPath] = [*USUAL]
    """Folders with `plugin.yaml` or `NAME.plugin.yaml`. One that is not there is a warning; these two may be
    missing."""
    scan_subdirectories: bool = False
    """Look in the folders below them, too."""

    _usual: frozenset[Path] = PrivateAttr(frozenset())

    def may_be_missing(self, folder: Path) -> bool:
        """Say whether nobody is surprised that a folder is not there."""
        return folder in self._usual

    @model_validator(mode="after")
    def _place_usual(self, info: ValidationInfo) -> Self:
        beside = project_dir_of(info) or Path()
        self._usual = frozenset(beside / folder.expanduser() for folder in USUAL)
        return self


class PluginsConfig(Section):
    """Everything under `plugins:`."""

    discovery: DiscoveryConfig = DiscoveryConfig()
    """Finds plugins by their manifests."""
    require_conformance: bool = False
    """Start only programs that have passed `hector plugin test --badge` as they are now."""
    watch: bool = False
    """Replace a running plugin when its program, or the script it runs, has become another file, as `hector
    plugin reload` does: once it is written, only by one that answers, and without a failed call. So does
    `hector serve --watch`."""
    folder: ProjectPath = Path(".hector/plugins")
    """Where plugins keep what they write, and Hector what it knows of their processes."""
    llm_providers: dict[PluginName, PluginConfig] = {}
    """Language models: `llms.<name>.provider: plugin:NAME`."""
    database_providers: dict[PluginName, PluginConfig] = {}
    """Vector stores: `vector_stores.<name>.type: plugin:NAME`."""
    embedder_providers: dict[PluginName, PluginConfig] = {}
    """Embedders: `embedders.<name>.provider: plugin:NAME`."""
    tool_providers: dict[PluginName, PluginConfig] = {}
    """Tools: `tools.<name>.type: plugin:NAME`."""
    reasoning_strategies: dict[PluginName, PluginConfig] = {}
    """Strategies: `agents.<name>.reasoning.strategy: plugin:NAME`."""
    document_parsers: dict[PluginName, PluginConfig] = {}
    """Parsers: `document_stores.<name>.source.parsers`."""
    agents: dict[PluginName, PluginConfig] = {}
    """Agents: `agents.<name>.type: plugin:NAME`."""
    guardrails: dict[PluginName, PluginConfig] = {}
    """Guardrails: they can be written and tested, and nothing refers to them yet."""

    def entries(self) -> Iterator[tuple[str, str, PluginConfig]]:
        """Yield every plugin with the key of its kind and its name."""
        for kind in KINDS:
            section: Mapping[str, PluginConfig] = getattr(self, kind)
            for name, entry in section.items():
                yield kind, name, entry

    @model_validator(mode="after")
    def _one_plugin_a_name(self) -> Self:
        """Let a plugin stand under several kinds, but only if it is the same one."""
        known: dict[str, tuple[str, PluginConfig]] = {}
        for kind, name, entry in self.entries():
            first, same = known.setdefault(name, (kind, entry))
            if same != entry:
                message = f"plugins.{first}.{name} is another plugin of that name"
                raise Misfit(message, at=(kind, name), hint="write the same in both places, or rename one")
        return self


class PluginsSection(Section):
    """What the runtime reads of plugins."""

    plugins: PluginsConfig = PluginsConfig()
    """Processes that others wrote, in any language, and that stand where built-in parts could."""


def _seconds(value: object) -> float:
    try:
        return parse_duration(value)
    except PydanticCustomError:
        return 0.0  # it means something else to the plugin
