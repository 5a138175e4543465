"""The keys of `embedders:`: who turns text into vectors, and how long those are."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from hector_config import Duration, Secret, Section

AVAILABLE = ("local",)
KNOWN = ("local", "openai", "ollama", "cohere")


class EmbedderConfig(Section):
    """One entry of `embedders:`. Its key is the name that document stores and memory refer to."""

    provider: str = Field(default="local", json_schema_extra={"enum": list(AVAILABLE)})
    """Who makes the vectors. "local" needs no network and no model: hashed words and letters."""
    model: str = ""
    """The provider's own name of the model; empty is the provider's usual one."""
    api_key: Secret | None = None
    """The key to the provider; "local" needs none."""
    base_url: str = ""
    """Where the provider is, when not at its usual address."""
    dimension: Annotated[int, Field(ge=16, le=8192)] | None = None
    """Floats in a vector. Left out: 512 for "local", the model's own elsewhere."""
    timeout: Duration = 30.0
    """Longest wait for one batch."""
    max_retries: Annotated[int, Field(ge=0, le=20)] = 3
    """How often a failed batch is tried again."""
    batch_size: Annotated[int, Field(ge=1, le=2048)] = 100
    """Most texts in one call."""
    encoding_format: Literal["", "float", "base64"] = ""
    """OpenAI: how vectors travel."""
    user: str = ""
    """OpenAI: who the calls are made for."""
    input_type: str = ""
    """Cohere: what texts are for, when a call does not say."""
    output_dimension: Annotated[int, Field(ge=16, le=8192)] | None = None
    """Cohere: length of the vectors wanted."""
    truncate: Literal["", "NONE", "START", "END"] = ""
    """Cohere: what is cut from texts that are too long."""

    @field_validator("provider")
    @classmethod
    def _available(cls, provider: str) -> str:
        if provider in AVAILABLE:
            return provider
        if provider in KNOWN or provider.startswith("plugin:"):
            message = 'provider "{found}" is known, but not available in this version; available: local'
        else:
            message = 'no provider is called "{found}"; available: local'
        raise PydanticCustomError("provider", message, {"found": provider})


class EmbedderSection(Section):
    """What this room reads of the configuration."""

    embedders: dict[str, EmbedderConfig] = {}
    """Embedders by name. Without any there is `default`, the local one."""
