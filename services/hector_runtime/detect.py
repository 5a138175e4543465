"""Which model there is when nobody has said: by key, by a reachable Ollama, else the offline one."""

import asyncio
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

OLLAMA = "http://localhost:11434"
PROBE_S = 0.5
NOT_YET = {"ANTHROPIC_API_KEY": "anthropic", "GEMINI_API_KEY": "gemini"}


async def detected(environment: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Return the settings of an entry of `llms:`, and a sentence that says why it is this one."""
    if environment.get("OPENAI_API_KEY"):
        return {"provider": "openai"}, "OPENAI_API_KEY is set: using OpenAI"
    address = environment.get("OLLAMA_HOST") or OLLAMA
    address = address if "://" in address else f"http://{address}"
    models = await _ollama_models(address)
    if models:
        model = next((name for name in models if name.startswith("qwen3")), models[0])
        found = {"provider": "ollama", "model": model, "base_url": address}
        return found, f"Ollama answers at {address}: using its model {model}"
    waiting = [name for variable, name in NOT_YET.items() if environment.get(variable)]
    also = f" ({' and '.join(waiting)}: known, but not available in this version)" if waiting else ""
    why = "Ollama has no models" if models is not None else "no provider key and no Ollama"
    return {"provider": "local"}, f"{why}{also}: using the offline model; set OPENAI_API_KEY for a real one"


async def _ollama_models(address: str) -> list[str] | None:
    """Return the names of Ollama's models; None when none answers there within half a second."""
    place = urlsplit(address)
    request = f"GET /api/tags HTTP/1.0\r\nHost: {place.hostname}\r\n\r\n".encode()
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection(place.hostname, place.port or 11434)
            try:
                writer.write(request)
                answer = await reader.read(1 << 20)
            finally:
                writer.close()
        tags = json.loads(answer.partition(b"\r\n\r\n")[2])
        return [str(model["name"]) for model in tags["models"]]
    except (OSError, TimeoutError, ValueError, KeyError, TypeError):
        return None
