"""What a user sees when a model fails: what it is, where, what to do; and the server goes on."""

import asyncio
import http.client

import pytest
from support.model_server import chunk, refuses, says, streams
from support.processes import answer_of, message, post
from support.scripted_server import hangs, raw, scripted, whole

CONFIG = """
agents:
  assistant: {{tools: []}}
llms:
  default:
    provider: openai
    base_url: {url}/v1
    model: some-model
    api_key: sk-very-secret
    timeout: 2s
    max_retries: 1
    retry_delay: 10ms
"""

FAULTS = {
    "hangs": (hangs(), "127.0.0.1", "timeout"),
    "refuses the key": (
        refuses(401, "Incorrect API key provided"),
        "llms.default.api_key",
        "127.0.0.1",
    ),
    "does not know the model": (
        refuses(404, "The model does not exist", "model_not_found"),
        "some-model",
        "model",
    ),
    "is overloaded": (refuses(429, "Rate limit reached"), "limit", "127.0.0.1"),
    "is broken": (refuses(500, "boom"), "boom", "127.0.0.1"),
    "answers with a web page": (whole("<html>hello</html>", 200, content_type="text/html"), "127.0.0.1", ""),
    "answers with garbage": (raw(b"\x00\xff not http at all"), "127.0.0.1", ""),
    "breaks off in the middle": (
        streams(chunk({"content": "half an answer"}), end=b"", finished=False),
        "127.0.0.1",
        "",
    ),
}


@pytest.fixture
def ask(hector):
    """Ask a running server, in a thread so that the model can answer here."""

    async def asked(server, text="Hello"):
        url = f"{server.url}/agents/assistant"
        answer = await asyncio.to_thread(post, url, "SendMessage", message(text))
        return answer["result"]["task"]

    return asked


async def test_every_way_a_model_can_fail_ends_in_a_clear_error_and_the_server_goes_on(hector, ask):
    async with scripted() as model:
        hector.write(CONFIG.format(url=model.url))
        server = await asyncio.to_thread(hector.serve)
        for name, (reply, *named) in FAULTS.items():
            model.replies.clear()
            model.then(reply)
            task = await ask(server)
            assert task["status"]["state"] == "TASK_STATE_FAILED", name
            told = task["status"]["message"]["parts"][0]["text"]
            for word in named:
                assert word.lower() in told.lower(), f"{name}: {told}"
            if name == "breaks off in the middle":
                assert answer_of(task) == "half an answer"
            model.replies.clear()
            model.then(says("I am back"))
            assert answer_of(await ask(server)) == "I am back", f"after: {name}"
        output = server.output()
    assert "Traceback" not in output
    assert "sk-very-secret" not in output


async def test_an_unreachable_model_is_named_with_its_address(hector, ask):
    hector.write(CONFIG.format(url="http://127.0.0.1:9"))
    server = await asyncio.to_thread(hector.serve)
    task = await ask(server)
    assert task["status"]["state"] == "TASK_STATE_FAILED"
    assert "127.0.0.1:9" in task["status"]["message"]["parts"][0]["text"]
    called = await asyncio.to_thread(hector.run, "call", "--url", server.url, "Hello")
    assert called.returncode == 1
    assert "127.0.0.1:9" in called.stderr
    assert "Traceback" not in called.stderr + server.output()


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed_in_the_middle_of_many_answers(hector):
    async with scripted(*[says("a whole answer")] * 200) as model:
        hector.write(CONFIG.format(url=model.url))
        server = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")
        acknowledged = []

        async def client():
            while True:
                try:
                    answer = await asyncio.to_thread(
                        post, f"{server.url}/agents/assistant", "SendMessage", message("Hello")
                    )
                except (OSError, http.client.HTTPException):
                    return  # killed
                acknowledged.append(answer["result"]["task"])
                if len(acknowledged) == 40:
                    server.process.kill()

        async with asyncio.timeout(60):
            await asyncio.gather(*(client() for _ in range(8)))
        again = await asyncio.to_thread(hector.serve, "--config", "hector.yaml")
        for task in acknowledged:
            kept = await asyncio.to_thread(
                post, f"{again.url}/agents/assistant", "GetTask", {"id": task["id"]}
            )
            assert kept["result"]["status"] == task["status"]
            assert answer_of(kept["result"]) == "a whole answer"
    assert len(acknowledged) >= 40
    assert "Traceback" not in again.output()
