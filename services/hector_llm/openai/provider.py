"""The servicer: asks an OpenAI-compatible server, and hands its answer on as it comes."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from hector.common.v1 import TokenUsage
from hector.llm.v1 import (
    CallToolRequest,
    CallToolResponse,
    CountTokensRequest,
    CountTokensResponse,
    GenerateTextRequest,
    GenerateTextResponse,
    ListModelsRequest,
    ListModelsResponse,
    LLMProviderServicer,
    StreamTextRequest,
    StreamTextResponse,
    ToolCallDelta,
)
from hector_http import BrokeOff, HttpClient, HttpError, Request, Response, Retries, TimedOut, Timeouts, Tls
from hector_llm.config import LLMConfig
from hector_llm.counting import TokenEstimate, conversation_bytes
from hector_llm.errors import ModelError, ModelRefused
from hector_llm.openai.answers import NotAnAnswerError, ProviderError, excerpt, whole_answer
from hector_llm.openai.asking import Asked, body_of
from hector_llm.openai.dialect import Dialect
from hector_llm.openai.endpoint import Endpoint
from hector_llm.openai.events import EventReader
from hector_llm.openai.failures import Failures
from hector_llm.openai.listing import models_in
from hector_llm.openai.streams import StreamReader
from hector_mesh import Context

log = logging.getLogger(__name__)

QUIET_S = 300.0
"""Longest silence of a stream. Models that think, or that must be loaded first, can be quiet for minutes."""
AFTER_FINISH_S = 5.0
"""Longest wait for token counts and the end of the stream, once the answer itself is complete."""
MAX_DIALECTS = 4
"""How many ways of asking are tried before a refusal is taken as meant."""


class OpenAIProvider(LLMProviderServicer):
    """Serves one configured model; open it with `async with`, which owns its connections."""

    def __init__(self, config: LLMConfig, endpoint: Endpoint) -> None:
        self._config = config
        self._endpoint = endpoint
        self._failures = Failures(endpoint, config.timeout)
        self._estimate = TokenEstimate()
        self._dialect = Dialect("max_completion_tokens" if endpoint.is_openai else "max_tokens")
        self._http = HttpClient(
            trusted=[endpoint.base_url],
            tls=Tls(ca_file=config.ca_certificate, verify=not config.insecure_skip_verify),
        )
        if config.insecure_skip_verify:
            log.warning("will not check a model server's certificate", extra={"llm": endpoint.name})
        quiet_s = min(config.timeout, QUIET_S)
        if endpoint.missing_key:
            facts = {"llm": endpoint.name, "base_url": endpoint.base_url, "set": endpoint.missing_key}
            log.warning("model has no key and will refuse every question", extra=facts)
        self._retries = Retries(
            times=config.max_retries,
            base_s=config.retry_delay,
            connect_times=min(2, config.max_retries),
            connect_base_s=min(0.25, config.retry_delay),
        )
        self._streamed = Timeouts(first_byte_s=quiet_s, stall_s=quiet_s, total_s=config.timeout)
        # An answer that is not streamed begins when it is complete.
        self._whole = Timeouts(first_byte_s=config.timeout, stall_s=quiet_s, total_s=config.timeout)

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def GenerateText(self, request: GenerateTextRequest, context: Context) -> GenerateTextResponse:
        async with self._asked(request) as response:
            return self._counted(whole_answer(await response.read()), request)

    async def CallTool(self, request: CallToolRequest, context: Context) -> CallToolResponse:
        if not request.tools:
            raise ModelRefused("a call of a tool was asked for, and no tools were offered")
        async with self._asked(request, must_call=True) as response:
            answer = self._counted(whole_answer(await response.read()), request)
        calls = [part.tool_call for part in answer.message.parts if part.HasField("tool_call")]
        if not calls:
            raise ModelRefused("the model answered without calling a tool, though it had to")
        return CallToolResponse(
            tool_calls=calls, text=answer.text, usage=answer.usage, finish_reason=answer.finish_reason
        )

    async def StreamText(
        self, request: StreamTextRequest, context: Context
    ) -> AsyncIterator[StreamTextResponse]:
        async with self._asked(request, stream=True) as response:
            if response.headers.get("Content-Type", "").startswith("application/json"):
                # It does not stream, and says so.
                yield _as_piece(self._counted(whole_answer(await response.read()), request))
                return
            events, reader, head = EventReader(), StreamReader(), b""
            while not reader.complete and (read := await _read(response, reader)):
                head = head or read
                try:
                    reader.take(events.feed(read))
                except (NotAnAnswerError, ProviderError):
                    if piece := reader.piece():
                        yield piece
                    raise
                if not reader.complete and (piece := reader.piece()):
                    yield piece
            if not reader.complete:
                reader.take(events.rest())
            if not events.seen and head.strip():
                raise NotAnAnswerError(f"not a stream of events: {excerpt(head)}")
            if not (reader.finish or (reader.complete and reader.started)):
                raise self._failures.cut_off()
            last = reader.last()
            self._learn(request, last.usage)
            yield last
            await response.finish(0.05)

    async def ListModels(self, request: ListModelsRequest, context: Context) -> ListModelsResponse:
        asked = Request(
            "GET", self._endpoint.url("/models"), self._endpoint.headers, None, self._whole, self._retries
        )
        try:
            async with self._http.send(asked) as response:
                if response.status != 200:
                    error, _ = await self._failures.of_answer(response, self._config.model_name)
                    raise error
                return models_in(await response.read(), request)
        except (HttpError, NotAnAnswerError) as error:
            raise self._translated(error) from error

    async def CountTokens(self, request: CountTokensRequest, context: Context) -> CountTokensResponse:
        size = conversation_bytes("", request.messages, request.tools)
        tokens = self._estimate.tokens(request.model or self._config.model_name, size)
        return CountTokensResponse(tokens=tokens, estimated=True)

    @asynccontextmanager
    async def _asked(
        self, asked: Asked, *, stream: bool = False, must_call: bool = False
    ) -> AsyncIterator[Response]:
        """Send a request and give its answer; failures, also those of reading it, come out as ModelErrors."""
        if self._endpoint.missing_key:
            raise self._failures.no_key()
        try:
            for _ in range(MAX_DIALECTS):
                dialect = self._dialect
                body = body_of(asked, self._config, dialect, stream=stream, must_call=must_call)
                async with self._http.send(self._request(body, stream)) as response:
                    if response.status == 200:
                        yield response
                        return
                    error, said = await self._failures.of_answer(
                        response, asked.model or self._config.model_name
                    )
                other = dialect.after(said.message) if response.status in (400, 422) else None
                if other is None:
                    break
                log.info("learned how a model server wants to be asked", extra={"llm": self._endpoint.name})
                self._dialect = other
            raise error
        except (HttpError, NotAnAnswerError, ProviderError) as error:
            raise self._translated(error, asked) from error

    def _request(self, body: bytes, stream: bool) -> Request:
        return Request(
            "POST",
            self._endpoint.url("/chat/completions"),
            self._endpoint.headers,
            body,
            self._streamed if stream else self._whole,
            self._retries,
            repeatable=True,  # an answer nobody has seen does no harm
        )

    def _translated(self, error: Exception, asked: Asked | None = None) -> ModelError:
        if isinstance(error, HttpError):
            return self._failures.of_transport(error)
        if isinstance(error, ProviderError):
            model = asked.model if asked else ""
            return self._failures.in_stream(error.error, model or self._config.model_name)
        return self._failures.garbled(str(error))

    def _counted(self, answer: GenerateTextResponse, asked: Asked) -> GenerateTextResponse:
        self._learn(asked, answer.usage)
        return answer

    def _learn(self, asked: Asked, usage: TokenUsage) -> None:
        if usage.prompt_tokens:
            size = conversation_bytes(asked.prompt, asked.messages, asked.tools)
            self._estimate.learn(asked.model or self._config.model_name, size, usage.prompt_tokens)


async def _read(response: Response, reader: StreamReader) -> bytes:
    if not reader.finish:
        return await response.read_some()
    try:
        return await response.read_some(within_s=AFTER_FINISH_S)
    except (TimedOut, BrokeOff):
        return b""  # the answer is complete; only what follows it is missing


def _as_piece(answer: GenerateTextResponse) -> StreamTextResponse:
    """Return a whole answer as the only piece of a stream."""
    parts = answer.message.parts
    calls = [part.tool_call for part in parts if part.HasField("tool_call")]
    thoughts = [part.reasoning for part in parts if part.HasField("reasoning")]
    return StreamTextResponse(
        text=answer.text,
        done=True,
        tool_calls=[
            ToolCallDelta(
                index=index, id=call.id, name=call.name, arguments_json_fragment=call.arguments_json
            )
            for index, call in enumerate(calls)
        ],
        reasoning=thoughts[0] if thoughts else None,
        usage=answer.usage,
        finish_reason=answer.finish_reason,
        model=answer.model,
        response_id=answer.response_id,
    )
