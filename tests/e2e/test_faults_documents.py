"""Files that cannot be read: each is named with what to do, and all others can be found."""

import os
import shutil
import subprocess
import time

import pytest
from support.processes import HECTOR, Server, answer_of, free_port, message, post, wait_until_ready

CONFIG = """
agents: {assistant: {}}
llms: {default: {provider: local}}
document_stores: {handbook: {source: {type: directory, path: ./docs, include: ["**/*.md"]}, watch: true}}
"""
# Root may read everything, unless it gives up the right to.
POWERLESS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"] if os.geteuid() == 0 else []

FAULTS = {
    "binary.md": "it is binary (it has zero bytes), not text",
    "huge.md": "it has 104857600 bytes, more than source.max_file_size allows (10485760); raise",
    "unreadable.md": "it cannot be read: Permission denied",
    "utf16.md": "it says that it is UTF-16-LE, and is not from byte",
}


def spoil(docs):
    """Fill a folder with what a hostile newcomer has."""
    docs.mkdir()
    (docs / "good.md").write_text("# Zeppelin\n\nThe zeppelin is blue.\n")
    (docs / "empty.md").touch()
    (docs / "binary.md").write_bytes(b"\x7fELF\0\0" * 100)
    (docs / "utf16.md").write_bytes(b"\xff\xfe\x00\xd8" * 3)
    (docs / "unreadable.md").write_text("secret")
    (docs / "unreadable.md").chmod(0)
    with (docs / "huge.md").open("wb") as huge:
        huge.truncate(100 * 1024 * 1024)
    (docs / "new\nline.md").write_text("# Newline\n\nThe canteen is red.\n")
    (docs / os.fsdecode(b"latin-\xe9.md")).write_text("# Latin\n\nThe tower is green.\n")
    (docs / "loop.md").symlink_to("loop.md")
    (docs / "self").symlink_to(".")
    (docs / "outside.md").symlink_to("/etc/hostname")
    (docs / "nowhere.md").symlink_to("gone.md")
    os.mkfifo(docs / "pipe.md")


@pytest.fixture
def server(hector):
    hector.write(CONFIG)
    spoil(hector.folder / "docs")
    port, log = free_port(), hector.folder / "serve.log"
    arguments = ["--config", "hector.yaml", "--port", str(port), "--grpc-port", "0"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*POWERLESS, HECTOR, "serve", *arguments],
            cwd=hector.folder,
            env=dict(hector.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
    started = Server(process, log, url=f"http://127.0.0.1:{port}")
    hector.servers.append(started)
    wait_until_ready(started)
    return started


def answer(server, question):
    asked = post(f"{server.url}/agents/assistant", "SendMessage", message(question))
    return answer_of(asked["result"]["task"])


def until(condition, what, within_s=30):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


def test_what_cannot_be_read_is_named_and_all_else_is_found(hector, server):
    lines = server.output().splitlines()
    for name, sentence in FAULTS.items():
        (line,) = [line for line in lines if "could not be indexed" in line and f"document={name}" in line]
        assert sentence in line
    assert "documents=4, failed=4" in server.output()
    assert "The zeppelin is blue. [docs/good.md:1-3]" in answer(server, "What colour is the zeppelin?")
    assert "red" in answer(server, "What colour is the canteen?")
    assert "green" in answer(server, "What colour is the tower?")

    docs = hector.folder / "docs"
    (docs / "binary.md").write_text("# Hangar\n\nThe hangar is yellow.\n")
    until(lambda: "yellow" in answer(server, "What colour is the hangar?"), "a file that was repaired")
    for number in range(200):  # while they are read
        (docs / f"passing-{number}.md").write_text(f"# Passing {number}\n\nSoon gone.\n")
    for number in range(200):
        (docs / f"passing-{number}.md").unlink()
    (docs / "good.md").write_text("# Zeppelin\n\nThe zeppelin is purple.\n")
    until(lambda: "purple" in answer(server, "What colour is the zeppelin?"), "a file that has changed")

    shutil.rmtree(docs)
    until(lambda: "it is tried again: bring the folder back" in server.output(), "a folder that is gone")
    assert "purple" in answer(server, "What colour is the zeppelin?")  # what was indexed stays
    docs.mkdir()
    (docs / "good.md").write_text("# Zeppelin\n\nThe zeppelin is silver.\n")
    until(lambda: "silver" in answer(server, "What colour is the zeppelin?"), "a folder that came back")
    assert server.output().count("document=unreadable.md") <= 2, "said again and again"
    assert server.stop() == 0
    assert "Traceback" not in server.output()
