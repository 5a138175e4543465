"""Which model there is when nobody has said: by key, by a reachable Ollama, else the offline one."""

from collections.abc import Mapping

from .probe import json_at

PROBE_S = 0.5
NOT_YET = {"ANTHROPIC_API_KEY": "anthropic", "GEMINI_API_KEY": "gemini"}


async def detected(environment: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the settings of an entry of `llms:`, and a sentence that says why it is this one."""
    if environment.get("OPENAI_API_KEY"):
        return {"provider": "openai"}, "OPENAI_API_KEY is set: using OpenAI"
    address = _ollama_address(environment)
    models = await _ollama_models(address) if address else None
    if models:
        model = next((name for name in models if name.startswith("qwen3")), models[0])
        found = {"provider": "ollama", "model": model, "base_url": address}
        return found, f"Ollama answers at {address}: using its model {model}"
    waiting = [name for variable, name in NOT_YET.items() if environment.get(variable)]
    also = f" ({' and '.join(waiting)}: known, but not available in this version)" if waiting else ""
    why = "Ollama has no models" if models is not None else "no provider key and no Ollama"
    return {"provider": "local"}, f"{why}{also}: using the offline model; set OPENAI_API_KEY for a real one"


def _ollama_address(environment: Mapping[str, str]) -> str:
    """Return where Ollama would be, without a slash at the end; empty when its variable says no address."""
    from hector_llm.errors import OllamaHostUnusable
    from hector_llm.openai.endpoint import ollama_url

    try:
        return ollama_url(environment).rstrip("/")
    except OllamaHostUnusable:
        return ""


async def _ollama_models(address: str) -> list[str] | None:
    """Return the names of Ollama's models; None when none answers there within half a second."""
    tags = await json_at(f"{address}/api/tags", PROBE_S)
    models = tags.get("models") if isinstance(tags, dict) else None
    if not isinstance(models, list):
        return None
    names = [model.get("name") for model in models if isinstance(model, dict)]
    return [name for name in names if isinstance(name, str) and name]
