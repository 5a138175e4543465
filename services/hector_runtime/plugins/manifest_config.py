"""The keys of a manifest."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from hector_config import ByteSize, Misfit, OneOf, Section, Text

from .config import KINDS

Kind = Annotated[str, OneOf(*KINDS.values())]


# Others may read a manifest, too: keys that are not known here are no mistake, but for what it asks for. What
# is asked in words that nobody here understands cannot be granted.
class HostPermissions(Section):
    """What the plugin asks of Hector."""

    llm: list[str] = []
    tools: list[str] = []
    embedders: list[str] = []
    state: ByteSize = 0
    log: bool = False


class FilePermissions(Section):
    """What of the disk the plugin uses."""

    read: list[str] = []
    write: list[str] = []


class Permissions(Section):
    """What the plugin needs; the config has to grant it."""

    host: HostPermissions = HostPermissions()
    network: list[str] = []
    files: FilePermissions = FilePermissions()


class Resources(Section, extra="allow"):
    """What the plugin says that it needs of the machine."""

    max_memory: ByteSize = 0
    max_concurrency: Annotated[int, Field(ge=0)] = 0


class Platform(Section, extra="ignore"):
    """The program for one system and processor."""

    command: list[str] = []
    sha256: str = ""


class PluginManifest(Section, extra="allow"):
    """The mapping below `plugin:`."""

    name: str
    version: Text
    type: Kind | None = None
    types: list[Kind] = []
    protocol: Annotated[str, OneOf("grpc")] = "grpc"
    hector_version: str = ""
    command: list[str] = []
    platforms: dict[str, Platform] = {}
    sha256: str = ""
    config_schema: dict[str, Any] = {}
    permissions: Permissions | None = None
    resources: Resources = Resources()
    description: str = ""
    files: list[str] | None = None

    @model_validator(mode="after")
    def _says_what_it_is(self) -> Self:
        if not self.kinds:
            raise Misfit(
                f"it does not say what the plugin is, allowed: {', '.join(KINDS.values())}", at=("type",)
            )
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """What the plugin is, each once."""
        return tuple(dict.fromkeys([*([self.type] if self.type else []), *self.types]))


class ManifestFile(Section, extra="allow"):
    """A manifest, from the top."""

    plugin: PluginManifest


class Named(Section, extra="ignore"):
    """What is read of a manifest that is of no use."""

    name: str = ""


class NamedFile(Section, extra="ignore"):
    """Such a manifest, from the top."""

    plugin: Named = Named()
