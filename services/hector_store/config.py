"""The keys of `storage:`: where runs, sessions and the index's state are kept."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from hector_config import Duration, Section, project_dir_of
from hector_mesh import HectorError

from .blobs_config import ArtifactsConfig, BlobsConfig
from .checkpoint_config import CheckpointConfig
from .queue_config import QueueConfig
from .retention_config import RetentionConfig
from .url import DEFAULT, placed
from .worker_values import LONGEST_LEASE_S, SHORTEST_LEASE_S


class StorageConfig(Section):
    """Where everything durable is."""

    database: str = Field(DEFAULT, repr=False)
    """The database: `sqlite://.hector/hector.db` (a path below the project folder), `sqlite:///absolute/x.db`,
    `postgres://user:password@host:5432/database`, `mysql://user:password@host:3306/database`, or `inmemory`
    (forgotten at the end). SQLite: `?synchronous=normal` trades safety in a power cut for speed. Servers:
    `?pool_size=4`, `sslmode=require`, `connect_timeout=10` and more, see docs/storage.md."""

    lease: Annotated[Duration, Field(ge=SHORTEST_LEASE_S, le=LONGEST_LEASE_S)] = 15.0
    """How long a process that has fallen silent keeps its runs: after that, others take them over. Short:
    runs go on sooner; long: a process may be held up for longer. One that ends, or whose parent sees it die,
    lets go of its runs at once."""
    queue: QueueConfig = QueueConfig()
    """Which runs get on first when there is more to do than processes can do."""
    checkpoint: CheckpointConfig = CheckpointConfig()
    """What becomes of runs whose process is gone."""
    blobs: BlobsConfig = BlobsConfig()
    """Where large contents of artifacts are kept."""
    artifacts: ArtifactsConfig = ArtifactsConfig()
    """What artifacts may be like."""
    retention: RetentionConfig = RetentionConfig()
    """How long runs that are over are kept, and what belongs to them."""

    later = {
        **dict.fromkeys(("tasks", "sessions"), "all of it is kept in storage.database"),
        "memory": "past sessions cannot be searched yet",
    }

    @field_validator("database")
    @classmethod
    def _placed(cls, url: str, info: ValidationInfo) -> str:
        try:
            return placed(url, project_dir_of(info))
        except HectorError as error:
            raise PydanticCustomError("database", "{problem}", {"problem": str(error)}) from None


class StorageSection(Section):
    """What the store reads of the configuration."""

    storage: StorageConfig = Field(default_factory=StorageConfig)
    """Where runs, sessions and the state of document indexes are kept."""
