"""What a plugin may ask of its host, as far as granted: models, tools, vectors, a place to keep things."""

import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc.aio

from hector_mesh import Mesh, streaming

from ._caller import HEADER, handed
from .errors import PluginError

if TYPE_CHECKING:
    from hector.common.v1 import Message, ToolResult
    from hector.llm.v1 import GenerationOptions, StreamTextResponse

SERVICE = "hector.plugin.v1.HostServices"


class NoHost(PluginError):
    """The host offers this plugin nothing."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "NOTHING_GRANTED"

    def __init__(self) -> None:
        super().__init__(
            "the host grants this plugin nothing: say under `grants:` of the plugin what it may ask for"
        )


class Host:
    """The host's services. Calls are made for whoever made the call being served, within its deadline."""

    def __init__(self) -> None:
        self._channel: grpc.aio.Channel | None = None
        self._target = ""
        self._stub: Any = None

    @property
    def granted(self) -> bool:
        """Whether the host grants anything at all."""
        return self._stub is not None

    async def reach(self, target: str, token: str | None) -> None:
        """Go by what Configure said."""
        if target == self._target:
            return
        from hector_mesh import wire_channel

        await self.leave()
        self._target = target
        if target:
            self.use(wire_channel(target, token=token, token_header="hector-token", role="the plugin's host"))

    def use(self, channel: grpc.aio.Channel) -> None:
        """Ask what is at the end of a channel."""
        from hector.plugin.v1 import HostServicesStub

        self._channel = channel
        self._stub = HostServicesStub(Mesh({SERVICE: channel}))

    async def leave(self) -> None:
        """Hang up."""
        channel, self._channel, self._stub, self._target = self._channel, None, None, ""
        if channel is not None:
            await channel.close()

    async def generate(
        self,
        llm: str,
        prompt: "str | Sequence[Message]",
        *,
        options: "GenerationOptions | None" = None,
    ) -> "AsyncIterator[StreamTextResponse]":
        """Ask a configured model, and read its answer piece by piece."""
        from hector.common.v1 import ROLE_USER, Message, Part
        from hector.plugin.v1 import HostGenerateRequest

        messages = [Message(role=ROLE_USER, parts=[Part(text=prompt)])] if isinstance(prompt, str) else prompt
        request = HostGenerateRequest(llm=llm, messages=messages, options=options)
        async with streaming(self._asked().HostGenerate(request, metadata=_whose())) as pieces:
            async for answer in pieces:
                yield answer.piece

    async def ask(self, llm: str, prompt: "str | Sequence[Message]") -> str:
        """Ask a configured model, and return the text of its answer."""
        async with aclosing(self.generate(llm, prompt)) as pieces:  # type: ignore[type-var]
            return "".join([piece.text async for piece in pieces])

    async def execute_tool(self, name: str, /, **arguments: Any) -> "ToolResult":
        """Call a configured tool."""
        import json

        from hector.common.v1 import ToolCall
        from hector.plugin.v1 import HostExecuteToolRequest

        call = ToolCall(id="1", name=name, arguments_json=json.dumps(arguments))
        result: ToolResult = (
            await self._asked().HostExecuteTool(HostExecuteToolRequest(call=call), metadata=_whose())
        ).result
        return result

    async def embed(self, embedder: str, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """Turn texts into vectors."""
        from hector.plugin.v1 import HostEmbedRequest

        answer = await self._asked().HostEmbed(
            HostEmbedRequest(embedder=embedder, texts=texts), metadata=_whose()
        )
        return [struct.unpack(f"<{len(packed) // 4}f", packed) for packed in answer.vectors_f32]

    async def get(self, key: str) -> bytes | None:
        """Return what was kept under a key; None: nothing is."""
        from hector.plugin.v1 import GetStateRequest

        answer = await self._asked().GetState(GetStateRequest(key=key), metadata=_whose())
        return answer.value if answer.found else None

    async def put(self, key: str, value: bytes, *, ttl_s: int = 0) -> None:
        """Keep a value, for so many seconds or for ever."""
        from hector.plugin.v1 import PutStateRequest

        await self._asked().PutState(PutStateRequest(key=key, value=value, ttl_s=ttl_s), metadata=_whose())

    async def remove(self, key: str) -> None:
        """Forget what was kept under a key."""
        from hector.plugin.v1 import PutStateRequest

        await self._asked().PutState(PutStateRequest(key=key, remove=True), metadata=_whose())

    async def keys(self, prefix: str = "") -> list[str]:
        """List what is kept."""
        from hector.plugin.v1 import ListStateRequest

        found: list[str] = []
        request = ListStateRequest(prefix=prefix)
        while True:
            page = await self._asked().ListState(request, metadata=_whose())
            found += page.keys
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def _asked(self) -> Any:
        if self._stub is None:
            raise NoHost
        return self._stub


def _whose() -> tuple[tuple[str, str | bytes], ...]:
    call = handed.get()
    return ((HEADER, call),) if call else ()


host = Host()
"""The host of this process's plugin."""
