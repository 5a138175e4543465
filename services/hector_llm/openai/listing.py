"""The models that a server offers."""

import orjson

from hector.llm.v1 import ListModelsRequest, ListModelsResponse, Model
from hector_llm.openai.answers import NotAnAnswerError, excerpt

DEFAULT_PAGE = 1000


def models_in(body: bytes, request: ListModelsRequest) -> ListModelsResponse:
    """Return the page that `request` asks for; a page token is the number of models before it.

    Raises:
        NotAnAnswerError: The body is no list of models.
    """
    try:
        found = orjson.loads(body)
        entries = found["data"] if isinstance(found, dict) else found
        models = [
            Model(
                name=entry["id"],
                display_name=entry.get("name") or "",
                context_window=_count(
                    # As OpenRouter, vLLM and llama.cpp call it; OpenAI does not say.
                    entry.get("context_length")
                    or entry.get("max_model_len")
                    or (entry.get("meta") or {}).get("n_ctx")
                ),
                supports_streaming=True,
                metadata_json=orjson.dumps(entry).decode(),
            )
            for entry in entries or ()
        ]
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        raise NotAnAnswerError(f"not a list of models: {excerpt(body)}") from None
    start = int(request.page_token) if request.page_token.isdigit() else 0
    end = start + (request.page_size if request.page_size > 0 else DEFAULT_PAGE)
    return ListModelsResponse(models=models[start:end], next_page_token=str(end) if end < len(models) else "")


def _count(value: object) -> int:
    return value if type(value) is int and 0 < value < 2**31 else 0
