"""The keys under `llms:`, and the defaults they stand for."""

import pytest
from pydantic import ValidationError

from hector_llm import LLMConfig, ThinkingConfig
from hector_llm.errors import OllamaHostUnusable
from hector_llm.openai.endpoint import endpoint_of, ollama_url


def test_defaults_are_as_documented() -> None:
    config = LLMConfig()
    assert (config.provider, config.model_name) == ("openai", "gpt-4o")
    assert (config.temperature, config.text_tokens, config.timeout) == (0.7, 4096, 600)
    assert (config.max_retries, config.retry_delay, config.max_tool_output_length) == (5, 2, 0)
    assert LLMConfig(provider="ollama").model_name == "qwen3"


@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
def test_a_provider_of_a_later_version_is_known_but_not_available(provider: str) -> None:
    with pytest.raises(ValidationError, match="known, but not available in this version"):
        LLMConfig(provider=provider)


def test_an_unknown_provider_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="openai, ollama, local"):
        LLMConfig(provider="opneai")


@pytest.mark.parametrize(
    "url", ["example.com/v1", "ftp://example.com", "http://", "http://user:pass@example.com"]
)
def test_a_base_url_is_a_plain_http_url(url: str) -> None:
    with pytest.raises(ValidationError) as failed:
        LLMConfig(base_url=url)
    assert "pass" not in str(failed.value).replace("password", "")


def test_zero_is_zero() -> None:
    config = LLMConfig(temperature=0, max_retries=0, retry_delay=0)
    assert (config.temperature, config.max_retries, config.retry_delay) == (0, 0, 0)


@pytest.mark.parametrize("max_tokens", [100, 1024])
def test_an_answer_must_have_room_behind_its_thoughts(max_tokens: int) -> None:
    with pytest.raises(ValidationError, match=r"thinking\.budget_tokens"):
        LLMConfig(max_tokens=max_tokens, thinking=ThinkingConfig())


def test_text_is_what_thoughts_leave() -> None:
    assert LLMConfig(thinking=ThinkingConfig(budget_tokens=2000)).text_tokens == 4096
    assert LLMConfig(max_tokens=3000, thinking=ThinkingConfig(budget_tokens=2000)).text_tokens == 1000
    assert LLMConfig(max_tokens=3000, thinking=ThinkingConfig(enabled=False)).text_tokens == 3000


def test_secrets_do_not_print() -> None:
    config = LLMConfig(api_key="sesame", headers={"X-Key": "sesame"})
    assert "sesame" not in repr(config) + config.model_dump_json()
    assert "sesame" not in repr(endpoint_of("a", config, {}))


def test_the_environments_key_is_for_its_vendor_only() -> None:
    environ = {"OPENAI_API_KEY": "sesame"}
    own = endpoint_of("a", LLMConfig(), environ)
    assert own.headers["Authorization"] == "Bearer sesame"
    assert not own.missing_key
    for config in (LLMConfig(base_url="https://gateway.example/v1"), LLMConfig(provider="ollama")):
        assert "Authorization" not in endpoint_of("a", config, environ).headers
    assert endpoint_of("a", LLMConfig(), {}).missing_key == "OPENAI_API_KEY"
    assert not endpoint_of("a", LLMConfig(base_url="http://localhost:8000/v1"), {}).missing_key


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://localhost:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("box", "http://box:11434"),
        ("box:8080", "http://box:8080"),
        (":8080", "http://localhost:8080"),
        ("http://box", "http://box:80"),
        ("https://box/ollama/", "https://box:443/ollama"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_ollama_is_where_its_own_variable_says(host: str, url: str) -> None:
    assert ollama_url({"OLLAMA_HOST": host}) == url
    assert endpoint_of("a", LLMConfig(provider="ollama"), {"OLLAMA_HOST": host}).base_url == f"{url}/v1"


def test_a_base_url_may_end_as_people_write_it() -> None:
    for url in ("http://x/v1", "http://x/v1/"):
        assert endpoint_of("a", LLMConfig(base_url=url), {}).url("/models") == "http://x/v1/models"
    ollama = LLMConfig(provider="ollama", base_url="http://x:1/v1/")
    assert endpoint_of("a", ollama, {}).url("/models") == "http://x:1/v1/models"


@pytest.mark.parametrize("host", ["tcp://x", "host:port", "http://[::1", "a:99999"])
def test_an_address_of_ollama_that_is_none_is_named(host: str) -> None:
    with pytest.raises(OllamaHostUnusable, match="OLLAMA_HOST is"):
        ollama_url({"OLLAMA_HOST": host})
