"""The keys of `embedders:`: who turns text into vectors, and how long those are."""

from typing import Annotated

from pydantic import Field

from hector_config import OneOf, Section

Provider = Annotated[str, OneOf("local", later=["openai", "ollama", "cohere", "plugin:*"], decides=True)]
_ELSEWHERE = "it belongs to embedders on the network; the local one needs nothing"


class EmbedderConfig(Section):
    """One entry of `embedders:`. Its key is the name that document stores and memory refer to."""

    provider: Provider = "local"
    """Who makes the vectors. "local" needs no network and no model: hashed words and letters."""
    dimension: Annotated[int, Field(ge=16, le=8192)] | None = None
    """Floats in a vector. Left out: 512 for "local", the model's own elsewhere."""
    batch_size: Annotated[int, Field(ge=1, le=2048)] = 100
    """Most texts in one call."""

    later = {
        **dict.fromkeys(("model", "api_key", "base_url", "timeout", "max_retries"), _ELSEWHERE),
        **dict.fromkeys(("encoding_format", "user"), "it belongs to provider openai"),
        **dict.fromkeys(("input_type", "output_dimension", "truncate"), "it belongs to provider cohere"),
        "config": "it belongs to embedders that are plugins",
    }


class EmbedderSection(Section):
    """What this room reads of the configuration."""

    embedders: dict[str, EmbedderConfig] = {}
    """Embedders by name. Without any there is `default`, the local one."""
