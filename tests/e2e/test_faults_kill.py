"""A server that ends at any moment, mostly by kill -9: what was acknowledged is there, whole, and once."""

import asyncio
import contextlib
import http.client
import json
import random
import re
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from support.model_server import calls, says
from support.processes import answer_of, message, post
from support.scripted_server import scripted

ROUNDS = 13
TERM_EVERY = 4
"""Every so many rounds the server is told to stop, in the others it is killed."""
CLIENTS = 8
OVER = {"TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED"}
CONFIG = """
agents: {{assistant: {{tools: [todo_write]}}}}
llms: {{default: {{provider: openai, base_url: "{url}/v1", model: m, api_key: k, max_retries: 0}}}}
document_stores: {{docs: {{source: {{type: directory, path: ./docs, include: ["*.md"]}}, watch: true}}}}
"""
TODO = json.dumps({"todos": [{"id": "1", "content": "answer", "status": "pending"}]})


def whole(question):
    return f"the whole answer to {question} and to nothing else"


async def model(received, line):
    """Take a tool first for every other question, and answer word by word."""
    messages = received.json["messages"]
    question = [said["content"] for said in messages if said["role"] == "user"][-1]
    if messages[-1]["role"] != "tool" and int(question.split("-")[1]) % 2:
        await calls(("call-1", "todo_write", TODO))(received, line)
    else:
        await says(whole(question), pause_s=random.choice((0, 0.005, 0.05)))(received, line)


class Load:
    """Clients that ask until their server is gone, and remember what it has acknowledged."""

    def __init__(self):
        self.number = 0
        self.asked = set()
        self.acknowledged = {}
        self.first = threading.Event()

    def ask_on(self, url, docs):
        while True:
            self.number += 1
            question = f"question-{self.number}"
            self.asked.add(question)
            ask = self._streamed if self.number % 3 == 0 else self._blocking
            try:
                task_id, state, text = ask(url, question)
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                return  # it is gone
            if state != "TASK_STATE_COMPLETED":
                return  # it is going
            assert text == whole(question)
            self.acknowledged[task_id] = question
            if self.number % 5 == 0:
                (docs / f"{question}.md").write_text(f"# {question}\n\nAsked.\n")
            self.first.set()

    def _blocking(self, url, question):
        found = post(url, "SendMessage", asking(question))
        if "error" in found:
            raise ConnectionError(found["error"]["message"])
        task = found["result"]["task"]
        return task["id"], task["status"]["state"], answer_of(task)

    def _streamed(self, url, question):
        """Return the task of a stream that has told its end; one that was cut acknowledged nothing."""
        place = urlsplit(url)
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": asking(question)}
        headers = {"Content-Type": "application/json", "A2A-Version": "1.0"}
        task, texts, state = "", {}, ""
        with contextlib.closing(http.client.HTTPConnection(place.netloc, timeout=60)) as connection:
            connection.request("POST", place.path, json.dumps(body), headers)
            for line in connection.getresponse():
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line[5:]).get("result", {})
                task = event.get("task", {}).get("id", task)
                if update := event.get("artifactUpdate"):
                    name, pieces = update["artifact"]["artifactId"], update["artifact"].get("parts", [])
                    before = texts.get(name, "") if update.get("append") else ""
                    texts[name] = before + "".join(piece["text"] for piece in pieces)
                state = event.get("statusUpdate", {}).get("status", {}).get("state", state)
        if state not in OVER:
            raise http.client.IncompleteRead(b"")
        return task, state, "\n".join(text for text in texts.values() if text)


def asking(question):
    return {**message(question), "message": {**message(question)["message"], "messageId": question}}


def all_tasks(url):
    """Return every task there is, page by page."""
    tasks, token = [], ""
    while True:
        wanted = {"pageSize": 100, "pageToken": token, "includeArtifacts": True, "historyLength": 10}
        found = post(url, "ListTasks", wanted)["result"]
        tasks += found.get("tasks", [])
        token = found.get("nextPageToken", "")
        if not token:
            return tasks


def check(url, load):
    """Compare what the server has with what it had acknowledged."""
    deadline = time.monotonic() + 30
    while any(task["status"]["state"] not in OVER for task in all_tasks(url)):
        assert time.monotonic() < deadline, "what was at work did not go on"
        time.sleep(0.05)  # it goes on by itself
    tasks = {task["id"]: task for task in all_tasks(url)}
    for task_id, question in load.acknowledged.items():
        task = tasks[task_id]
        assert task["status"]["state"] == "TASK_STATE_COMPLETED"
        assert answer_of(task) == whole(question)
    for task in tasks.values():
        assert task["status"]["state"] == "TASK_STATE_COMPLETED", task
        assert answer_of(task) == whole(task["history"][0]["parts"][0]["text"])
    questions = Counter(task["history"][0]["messageId"] for task in tasks.values())
    assert set(questions) <= load.asked
    assert set(questions.values()) <= {1}, "a message was worked on twice"


async def test_what_was_acknowledged_survives_a_server_that_is_ended_again_and_again(hector, folder):
    docs, load, moments = folder / "docs", Load(), random.Random(4)
    docs.mkdir()
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(CLIENTS + 2) as threads:
        async with scripted(model) as served, asyncio.timeout(300):
            hector.write(CONFIG.format(url=served.url))
            for number in range(1, ROUNDS + 1):
                server = await loop.run_in_executor(threads, hector.serve, "--config", "hector.yaml")
                url = f"{server.url}/agents/assistant"
                await loop.run_in_executor(threads, check, url, load)
                load.first.clear()
                clients = [loop.run_in_executor(threads, load.ask_on, url, docs) for _ in range(CLIENTS)]
                await loop.run_in_executor(threads, load.first.wait, 30)
                await asyncio.sleep(moments.uniform(0, 0.6))  # whichever it is, the same must hold
                if number % TERM_EVERY:
                    server.kill()
                else:
                    assert await loop.run_in_executor(threads, server.stop) == 0
                await asyncio.gather(*clients)
                assert "Traceback" not in server.output()
            last = await loop.run_in_executor(threads, hector.serve, "--config", "hector.yaml")
            await loop.run_in_executor(threads, check, f"{last.url}/agents/assistant", load)
    assert len(load.acknowledged) >= ROUNDS
    check_documents(last, folder, {file.name for file in docs.iterdir()})


def check_documents(server, folder, files):
    """Every document is indexed once, with its one passage, whatever the index did when it was killed."""
    assert server.stop() == 0
    assert "Traceback" not in server.output()
    (documents, failed, passages), *_ = re.findall(
        r"brought up to date .*documents=(\d+), failed=(\d+), passages=(\d+)", server.output()
    )
    assert (int(documents), int(failed), int(passages)) == (len(files), 0, len(files))
    with contextlib.closing(sqlite3.connect(folder / ".hector" / "hector.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute("SELECT document_id, state, chunk_count FROM documents").fetchall()
    assert sorted(rows) == sorted((name, "indexed", 1) for name in files)
