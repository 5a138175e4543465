"""How many streamed answers a second come through LLMProviderStub(mesh), in process.

python /path/to/mockllm.py 9900 &
python bench/llm.py http://127.0.0.1:9900/burst/v1
"""

import argparse
import asyncio
import time

import uvloop

from hector.llm.v1 import LLMProviderStub, StreamTextRequest
from hector_llm import LLMConfig, LLMSection, build
from hector_mesh import LocalChannel, LocalServer, Mesh, interceptors, streaming


async def answer(llm: LLMProviderStub) -> tuple[int, int]:
    """Read one answer and return how many messages and characters it had."""
    messages = characters = 0
    async with streaming(llm.StreamText(StreamTextRequest(prompt="Tell me something."))) as pieces:
        async for piece in pieces:
            messages += 1
            characters += len(piece.text)
    return messages, characters


async def rate(llm: LLMProviderStub, clients: int, seconds: float) -> None:
    until, answers, waits = time.perf_counter() + seconds, 0, []
    messages = 0

    async def client() -> None:
        nonlocal answers, messages
        while time.perf_counter() < until:
            begun = time.perf_counter()
            count, characters = await answer(llm)
            assert characters, "an empty answer"
            waits.append(time.perf_counter() - begun)
            messages += count
            answers += 1

    begun, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    middle = sorted(waits)[len(waits) // 2] * 1000
    print(
        f"{clients:4} clients: {answers / took:7.0f} streams/s, p50 {middle:6.2f} ms, "
        f"{cpu / answers * 1e6:5.0f} us of cpu and {messages / answers:4.1f} messages a stream"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base_url", help="an OpenAI-compatible server; the mock's paces are path prefixes")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 32])
    given = parser.parse_args()
    server = LocalServer(interceptors())
    mesh = Mesh(dict.fromkeys(["hector.llm.v1.LLMProvider"], LocalChannel(server)))
    config = LLMSection(llms={"mock": LLMConfig(base_url=given.base_url, model="mock")})
    room = build(config, mesh)
    room.register(server)
    async with room.running():
        llm = LLMProviderStub(mesh.at("llms.mock"))
        await answer(llm)
        for clients in given.clients:
            await rate(llm, clients, given.seconds)


if __name__ == "__main__":
    uvloop.run(main())
