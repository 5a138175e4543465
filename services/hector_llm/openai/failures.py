"""What a failure of a provider means, and what to do about it: the one place that decides."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from hector_http import BrokeOff, HttpError, Response, TimedOut, TooLarge, Untrusted
from hector_http.backoff import retry_after_s
from hector_llm.errors import (
    ContextTooLong,
    ModelAuth,
    ModelBrokeOff,
    ModelError,
    ModelGarbled,
    ModelNotFound,
    ModelRateLimited,
    ModelRefused,
    ModelTimedOut,
    ModelUnreachable,
)
from hector_llm.openai.endpoint import Endpoint

MAX_SHOWN = 400
"""Most characters of a provider's own words in an error of ours."""

_too_long = re.compile(
    r"context.?length|context.?window|context size|maximum context|exceeds? the (available|maximum) context"
    r"|prompt is too long|input is too long|too many (input )?tokens|exceed_context_size|reduce the length",
    re.IGNORECASE,
).search


@dataclass(frozen=True, slots=True)
class Said:
    """The provider's own words for a failure."""

    message: str
    code: str = ""


def said_in(body: bytes) -> Said:
    """Return what an error body says, whichever of the usual shapes it has."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace").strip()
        return Said("" if text.startswith("<") else text)
    return said_by(found)


def said_by(found: Any) -> Said:
    """Return the message and code of an error object."""
    if isinstance(found, list) and found:
        found = found[0]
    if not isinstance(found, dict):
        return Said(found if isinstance(found, str) else "")
    error = found.get("error", found)
    if not isinstance(error, dict):
        return Said(str(error))
    message = error.get("message") or error.get("detail") or error.get("msg") or ""
    code = error.get("code") or error.get("type") or ""
    return Said(message if isinstance(message, str) else orjson.dumps(message).decode(), str(code))


class Failures:
    """Puts the failures of one endpoint into words that say what to do next."""

    def __init__(self, endpoint: Endpoint, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s

    def no_key(self) -> ModelError:
        endpoint = self._endpoint
        return ModelAuth(
            f"no key for {endpoint.base_url}: set {endpoint.missing_key} in the environment, "
            f"or llms.{endpoint.name}.api_key in the config",
            **self._facts(),
        )

    def of_transport(self, error: HttpError) -> ModelError:
        """Return what an exchange that failed below HTTP's statuses means."""
        endpoint, facts = self._endpoint, self._facts()
        if isinstance(error, BrokeOff):
            return self._broke_off("")
        if isinstance(error, TooLarge):
            return ModelGarbled(
                f"the model's answer is unreasonably large: {error}; {self._check()}", **facts
            )
        if isinstance(error, TimedOut) and error.phase != "connect":
            key = f"llms.{endpoint.name}.timeout"
            waited = f"had no whole answer within {self._timeout_s:g} s, which is {key}"
            if error.phase == "stall":
                waited = f"went silent: {error} ({key} is {self._timeout_s:g} s)"
            return ModelTimedOut(
                f"the model at {endpoint.base_url} {waited}; see whether that server is overloaded, "
                "or raise the limit",
                **facts,
                phase=error.phase,
            )
        if isinstance(error, Untrusted):
            return ModelUnreachable(
                f"{error}; name a PEM file with its authority in "
                f"llms.{endpoint.name}.ca_certificate, have the certificate renewed, or check "
                f"llms.{endpoint.name}.base_url",
                **facts,
            )
        return ModelUnreachable(f"{error}; {self._check()}", **facts)

    async def of_answer(self, response: Response, model: str) -> tuple[ModelError, Said]:
        """Return what an answer with a failing status means, and the provider's own words."""
        try:
            body = await response.read()
        except HttpError:
            body = b""  # the status says enough
        said = said_in(body)
        if 300 <= response.status < 400:
            return self._redirects(response.headers.get("Location", "")), said
        retry_s = retry_after_s(response.headers)
        return self.of_status(response.status, said, model, retry_s), said

    def of_status(self, status: int, said: Said, model: str, retry_s: float | None = None) -> ModelError:
        endpoint, facts = self._endpoint, self._facts() | {"status": str(status)}
        words = self._shown(said.message)
        # Gateways and OpenAI's clones use 400, 413 or 422 for this, Ollama and llama.cpp 500 as well.
        too_long = status == 413 or said.code in _CONTEXT_CODES or _too_long(said.message)
        if too_long and status not in (401, 403, 404, 429):
            return ContextTooLong(
                f"the conversation is too long for {model}{words}; begin a new session, or send less at once",
                **facts,
                model=model,
            )
        if status in (401, 403):
            return self._auth(status, words, facts)
        if status == 404 or said.code == "model_not_found":
            return self._not_found(model, words, facts)
        if status in (429, 529) or said.code in ("rate_limit_exceeded", "insufficient_quota"):
            if retry_s is not None:
                facts["retry_after_s"] = f"{retry_s:g}"
            again = "ask again later" if retry_s is None else f"it asks to come back in {retry_s:g} s"
            if said.code == "insufficient_quota":
                again = "look at the plan and the billing of this account"
            return ModelRateLimited(
                f"{endpoint.base_url} takes no more requests now ({status}){words}; {again}, "
                "or have the provider raise its limit",
                **facts,
            )
        if status >= 500 or status == 408:
            return ModelUnreachable(
                f"{endpoint.base_url} answered {status}{words}; the fault is on its side: ask again later, "
                "or look into that server's log",
                **facts,
            )
        if 200 <= status < 300:
            return ModelGarbled(
                f"{endpoint.base_url} answered {status} without an answer{words}; {self._check()}", **facts
            )
        return ModelRefused(
            f"{endpoint.base_url} refused the request ({status}){words}; "
            f"compare llms.{endpoint.name} with what that server takes",
            **facts,
            model=model,
        )

    def in_stream(self, error: object, model: str) -> ModelError:
        """Return what a failure reported in the middle of a stream means."""
        said = said_by(error)
        status = int(said.code) if said.code.isdigit() and len(said.code) == 3 else 0
        if said.code in _CONTEXT_CODES or _too_long(said.message):
            return self.of_status(400, said, model)
        if status == 429 or said.code in ("rate_limit_exceeded", "insufficient_quota"):
            return self.of_status(429, said, model)
        return self._broke_off(self._shown(said.message))

    def garbled(self, what: str) -> ModelError:
        base_url = self._endpoint.base_url
        return ModelGarbled(
            f"{base_url} did not answer like a model: {self._scrubbed(what)}; {self._check()}",
            **self._facts(),
        )

    def cut_off(self) -> ModelError:
        return self._broke_off(": its stream ended before its answer did")

    def _broke_off(self, words: str) -> ModelError:
        return ModelBrokeOff(
            f"the model at {self._endpoint.base_url} broke its answer off{words}; ask again, and if it "
            "happens again look into that server's log, and at the time limit of a proxy before it",
            **self._facts(),
        )

    def _redirects(self, location: str) -> ModelError:
        place = urlsplit(location)
        host = place.netloc.rpartition("@")[2]  # what stands before it may be a password
        where = f" to {place.scheme}://{host}" if place.scheme and host else ""
        return ModelGarbled(
            f"{self._endpoint.base_url} redirects{where}, which is not followed; "
            f"llms.{self._endpoint.name}.base_url must be where the API itself is",
            **self._facts(),
        )

    def _auth(self, status: int, words: str, facts: dict[str, str]) -> ModelError:
        endpoint = self._endpoint
        key = f"llms.{endpoint.name}.api_key"
        if endpoint.is_openai:
            key = f"OPENAI_API_KEY or {key}"
        elif "Authorization" not in endpoint.headers:
            key = f"{key} (none is set; the environment's OPENAI_API_KEY is sent to api.openai.com only)"
        what = "does not accept the key" if status == 401 else "does not allow this with this key"
        return ModelAuth(f"{endpoint.base_url} {what} ({status}){words}; check {key}", **facts)

    def _not_found(self, model: str, words: str, facts: dict[str, str]) -> ModelError:
        endpoint = self._endpoint
        step = (
            f"run `ollama pull {model}`"
            if endpoint.kind == "ollama"
            else f"check llms.{endpoint.name}.model and llms.{endpoint.name}.base_url"
        )
        return ModelNotFound(
            f"{endpoint.base_url} has no model {model!r}{words}; {step}", **facts, model=model
        )

    def _check(self) -> str:
        endpoint = self._endpoint
        if endpoint.kind == "ollama":
            return f"start Ollama with `ollama serve`, or set llms.{endpoint.name}.base_url to where it runs"
        return f"check llms.{endpoint.name}.base_url and that the server is running"

    def _shown(self, words: str) -> str:
        words = " ".join(self._scrubbed(words).split())
        if len(words) > MAX_SHOWN:
            words = words[:MAX_SHOWN] + "…"
        return f": {words}" if words else ""

    def _scrubbed(self, text: str) -> str:
        for secret in self._endpoint.secrets:
            text = text.replace(secret, "***")
        return text

    def _facts(self) -> dict[str, str]:
        return {"base_url": self._endpoint.base_url, "llm": self._endpoint.name}


_CONTEXT_CODES = frozenset(
    {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"}
)
