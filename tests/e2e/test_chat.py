"""A conversation at a terminal: Ctrl-C, a server that comes and goes, commands."""

import os
import select
import subprocess
import time
from contextlib import contextmanager

import pytest
from support.model_server import says, trickles
from support.model_thread import model_in_a_thread
from support.processes import HECTOR, post, wait_until_ready

LIMIT_S = 30.0
MODEL = """
agents: {{talker: {{description: Talks, tools: []}}, other: {{tools: []}}}}
llms:
  default: {{provider: openai, base_url: "{url}/v1", model: m, api_key: k, max_retries: 0}}
"""


async def reply(received, line):
    said = [message["content"] for message in received.json["messages"] if message["role"] == "user"]
    if "slow" in said[-1]:
        await trickles(received, line)
    else:
        await says(f"I heard {' and '.join(said)}")(received, line)


class Terminal:
    """A program on a terminal: what it shows, and what is typed."""

    def __init__(self, process, master):
        self.process, self._master = process, master
        self.shown = ""
        self._seen = 0

    def shows(self, text):
        """Wait until it shows a text after what has been waited for before."""
        deadline = time.monotonic() + LIMIT_S
        while (found := self.shown.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown[self._seen :]!r}"
            assert self._takes_in(0.1), self.shown
        self._seen = found + len(text)

    def types(self, text):
        os.write(self._master, text.encode())

    def ends(self):
        """Return its exit code, and take in what it says last."""
        code = self.process.wait(LIMIT_S)
        while self._takes_in(0) and select.select([self._master], [], [], 0)[0]:
            pass
        assert "Traceback" not in self.shown
        return code

    def _takes_in(self, wait_s):
        """Take in what is shown meanwhile; false when there will be no more."""
        if not select.select([self._master], [], [], wait_s)[0]:
            return True
        try:
            more = os.read(self._master, 4096)
        except OSError:
            return False
        self.shown += more.decode(errors="replace")
        return bool(more)


@contextmanager
def terminal(hector, *arguments):
    master, theirs = os.openpty()
    process = subprocess.Popen(
        [HECTOR, *arguments],
        cwd=hector.folder,
        env={**hector.environment, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


@pytest.fixture
def served(hector):
    with model_in_a_thread(reply) as model:
        hector.write(MODEL.format(url=model.url))
        server = hector.serve("--config", "hector.yaml")
        hector.environment = {**hector.environment, "HECTOR_URL": server.url}
        yield server


def test_ctrl_c_cancels_the_answer_and_not_the_chat(hector, served):
    with terminal(hector, "chat") as chat:
        chat.shows("> ")
        chat.types("be slow\n")
        chat.shows("word word")
        chat.process.send_signal(2)
        chat.shows("[cancelled]")
        chat.shows("> ")
        chat.types("still there?\n")
        chat.shows("I heard be slow and still there?")
        chat.shows("> ")
        chat.types("exit\n")
        assert chat.ends() == 0
    found = post(f"{served.url}/agents/talker", "ListTasks", {})["result"]["tasks"]
    assert [task["status"]["state"] for task in found] == ["TASK_STATE_COMPLETED", "TASK_STATE_CANCELED"]


def test_a_conversation_outlives_its_server(hector, served):
    with terminal(hector, "chat") as chat:
        chat.shows("> ")
        chat.types("I am Ada\n")
        chat.shows("I heard I am Ada")
        chat.shows("> ")
        served.stop()
        chat.types("anybody?\n")
        chat.shows("no server answers")
        chat.shows("when the server is back")
        port = served.url.rpartition(":")[2]
        again = hector.start("--port", port, "--grpc-port", "0", url=served.url)
        wait_until_ready(again)
        chat.types("who am I?\n")
        chat.shows("I heard I am Ada and who am I?")
        chat.shows("> ")
        chat.types("\x04")
        assert chat.ends() == 0
    assert "hector chat --session" in chat.shown


def test_commands_change_who_is_asked_and_in_which_conversation(hector, served):
    with terminal(hector, "chat", "talker") as chat:
        chat.shows("talker> ")
        for typed, shown in (
            ("/help", "/agent NAME"),
            ("/agents", "* talker: Talks"),
            ("one", "I heard one"),
            ("/agent othr", "did you mean 'other'?"),
            ("/agent other", "Talking with other"),
            ("two", "I heard one and two"),
            ("/new", "A new conversation"),
            ("//three", "I heard /three"),
            ("/nonsense", "/agent NAME"),
        ):
            chat.types(f"{typed}\n")
            chat.shows(shown)
        chat.types("/exit\n")
        assert chat.ends() == 0


def test_without_colours_there_is_not_one_of_their_signs(hector, served):
    hector.environment = {**hector.environment, "NO_COLOR": "1"}
    with terminal(hector, "call", "Hello") as call:
        assert call.ends() == 0
    assert "I heard Hello" in call.shown
    assert "[session " in call.shown
    assert "\033" not in call.shown


def test_from_a_pipe_the_exit_code_says_whether_all_was_answered(hector, served):
    good = hector.run("chat", text="one\ntwo\n")
    assert (good.returncode, good.stdout) == (0, "I heard one\nI heard one and two\n")
    served.stop()
    gone = hector.run("chat", text="one\n")
    assert gone.returncode == 3
    assert gone.stdout == ""


def test_what_is_written_to_a_file_is_the_answers(hector, served):
    master, theirs = os.openpty()
    try:
        with (hector.folder / "answers.txt").open("w") as file:
            chat = subprocess.Popen(
                [HECTOR, "chat"],
                cwd=hector.folder,
                env=dict(hector.environment),
                stdin=theirs,
                stdout=file,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            os.close(theirs)
            os.write(master, b"one\nexit\n")
            assert chat.wait(LIMIT_S) == 0
    finally:
        os.close(master)
    assert (hector.folder / "answers.txt").read_text() == "I heard one\n"
