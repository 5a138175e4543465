"""The keys of `vector_stores:`: where vectors are kept."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hector_config import ProjectPath, Secret, Section, project_dir_of
from hector_store.config import StorageSection

AVAILABLE = ("embedded",)
KNOWN = ("embedded", "qdrant", "pinecone", "weaviate", "milvus", "chroma", "pgvector")
SHARED = "qdrant, pinecone, weaviate, milvus, chroma"
DEFAULT = "default"
_FOLDER = Path(".hector/vectors")
_ELSEWHERE = (
    "host",
    "port",
    "api_key",
    "enable_tls",
    "compress",
    "collection",
    "index_name",
    "environment",
)


class VectorStoreConfig(Section):
    """One entry of `vector_stores:`. Its key is the name that document stores and memory refer to."""

    type: str = Field(default="embedded", json_schema_extra={"enum": list(AVAILABLE)})
    """What kind of store it is. "embedded" is a file of this process, and belongs to it alone."""
    persist_path: ProjectPath | None = None
    """Folder of an embedded store; `.hector/vectors/<name>` when left out. Not used while
    `storage.database` is `inmemory`: vectors are then forgotten with the index they belong to."""
    compress: bool = False
    """Known from before; the embedded store of this version does not compress."""
    host: str = ""
    """Where a store on the network is."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Its port, when not its usual one."""
    api_key: Secret | None = None
    """The key to it."""
    enable_tls: bool = False
    """Speak TLS to it."""
    collection: str = ""
    """The collection to use, where a store has only one."""
    index_name: str = ""
    """Pinecone: the index."""
    environment: str = ""
    """Pinecone: where the index is."""

    @field_validator("type")
    @classmethod
    def _available(cls, kind: str) -> str:
        if kind in AVAILABLE:
            return kind
        if kind in KNOWN or kind.startswith("plugin:"):
            message = 'type "{found}" is known, but not available in this version; available: embedded'
        else:
            message = 'no vector store is of type "{found}"; available: embedded'
        raise PydanticCustomError("vector_store_type", message, {"found": kind})

    @model_validator(mode="after")
    def _nothing_in_vain(self) -> Self:
        given = [key for key in _ELSEWHERE if getattr(self, key)]
        if given:
            message = "{keys} would have no effect: the embedded store is a folder, see persist_path"
            raise PydanticCustomError("without_effect", message, {"keys": ", ".join(given)})
        return self


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
            name: entry if entry.persist_path else entry.model_copy(update={"persist_path": folder / name})
            for name, entry in (stores or {DEFAULT: VectorStoreConfig()}).items()
        }
        owners: dict[Path, str] = {}
        for name, entry in placed.items():
            path = (entry.persist_path or folder).absolute()
            if path in owners:
                message = '"{first}" and "{second}" have the same persist_path; a folder holds one store'
                raise PydanticCustomError("shared_path", message, {"first": owners[path], "second": name})
            owners[path] = name
        return placed
