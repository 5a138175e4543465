"""Where a configured model is, and what proves who asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hector_llm.config import LLMConfig
from hector_llm.errors import OllamaHostUnusable

OPENAI_URL = "https://api.openai.com/v1"
OLLAMA_URL = "http://localhost:11434"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One entry of `llms:`, its defaults resolved."""

    name: str
    """The entry's name, as in `llms.<name>`."""
    kind: str
    """`openai` or `ollama`."""
    base_url: str
    """Without the slash at its end."""
    query: str = ""
    """What some gateways want behind every path, as "?api-version=1"."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Texts that must never be shown, however they come back to us."""
    missing_key: str = ""
    """The environment variable whose key is missing; empty when none is, or none is needed."""

    def url(self, path: str) -> str:
        return f"{self.base_url}{path}{self.query}"

    @property
    def is_openai(self) -> bool:
        """It is OpenAI's own address."""
        return urlsplit(self.base_url).hostname == "api.openai.com"


def endpoint_of(name: str, config: LLMConfig, environ: Mapping[str, str]) -> Endpoint:
    """Resolve the defaults of one entry from the environment."""
    default = ollama_url(environ) if config.provider == "ollama" else OPENAI_URL
    parts = urlsplit(config.base_url or default)
    path = parts.path.rstrip("/")
    if config.provider == "ollama" and not path.endswith("/v1"):
        path += "/v1"
    base_url = f"{parts.scheme}://{parts.netloc}{path}"
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    key = config.api_key.reveal() if config.api_key else ""
    own = config.provider == "openai" and parts.hostname == urlsplit(OPENAI_URL).hostname
    if not key and own:
        key = environ.get("OPENAI_API_KEY", "")
    if key:
        headers["Authorization"] = f"Bearer {key}"
    headers |= {header: value.reveal() for header, value in config.headers.items()}
    given = {header.lower() for header in config.headers}
    return Endpoint(
        name=name,
        kind=config.provider,
        base_url=base_url,
        query=f"?{parts.query}" if parts.query else "",
        headers=headers,
        secrets=tuple(filter(None, (key, *(value.reveal() for value in config.headers.values())))),
        missing_key="OPENAI_API_KEY" if own and not key and "authorization" not in given else "",
    )


def ollama_url(environ: Mapping[str, str]) -> str:
    """Return where Ollama listens, by its own variable `OLLAMA_HOST` ("host", "host:port" or a URL).

    Raises:
        OllamaHostUnusable: It is none of these.
    """
    host = environ.get("OLLAMA_HOST", "").strip().rstrip("/")
    if not host:
        return OLLAMA_URL
    try:
        parts = urlsplit(host if "://" in host else f"http://{host}")
        if parts.scheme not in ("http", "https") or (parts.port or 1) > 65535:
            raise OllamaHostUnusable(host)
    except ValueError:
        raise OllamaHostUnusable(host) from None
    # A server listens on 0.0.0.0; a client cannot connect to it everywhere.
    name = {"": "localhost", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(parts.hostname or "", parts.hostname)
    assert name is not None
    port = parts.port or ({"http": 80, "https": 443}[parts.scheme] if "://" in host else 11434)
    return f"{parts.scheme}://{f'[{name}]' if ':' in name else name}:{port}{parts.path}"
