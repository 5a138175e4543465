"""A model that says again what the user said, word by word."""

from collections.abc import AsyncIterator

from hector.common.v1 import ROLE_USER, TokenUsage
from hector.llm.v1 import Model, StreamTextRequest
from hector_plugin import llm, serve, text_of
from hector_plugin.errors import InvalidArgument


class NothingToEcho(InvalidArgument):
    reason = "NOTHING_TO_ECHO"


@llm(Model(name="echo", display_name="Echo", supports_streaming=True))
async def echo(request: StreamTextRequest) -> AsyncIterator[str | TokenUsage]:
    said = [text_of(message) for message in request.messages if message.role == ROLE_USER]
    if not said:
        raise NothingToEcho("there is no message of the user to say again")
    *words, last = said[-1].split(" ")
    for word in words:
        yield word + " "
    yield last
    read = sum(len(text_of(message).split()) for message in request.messages)
    yield TokenUsage(prompt_tokens=read, completion_tokens=len(said[-1].split()))


if __name__ == "__main__":
    serve(name="example-llm", version="1.0.0")
