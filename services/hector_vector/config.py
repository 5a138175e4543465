"""The keys of `vector_stores:`: where vectors are kept."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hector_config import Misfit, Off, OneOf, ProjectPath, Section, Settings, project_dir_of
from hector_store.config import StorageSection

Kind = Annotated[
    str,
    OneOf(
        "embedded",
        "plugin:*",
        later=["qdrant", "pinecone", "weaviate", "milvus", "chroma", "pgvector"],
        decides=True,
    ),
]
SHARED = "qdrant, pinecone, weaviate, milvus, chroma"
DEFAULT = "default"
_FOLDER = Path(".hector/vectors")
_ELSEWHERE = (
    "it belongs to stores on the network; the embedded one is a folder, see persist_path, "
    "and a plugin has it in config"
)


class VectorStoreConfig(Section):
    """One entry of `vector_stores:`. Its key is the name that document stores and memory refer to."""

    type: Kind = "embedded"
    """What kind of store it is. "embedded" is a file of this process, and belongs to it alone. Others are
    plugins, `plugin:NAME`."""
    persist_path: ProjectPath | None = None
    """Folder of an embedded store; `.hector/vectors/<name>` when left out. Not used while
    `storage.database` is `inmemory`: vectors are then forgotten with the index they belong to."""
    compress: Off = False
    """The embedded store does not compress."""
    config: Settings = Settings()
    """For a plugin: settings of its own for this store."""

    later = {
        **dict.fromkeys(("host", "port", "api_key", "enable_tls", "collection", "index_name"), _ELSEWHERE),
        **dict.fromkeys(("environment", "ca_certificate", "insecure_skip_verify"), _ELSEWHERE),
    }

    @model_validator(mode="after")
    def _is_read_by_somebody(self) -> Self:
        if self.is_plugin and "persist_path" in self.model_fields_set:
            raise Misfit("it belongs to the embedded store", at=("persist_path",), hint="see config")
        if self.config and not self.is_plugin:
            raise Misfit("only plugins read it", at=("config",), hint="write its keys beside type")
        return self

    @property
    def is_plugin(self) -> bool:
        """A plugin keeps the vectors."""
        return self.type.startswith("plugin:")


class VectorSection(StorageSection):
    """What this room reads of the configuration."""

    vector_stores: dict[str, VectorStoreConfig] = {}
    """Vector stores by name. Without any there is `default`, an embedded one in `.hector/vectors/default`."""

    @field_validator("vector_stores")
    @classmethod
    def _placed(
        cls, stores: dict[str, VectorStoreConfig], info: ValidationInfo
    ) -> dict[str, VectorStoreConfig]:
        folder = (project_dir_of(info) or Path()) / _FOLDER
        placed = {
            name: entry
            if entry.persist_path or entry.is_plugin
            else entry.model_copy(update={"persist_path": folder / name})
            for name, entry in (stores or {DEFAULT: VectorStoreConfig()}).items()
        }
        owners: dict[Path, str] = {}
        for name, entry in placed.items():
            if entry.is_plugin:
                continue
            path = (entry.persist_path or folder).absolute()
            if path in owners:
                message = '"{first}" and "{second}" have the same persist_path; a folder holds one store'
                raise PydanticCustomError("shared_path", message, {"first": owners[path], "second": name})
            owners[path] = name
        return placed
