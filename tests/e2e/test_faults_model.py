"""What a user sees when a model fails: what it is, where, what to do; and the server goes on."""

import asyncio
import json

import pytest
from support.model_server import STREAM, calls, chunk, event, refuses, says, streams
from support.processes import answer_of, message, post
from support.scripted_server import END, chunked, drops, hangs, head, raw, scripted, whole

CONFIG = """
agents:
  assistant: {{tools: []}}
  hasty: {{tools: [], llm: hasty}}
  handy: {{tools: [todo_write]}}
  small: {{tools: [], max_answer_size: 1MB}}
llms:
  default: &model
    provider: openai
    base_url: {url}/v1
    model: some-model
    api_key: sk-very-secret
    max_retries: 1
    retry_delay: 10ms
  hasty:
    <<: *model
    timeout: 1s
"""
SSE = head(200, STREAM)
HALF = chunked(event(chunk({"content": "half an answer"})))
WAITED = "had no whole answer within 1 s, which is llms.hasty.timeout"
NOT_A_MODEL = "did not answer like a model"
CHECK = "check llms.default.base_url and that the server is running"
BROKE_OFF = "broke its answer off"
LOOK = "ask again, and if it happens again look into that server's log"


def stream_of(*data):
    """Stream these bytes, whatever they are, and end well."""
    return raw(SSE, *map(chunked, data), END, cut=False)


async def endless(received, line):
    await line.send(SSE)
    while not line.reader.at_eof():
        await line.send(chunked(event(chunk({"content": "x" * 100_000}))))


async def trickling_headers(received, line):
    for byte in b"HTTP/1.1 200 OK\r\n" * 100:
        await line.send(bytes([byte]))
        await asyncio.sleep(0.05)  # a server this slow is the point


FAULTS = {
    # it takes its time
    "hangs": (hangs(), WAITED, "see whether that server is overloaded"),
    "hangs after its headers": (hangs(SSE), WAITED),
    "hangs in the middle": (hangs(SSE + HALF), WAITED),
    "sends headers byte by byte": (trickling_headers, WAITED),
    # it is gone
    "hangs up": (drops, "closed the connection without an answer", CHECK),
    "breaks off": (raw(SSE + HALF), BROKE_OFF, LOOK),
    "breaks off in a chunk": (raw(SSE + b'ff\r\ndata: {"choi'), BROKE_OFF, LOOK),
    "ends before its answer": (streams(chunk({"content": "half an answer"}), end=b""), BROKE_OFF, LOOK),
    "fails in the middle": (
        streams(chunk({"content": "half an answer"}), {"error": {"message": "the GPU fell off"}}),
        BROKE_OFF,
        "the GPU fell off",
        LOOK,
    ),
    # it talks nonsense
    "does not speak HTTP": (raw(b"\x00\xff not http at all"), "does not answer in HTTP", CHECK),
    "answers with bytes": (whole(b"\x00\xff\xfe\x01" * 50), NOT_A_MODEL, "200 bytes that are no text", CHECK),
    "answers with a web page": (whole("<html>", content_type="text/html"), NOT_A_MODEL, "<html>", CHECK),
    "answers with other JSON": (whole({"hello": "world"}), NOT_A_MODEL, '"hello"', CHECK),
    "answers with nothing": (
        whole(b"", content_type="application/json"),
        NOT_A_MODEL,
        "nothing",
        CHECK,
    ),
    "answers with half a letter": (
        stream_of(b'data: {"choices":[{"index":0,"delta":{"content":"\xe2\x82"}}]}\n\n'),
        NOT_A_MODEL,
        CHECK,
    ),
    "answers with one endless line": (
        stream_of(b"data: " + b"x" * 9_000_000),
        NOT_A_MODEL,
        "8388608 bytes",
    ),
    "answers 204": (whole(b"", 204), "answered 204 without an answer", CHECK),
    "redirects": (
        whole("", 302, location="http://elsewhere.example:81/v1?key=x"),
        "redirects to http://elsewhere.example:81, which is not followed",
        "llms.default.base_url must be where the API itself is",
    ),
    # it refuses
    "refuses the key": (
        refuses(401, "Incorrect API key provided: sk-very-secret"),
        "does not accept the key (401): Incorrect API key provided: ***",
        "check llms.default.api_key",
    ),
    "refuses the country": (
        refuses(403, "Country not supported"),
        "does not allow this with this key (403): Country not supported",
    ),
    "does not know the model": (
        refuses(404, "The model does not exist", "model_not_found"),
        "has no model 'some-model'",
        "check llms.default.model and llms.default.base_url",
    ),
    "does not know the path": (whole("404 page not found", 404), "check llms.default.model and llms.default"),
    "refuses the request": (
        refuses(400, "Unknown parameter: foo"),
        "refused the request (400): Unknown parameter: foo; compare llms.default with what that server takes",
    ),
    "conflicts": (refuses(409, "conflict"), "refused the request (409): conflict"),
    "finds the conversation too long": (
        refuses(400, "maximum context length is 8192 tokens", "context_length_exceeded"),
        "the conversation is too long for some-model",
        "begin a new session",
    ),
    "finds the request too large": (refuses(413, "Too large"), "is too long for some-model: Too large"),
    # it has trouble
    "gives up on us": (refuses(408, "too slow"), "answered 408: too slow", "ask again later"),
    "is busy": (
        refuses(429, "Rate limit reached", Retry_After="3600"),
        "takes no more requests now (429): Rate limit reached; it asks to come back in 3600 s",
    ),
    "wants money": (
        refuses(429, "You exceeded your current quota", "insufficient_quota"),
        "look at the plan and the billing",
    ),
    "is broken": (refuses(500, "boom"), "answered 500: boom", "the fault is on its side: ask again later"),
    "stands behind a broken proxy": (whole("<h1>Bad gateway</h1>", 502), "answered 502; the fault is on"),
    "is down": (refuses(503, "no capacity"), "answered 503: no capacity"),
    "is overloaded": (refuses(529, "overloaded"), "takes no more requests now (529): overloaded"),
}

