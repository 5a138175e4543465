"""The first guide's Python sample: its module names, star imports, a fixed port, no handshake."""

import asyncio
import os
import socket
import sys
from pathlib import Path

from hector.llm.v1 import GenerateTextRequest, LLMProviderStub, StreamTextRequest
from hector_mesh import wire_channel

SAMPLE = """
import asyncio
from concurrent import futures

import grpc
from hector_plugins_pb2 import *
from hector_plugins_pb2_grpc import *


class OurModel(LLMProviderServicer):
    def __init__(self, api_key: str):
        self.api_key = api_key

    async def GenerateText(self, request, context):
        words = f"{request.model} heard {request.prompt}"
        return GenerateTextResponse(
            text=words,
            usage=TokenUsage(prompt_tokens=1, completion_tokens=3, total_tokens=4),
        )

    async def StreamText(self, request, context):
        for word in request.prompt.split():
            yield StreamTextResponse(text=word, done=False)
        yield StreamTextResponse(text="", done=True)


async def serve():
    server = grpc.aio.server(futures.ThreadPoolExecutor(max_workers=10))
    add_LLMProviderServicer_to_server(OurModel(os.getenv("OUR_KEY")), server)
    address = "127.0.0.1:PORT"
    server.add_insecure_port(address)
    print(f"our model starts on {address}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve())
"""


async def test_the_guides_sample_runs_under_its_module_names(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = tmp_path / "sample.py"
    program.write_text(SAMPLE.replace("PORT", str(port)))
    clean = {name: value for name, value in os.environ.items() if name != "OUR_KEY"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", program, env=clean, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            assert process.stdout is not None
            await process.stdout.readline()
            async with wire_channel(f"127.0.0.1:{port}", patient=True) as channel:
                stub = LLMProviderStub(channel)
                whole = await stub.GenerateText(GenerateTextRequest(prompt="you", model="m"))
                pieces = [piece async for piece in stub.StreamText(StreamTextRequest(prompt="a b"))]
    finally:
        process.kill()
        await process.communicate()
    assert (whole.text, whole.usage.total_tokens) == ("m heard you", 4)
    assert [(piece.text, piece.done) for piece in pieces] == [("a", False), ("b", False), ("", True)]
