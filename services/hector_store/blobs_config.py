"""The keys of `storage.blobs:` and `storage.artifacts:`: what is made for users, and where it is kept."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from hector_config import ByteSize, Misfit, Secret, Section, project_dir_of

STORES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "https", "memory")
_ALLOWED = (
    "a folder, file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or memory://"
)


class BlobsConfig(Section):
    """Where large contents of artifacts are kept."""

    url: str = ""
    """A folder (below the project's, or absolute), or an object store: `s3://bucket/prefix` and what speaks
    like it, `gs://bucket/prefix`, `az://container/prefix` (`pip install "hector[blobs]"`), `memory://`
    (forgotten at the end). All replicas need the same. Left out: in the database."""
    larger_than: Annotated[ByteSize, Field(ge=0)] = 1 << 20
    """Contents of more bytes go there, smaller ones into the database."""
    options: dict[str, Secret] = {}
    """What an object store's client is told besides: `endpoint`, `region`, `access_key_id`,
    `secret_access_key` and others of its own. Left out: as its environment says (`AWS_…`, `GOOGLE_…`)."""

    @field_validator("url")
    @classmethod
    def _placed(cls, url: str, info: ValidationInfo) -> str:
        scheme, mark, rest = url.partition("://")
        if mark and scheme != "file":
            if scheme not in STORES or not (rest or scheme == "memory"):
                raise Misfit(f"no place for contents is called so (allowed: {_ALLOWED})")
            if re.match(r"[^/]*@", rest):
                raise Misfit("an address holds no credentials", hint="write them under options")
            return f"{url}/" if url == "memory://" else url
        path = rest if mark else url
        if not path:
            return ""
        folder = project_dir_of(info)
        found = Path(path).expanduser()
        return str((folder / found).absolute() if folder is not None else found)


class ArtifactsConfig(Section):
    """What artifacts may be like."""

    max_size: Annotated[ByteSize, Field(ge=1024, le=32 << 20)] = 16 << 20
    """Most bytes of one version, as it is saved; a larger one is refused."""