BEGUN = {"hangs in the middle", "breaks off", "ends before its answer", "fails in the middle"}
"""Those that had said something, which is kept."""


def ask(server, text="Hello", agent="assistant"):
    return post(f"{server.url}/agents/{agent}", "SendMessage", message(text))["result"]["task"]


def told(task):
    """Return what a failed task tells its user."""
    assert task["status"]["state"] == "TASK_STATE_FAILED", task
    return task["status"]["message"]["parts"][0]["text"]


@pytest.fixture
async def served(hector):
    async with scripted() as model:
        hector.write(CONFIG.format(url=model.url))
        server = await asyncio.to_thread(hector.serve)

        async def asked(*replies, agent="assistant"):
            model.replies.clear()
            model.then(*replies)
            async with asyncio.timeout(30):
                return await asyncio.to_thread(ask, server, agent=agent)

        yield server, model, asked
    output = server.output()
    assert "Traceback" not in output
    assert "sk-very-secret" not in output


async def test_every_way_a_model_can_fail_ends_in_a_clear_error_and_the_server_goes_on(served):
    server, model, asked = served
    for name, (reply, *sentences) in FAULTS.items():
        task = await asked(reply, agent="hasty" if WAITED in sentences else "assistant")
        said = told(task)
        for sentence in sentences:
            assert sentence in said, f"{name}: {said}"
        where = model.url.partition("//")[2]
        assert where in said or "some-model" in said, f"{name} does not name the model: {said}"
        assert answer_of(task) == ("half an answer" if name in BEGUN else ""), name
        assert answer_of(await asked(says("I am back"))) == "I am back", f"after: {name}"
    for line in server.output().splitlines():
        if "outcome=failed" in line:
            assert "reason=MODEL_" in line or "reason=CONTEXT_TOO_LONG" in line
            assert f"base_url={model.url}/v1" in line
            assert "llm=default" in line or "llm=hasty" in line


async def test_an_answer_without_an_end_is_cut_at_its_limit_and_what_came_is_kept(served):
    _, model, asked = served
    task = await asked(endless, agent="small")
    assert "raise agents.small.max_answer_size" in told(task)
    assert 0 < len(answer_of(task)) <= 1_000_000
    async with asyncio.timeout(20):
        await model.left.wait()


CUT_OFF = {
    "length": ("part", "The answer was cut off: the model reached its limit of tokens (`max_tokens`)."),
    "content_filter": ("part", "The model's provider held back the rest of the answer (content filter)."),
    "stop": ("", "The model answered with nothing. Ask again, or ask differently."),
}


async def test_an_answer_that_is_not_whole_says_so(served):
    _, _, asked = served
    for why, (text, note) in CUT_OFF.items():
        task = await asked(streams(chunk({"content": text}), chunk({}, why)))
        assert task["status"]["state"] == "TASK_STATE_COMPLETED"
        assert answer_of(task) == "\n".join(filter(None, (text, note))), why


BAD_CALLS = {
    "broken JSON": (calls(("c", "todo_write", '{"todos": [')), "todo_write"),
    "arguments of another kind": (calls(("c", "todo_write", '{"todos": 5}')), "todo_write"),
    "a tool that is not there": (calls(("c", "launch_rocket", "{}")), "there are: todo_write"),
}


async def test_a_bad_tool_call_is_told_to_the_model_which_may_do_better(served):
    _, model, asked = served
    for name, (reply, word) in BAD_CALLS.items():
        task = await asked(reply, says("better so"), agent="handy")
        assert answer_of(task) == "better so", name
        result = model.received[-1].json["messages"][-1]
        assert result["role"] == "tool"
        assert word in json.dumps(result), name


async def test_a_model_that_makes_the_same_bad_call_over_and_over_is_told_and_then_stopped(served):
    _, model, asked = served
    begun = len(model.received)
    said = told(await asked(calls(("c", "launch_rocket", "{}")), agent="handy"))
    assert "the model called launch_rocket 6 times in a row with the same arguments" in said
    assert "ask differently, or look at the tool" in said
    questions = [received.json["messages"][-1] for received in model.received[begun:]]
    assert [question["role"] for question in questions] == ["user", "tool", "tool", "user", "user", "user"]
    assert "Do not call it so again" in questions[3]["content"]


UNREACHABLE = {
    "nobody is there": ("http://127.0.0.1:9", "cannot connect to http://127.0.0.1:9: connection refused"),
    "the name is none": ("http://no-such-host.invalid", "its name cannot be looked up"),
}


@pytest.mark.parametrize("case", UNREACHABLE)
def test_a_model_that_cannot_be_reached_is_named_on_the_command_line(hector, case):
    url, sentence = UNREACHABLE[case]
    hector.write(CONFIG.format(url=url))
    called = hector.run("call", "--format", "json", "Hello")
    assert called.returncode == 1
    (line,) = called.stderr.splitlines()
    assert line.startswith("Error: ")
    for said in (line, json.loads(called.stdout)["error"]):
        assert sentence in said
        assert "llms.default.base_url" in said
