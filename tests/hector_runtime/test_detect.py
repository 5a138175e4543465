"""Which model there is when nobody has said."""

import asyncio

import pytest
from support.scripted_server import drops, hangs, raw, scripted, whole

from hector_runtime import detect
from hector_runtime.detect import detected

MODELS = {"models": [{"name": "llama3.2:1b"}, {"name": "qwen3:4b"}]}


async def found(*replies, models=MODELS, **environment):
    async with asyncio.timeout(5), scripted(*(replies or [whole(models)])) as ollama:
        return await detected({"OLLAMA_HOST": ollama.url, **environment}), ollama


async def test_a_reachable_ollama_is_used_with_a_model_that_it_has():
    (settings, note), ollama = await found()
    assert settings == {"provider": "ollama", "model": "qwen3:4b", "base_url": ollama.url}
    assert "qwen3:4b" in note
    assert ollama.received[0].path == "/api/tags"


async def test_without_qwen3_its_first_model_is_used():
    (settings, _), _ = await found(models={"models": [{"name": "gemma3:270m"}, {"name": "llama"}]})
    assert settings["model"] == "gemma3:270m"


async def test_an_answer_in_pieces_is_read_to_its_end():
    body = b'{"models": [{"name": "gemma3:270m"}]}'
    (settings, _), _ = await found(raw(b"HTTP/1.0 200 OK\r\n\r\n", body[:10], body[10:]))
    assert settings["model"] == "gemma3:270m"


async def test_an_ollama_without_models_is_not_used_and_the_note_says_why():
    (settings, note), _ = await found(models={"models": []})
    assert settings == {"provider": "local"}
    assert "Ollama has no models" in note


@pytest.mark.parametrize(
    "reply",
    [
        whole("<html>hello</html>"),
        whole(b"\x00\xff"),
        whole([1, 2]),
        whole({"models": "many"}),
        whole({"error": "no"}, 500),
        raw(b"\x16\x03\x01 not http"),
        drops,
    ],
    ids=["a web page", "bytes", "a list", "other fields", "an error", "another protocol", "nothing"],
)
async def test_what_is_no_ollama_is_not_used(reply):
    (settings, note), _ = await found(reply)
    assert settings == {"provider": "local"}
    assert "no provider key and no Ollama" in note


async def test_somebody_who_hangs_is_waited_for_half_a_second(monkeypatch):
    monkeypatch.setattr(detect, "PROBE_S", 0.1)
    begun = asyncio.get_running_loop().time()
    (settings, _), _ = await found(hangs(b"HTTP/1.0 200 OK\r\n"))
    assert settings == {"provider": "local"}
    assert asyncio.get_running_loop().time() - begun < 2


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9", "127.0.0.1:9", ":9", "http://[::", "x://y", "0.0.0.0:9"]
)
async def test_nobody_there_or_no_address_means_the_offline_model(address):
    settings, note = await detected({"OLLAMA_HOST": address})
    assert settings == {"provider": "local"}
    assert "set OPENAI_API_KEY" in note


async def test_a_key_wins_over_an_ollama_and_is_not_shown():
    (settings, note), ollama = await found(OPENAI_API_KEY="sk-secret")
    assert settings == {"provider": "openai"}
    assert "sk-secret" not in note
    assert ollama.received == []


async def test_a_key_of_a_provider_to_come_is_not_passed_over_in_silence():
    settings, note = await detected({"OLLAMA_HOST": "127.0.0.1:9", "ANTHROPIC_API_KEY": "k"})
    assert settings == {"provider": "local"}
    assert "anthropic: known, but not available in this version" in note
