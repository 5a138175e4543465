"""Start-up, idle memory, answers/s and streams/s of one `hector serve` against a mock model.

    python bench/answers.py MOCK [--clients 1 8 32] [--seconds 5] [--rounds 3]

MOCK is a script that takes a port and answers OpenAI chat completions under /burst/v1. Server, mock and
clients share the machine: read the numbers as ratios. Every answer is checked to be whole.
"""

import argparse
import asyncio
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

CONFIG = """
agents:
  bench: {{tools: [], instruction: Answer.{streaming}}}
llms:
  default: {{provider: openai, base_url: "http://127.0.0.1:{port}/burst/v1", model: mock, api_key: none}}
"""
LAST_WORD = b"token48"
HECTOR = str(Path(sys.executable).with_name("hector"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("mock")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, mock_model(arguments.mock) as mock_port:
        for name, streaming in (("streaming model", ""), ("whole-answer model", ", streaming: false")):
            place = Path(folder) / name.replace(" ", "-")
            place.mkdir()
            (place / "hector.yaml").write_text(CONFIG.format(port=mock_port, streaming=streaming))
            with server(place):  # makes the database and the bytecode
                pass
            starts = []
            for _ in range(arguments.rounds):
                with server(place) as (process, port, ready_s):
                    starts.append(ready_s)
            with server(place) as (process, port, _):
                idle = memory_mb(process.pid)
                print(f"\n{name}: ready in {statistics.median(starts):.2f} s, idle {idle:.0f} MB (PSS)")
                titles = ("clients", "answers/s", "p50 ms", "p99 ms", "CPU ms", "errors")
                print(" " * 24 + "".join(f"{title:>10}" for title in titles))
                kinds = [("SendMessage", "blocking")]
                if not streaming:  # an agent with `streaming: false` refuses to stream
                    kinds.append(("SendStreamingMessage", "streamed"))
                for method, kind in kinds:
                    for clients in arguments.clients:
                        rounds = [
                            asyncio.run(load(port, method, clients, arguments.seconds, process.pid))
                            for _ in range(arguments.rounds)
                        ]
                        rate, p50, p99, cpu, errors = (
                            statistics.median(values) for values in zip(*rounds, strict=True)
                        )
                        print(
                            f"{kind:24}{clients:>10}{rate:>10.0f}{p50:>10.1f}{p99:>10.1f}{cpu:>10.2f}{errors:>10.0f}"
                        )
                print(f"{'':24}memory afterwards: {memory_mb(process.pid):.0f} MB (PSS)")


@contextmanager
def mock_model(script):
    port = free_port()
    process = subprocess.Popen([sys.executable, script, str(port)])
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def server(folder):
    port, begun = free_port(), time.perf_counter()
    command = [HECTOR, "serve", "--port", str(port), "--grpc-port", "0", "--log-level", "error"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/ready", process)
        yield process, port, time.perf_counter() - begun
    finally:
        process.terminate()
        process.wait(20)


def wait_for(url, process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.005)
    sys.exit(f"{url} did not answer")


async def load(port, method, clients, seconds, pid):
    body = json.dumps(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": method,
            "params": {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}},
        }
    ).encode()
    request = (
        b"POST /agents/bench HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"A2A-Version: 1.0\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )
    taken, errors = [], 0
    stop_at = time.perf_counter() + seconds
    cpu = cpu_s(pid)

    async def client():
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        while (begun := time.perf_counter()) < stop_at:
            writer.write(request)
            answer = await response(reader)
            if LAST_WORD in answer:
                taken.append(time.perf_counter() - begun)
            else:
                errors += 1
                if errors == 1:
                    print(answer[:500], file=sys.stderr)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    spent = cpu_s(pid) - cpu
    taken.sort()
    pick = lambda share: taken[min(len(taken) - 1, int(len(taken) * share))] * 1000 if taken else 0.0  # noqa: E731
    return len(taken) / seconds, pick(0.5), pick(0.99), spent / max(1, len(taken)) * 1000, errors


async def response(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.I)
    if length:
        return await reader.readexactly(int(length[1]))
    body = b""
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        body += (await reader.readexactly(size + 2))[:-2]
        if not size:
            return body


def memory_mb(pid):
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return int(found[1]) / 1024


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
