"""The keys under `llms:`."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hector_config import Duration, Misfit, OneOf, ProjectPath, Secret, Section, Settings

Provider = Annotated[
    str,
    OneOf(
        "openai",
        "ollama",
        "local",
        "plugin:*",
        later=["anthropic", "gemini"],
        hint="a server that speaks OpenAI's chat completions: provider: openai and its base_url",
    ),
]
DEFAULT_MODELS = {"openai": "gpt-4o", "ollama": "qwen3", "local": "offline"}
DEFAULT_MAX_TOKENS = 4096


class ThinkingConfig(Section):
    """How much a model may think before it answers."""

    enabled: bool = True
    """Think at all."""
    budget_tokens: Annotated[int, Field(gt=0)] = 1024
    """Most tokens to think. Providers that know only an effort get `low` up to 1024, `medium` up to 8192 and
    `high` above."""


class PriceConfig(Section):
    """What a provider takes for a million tokens, in US dollars, for hector_cost_usd_total alone."""

    prompt: Annotated[float, Field(ge=0)]
    """For tokens that the model reads."""
    completion: Annotated[float, Field(ge=0)]
    """For tokens that it writes, thoughts included."""
    cached_prompt: Annotated[float | None, Field(ge=0)] = None
    """For tokens that it reads from its cache. Default: as `prompt`."""

    def each(self) -> tuple[float, float, float]:
        """Return the price of one token read, read from the cache, and written."""
        cached = self.prompt if self.cached_prompt is None else self.cached_prompt
        return self.prompt / 1e6, cached / 1e6, self.completion / 1e6


class LLMConfig(Section):
    """One model, under the name by which agents refer to it."""

    provider: Provider = "openai"
    """Who answers: `openai` (and every server that speaks its chat completions, see `base_url`), `ollama`,
    `local`, the offline model that needs neither key nor network, or `plugin:NAME` (see `plugins`)."""
    model: str = ""
    """The provider's own name of the model. Default: `gpt-4o` for openai, `qwen3` for ollama."""
    api_key: Secret | None = None
    """What proves to the provider who pays. Default for openai at its own address: `OPENAI_API_KEY` of the
    environment. The environment's key is sent nowhere else."""
    base_url: str | None = None
    """Where the provider's API begins. Default: `https://api.openai.com/v1`; for ollama `OLLAMA_HOST`, else
    `http://localhost:11434`."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """How freely to choose words. Models that refuse the default are asked without it."""
    max_tokens: Annotated[int | None, Field(gt=0)] = None
    """Most tokens of an answer, thoughts included. Default: 4096, with the thinking budget on top."""
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    """Choose words among the likeliest that together have this probability."""
    stop: list[str] = []
    """Texts that end an answer."""
    seed: int | None = None
    """The same seed gives the same answer, where the provider can."""
    thinking: ThinkingConfig | None = None
    """Let the model think before it answers. Left out: as the provider does by itself."""
    timeout: Annotated[Duration, Field(gt=0)] = 600.0
    """Longest that one call may take, tries and streaming included."""
    max_retries: Annotated[int, Field(ge=0, le=20)] = 5
    """How often to ask again when the provider is overloaded or fails before its answer begins."""
    retry_delay: Duration = 2.0
    """First wait between two tries; it doubles each time. A provider's `Retry-After` wins."""
    price: PriceConfig | None = None
    """What tokens cost, to be counted in hector_cost_usd_total."""
    headers: dict[str, Secret] = {}
    """Headers to send with every request, for gateways that want more than a key."""
    ca_certificate: ProjectPath | None = None
    """PEM file of authorities to trust besides the system's."""
    insecure_skip_verify: bool = False
    """Take any certificate. For a test machine, and nowhere else."""
    config: Settings = Settings()
    """For a plugin: settings of its own for this model. It also gets `model`, `base_url` and `api_key`."""
    max_tool_output_length: Annotated[int, Field(ge=0)] = 0
    """Most characters of one tool result that the model gets to read; 0 is no limit."""

    later = {
        "keep_alive": "set OLLAMA_KEEP_ALIVE where ollama runs",
        "structured_output": "it will stand at the agent: agents.<name>.structured_output",
    }

    @field_validator("base_url")
    @classmethod
    def _is_plain_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        scheme, separator, rest = url.partition("://")
        host = rest.partition("/")[0]
        if not separator or scheme not in ("http", "https") or not host:
            raise PydanticCustomError("base_url", "an http:// or https:// URL is needed here")
        if "@" in host:
            raise PydanticCustomError(
                "base_url_user",
                "no user name or password here; use api_key, or headers: {Authorization: ...}",
            )
        return url

    @model_validator(mode="after")
    def _thinks_within_its_limit(self) -> Self:
        budget = self.thinking_budget_tokens
        if budget and self.max_tokens is not None and self.max_tokens <= budget:
            raise PydanticCustomError(
                "thinking_budget",
                "max_tokens ({max_tokens}) must be above thinking.budget_tokens ({budget}); "
                "raise it, or leave it out: then the budget is added to the default",
                {"max_tokens": self.max_tokens, "budget": budget},
            )
        return self

    @model_validator(mode="after")
    def _is_read_by_somebody(self) -> Self:
        if self.config and not self.provider.startswith("plugin:"):
            raise Misfit("only plugins read it", at=("config",), hint="write its keys beside provider")
        return self

    @property
    def thinking_budget_tokens(self) -> int:
        """Most tokens to think; 0 without thinking."""
        return self.thinking.budget_tokens if self.thinking and self.thinking.enabled else 0

    @property
    def text_tokens(self) -> int:
        """Most tokens of an answer, thoughts not counted."""
        if self.max_tokens is None:
            return DEFAULT_MAX_TOKENS
        return self.max_tokens - self.thinking_budget_tokens

    @property
    def model_name(self) -> str:
        """The model to ask for, default included."""
        return self.model or DEFAULT_MODELS.get(self.provider, "")


class LLMSection(Section):
    """The part of the configuration that models need."""

    llms: dict[str, LLMConfig] = {}
    """Models by name."""
