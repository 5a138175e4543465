"""The keys of `embedders:`: who turns text into vectors, and how long those are."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from hector_config import Misfit, OneOf, Section, Settings

Provider = Annotated[str, OneOf("local", "plugin:*", later=["openai", "ollama", "cohere"], decides=True)]
_ELSEWHERE = "it belongs to embedders on the network; the local one needs nothing, a plugin has it in config"


class EmbedderConfig(Section):
    """One entry of `embedders:`. Its key is the name that document stores and memory refer to."""

    provider: Provider = "local"
    """Who makes the vectors. "local" needs no network and no model: hashed words and letters. Others are
    plugins, `plugin:NAME`."""
    dimension: Annotated[int, Field(ge=16, le=8192)] | None = None
    """Floats in a vector. Left out: 512 for "local", the model's own elsewhere; a plugin knows it."""
    batch_size: Annotated[int, Field(ge=1, le=2048)] = 100
    """Most texts in one call."""
    config: Settings = Settings()
    """For a plugin: settings of its own for this embedder."""

    later = {
        **dict.fromkeys(("model", "api_key", "base_url", "timeout", "max_retries"), _ELSEWHERE),
        **dict.fromkeys(("encoding_format", "user"), "it belongs to provider openai"),
        **dict.fromkeys(("input_type", "output_dimension", "truncate"), "it belongs to provider cohere"),
    }

    @model_validator(mode="after")
    def _is_read_by_somebody(self) -> Self:
        if self.provider.startswith("plugin:"):
            if self.dimension is not None:
                raise Misfit(
                    "the plugin says how long its vectors are", at=("dimension",), hint="leave it out"
                )
        elif self.config:
            raise Misfit("only plugins read it", at=("config",), hint="write its keys beside provider")
        return self


class EmbedderSection(Section):
    """What this room reads of the configuration."""

    embedders: dict[str, EmbedderConfig] = {}
    """Embedders by name. Without any there is `default`, the local one."""
