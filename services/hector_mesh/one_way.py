"""A stream of answers, as its reader has it: iterated over, or read one by one, and not both."""

from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

from grpc.aio import EOF, UsageError

Response = TypeVar("Response")


class ReadOneWay(Generic[Response]):
    """The reading half of a call with many answers; `_read` gives them."""

    _messages: AsyncIterator[Response] | None = None
    _style = ""

    def _read(self) -> AsyncIterator[Response]:
        raise NotImplementedError

    def __aiter__(self) -> AsyncIterator[Response]:
        return self._iterator("iteration")

    async def read(self) -> Any:
        try:
            return await anext(self._iterator("read()"))
        except StopAsyncIteration:
            return EOF

    def _iterator(self, style: str) -> AsyncIterator[Response]:
        if self._style not in ("", style):
            message = f"a stream is read by {self._style} or by {style}, not by both"
            raise UsageError(message)
        self._style = style
        if self._messages is None:
            self._messages = self._read()
        return self._messages
