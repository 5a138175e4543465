"""Streamed answers, from chunks to our pieces: everything that arrived together leaves together."""

from collections.abc import Sequence
from typing import Any

import orjson

from hector.common.v1 import Reasoning, TokenUsage
from hector.llm.v1 import StreamTextResponse, ToolCallDelta
from hector_llm.openai.answers import NotAnAnswerError, ProviderError, excerpt, string, text_of, thought_of
from hector_llm.openai.calls import CallReader
from hector_llm.openai.usage import finish_reason_of, usage_of

DONE = b"[DONE]"


class StreamReader:
    """Collects the chunks of one answer until somebody takes the piece that they make."""

    __slots__ = (
        "_calls",
        "_deltas",
        "_id",
        "_model",
        "_texts",
        "_thoughts",
        "complete",
        "finish",
        "started",
        "usage",
    )

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._deltas: list[ToolCallDelta] = []
        self._calls = CallReader()
        self._model = ""
        self._id = ""
        self.usage = TokenUsage()
        self.finish = ""
        """The provider's word for why it stopped; empty until it said so."""
        self.complete = False
        """The stream said that it is complete."""
        self.started = False
        """There was a chunk of an answer."""

    def take(self, events: Sequence[bytes]) -> None:
        """Add the data of events that arrived together.

        Raises:
            NotAnAnswerError: One is not a chunk of a chat completion. What came before it has been taken.
            ProviderError: One is the provider's report of a failure, likewise.
        """
        is_last = DONE in events
        if is_last:
            events = events[: events.index(DONE)]
        try:
            # All of them at once: the many small chunks of a fast model cost half as much as one by one.
            chunks = orjson.loads(b"[%b]" % b",".join(events))
        except orjson.JSONDecodeError:
            chunks = ()
        if len(chunks) != len(events):
            chunks = map(_parsed, events)  # one by one, up to the one that is wrong
        for data, chunk in zip(events, chunks, strict=True):
            try:
                self._take_chunk(chunk)
            except (LookupError, TypeError, AttributeError):
                raise NotAnAnswerError(f"not a chunk of a chat completion: {excerpt(data)}") from None
        self.complete = self.complete or is_last

    def _take_chunk(self, chunk: Any) -> None:
        if error := chunk.get("error"):
            raise ProviderError(error)
        if not self._id:
            self._id, self._model = string(chunk.get("id")), string(chunk.get("model"))
        if usage := chunk.get("usage"):
            self.usage = usage_of(usage)
        if not (choices := chunk.get("choices")):
            return
        choice = choices[0]
        self.started = True
        if choice.get("index"):
            return  # a second answer, which nobody asked for
        if finish := choice.get("finish_reason"):
            self.finish = string(finish)
        delta = choice.get("delta")
        if not delta:
            return
        if content := delta.get("content"):
            self._texts.append(content if isinstance(content, str) else text_of(content))
            if len(delta) == 1:
                return  # what most chunks are: a word and nothing else
        if thought := thought_of(delta):
            self._thoughts.append(thought)
        if refusal := delta.get("refusal"):
            self._texts.append(string(refusal))
        for call in delta.get("tool_calls") or ():
            self._calls.take(call, self._deltas)

    def piece(self) -> StreamTextResponse | None:
        """Return what has come since the last piece, or None if nothing has."""
        if not (self._texts or self._deltas or self._thoughts):
            return None
        piece = StreamTextResponse(text="".join(self._texts), tool_calls=self._deltas)
        if self._thoughts:
            piece.reasoning.CopyFrom(Reasoning(text="".join(self._thoughts)))
        self._texts, self._thoughts, self._deltas = [], [], []
        return piece

    def last(self) -> StreamTextResponse:
        """Return the last piece: what is left, and how the answer ended.

        Raises:
            NotAnAnswerError: A tool was asked for without saying which.
        """
        if self._calls.unnamed:
            raise NotAnAnswerError("the model asked for a tool without naming it")
        piece = self.piece() or StreamTextResponse()
        piece.done = True
        piece.usage.CopyFrom(self.usage)
        piece.finish_reason = finish_reason_of(self.finish, calls=len(self._calls) > 0)
        piece.model, piece.response_id = self._model, self._id
        return piece


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        raise NotAnAnswerError(f"not a chunk of a chat completion: {excerpt(data)}") from None
