"""What stops a start, as a newcomer meets it: a line that names the thing and the next step, no traceback."""

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.processes import HECTOR, Server, answer_of, free_port, message, post, wait_until_ready

from hector_runtime.cli import hector as command_line

GOOD = "agents: {assistant: {tools: []}}\nllms: {default: {provider: local}}\n"
AWAY = ("--port", "0", "--grpc-port", "0")


def run(*arguments):
    """Run a command in this process; return its exit code, and what it says on standard error."""
    found = CliRunner().invoke(command_line, list(arguments))
    assert "Traceback" not in found.output
    return found.exit_code, found.stderr


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("HECTOR_", "OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    return tmp_path


def text(content):
    return lambda file: file.write_text(content)


def loop(file):
    file.symlink_to(file.name)


CONFIGS = {
    "is not there": (lambda file: None, "hector.yaml: cannot be read: No such file", "check the path"),
    "is a folder": (Path.mkdir, "hector.yaml: cannot be read: Is a directory (name the file in it)"),
    "is a link to itself": (loop, "Too many levels of symbolic links", "name the file itself"),
    "is /dev/zero": (lambda file: file.symlink_to("/dev/zero"), "larger than 4194304 bytes"),
    "is empty": (text(""), "the file is empty ({} means all defaults)"),
    "is binary": (lambda file: file.write_bytes(b"\x7fELF\xff\x00"), "hector.yaml:1:5", "is not UTF-8"),
    "is a list": (text("- a"), "hector.yaml:1:1: not a config: found a list"),
    "is indented with a tab": (text("agents:\n\ta: {}\n"), "hector.yaml:2:1: not valid YAML: a tab cannot"),
    "never closes a bracket": (text("agents:\n  a: {tools: []\n"), "flow mapping that begins on line 2"),
    "has a key twice": (text("agents: {a: {}, a: {}}"), "agents.a: duplicate key"),
    "has an unknown key": (text("agents: {a: {instructin: x}}"), "unknown key", "instruction"),
    "has a key of later": (text("rate_limiting: {}"), "rate_limiting", "not available in this version"),
    "lacks a variable": (text("name: ${NOPE}"), "hector.yaml:1:7", "NOPE"),
    "refers to nothing": (text("agents: {a: {llm: smart}}"), '"smart" is not declared under llms:'),
    "has a bad duration": (text("agents: {a: {timeout: soon}}"), "agents.a.timeout"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_config_that_cannot_be_used_is_named_by_every_command(case, here):
    make, *sentences = CONFIGS[case]
    make(here / "hector.yaml")
    for arguments in (
        ("validate", "hector.yaml"),
        ("serve", "--config", "hector.yaml", *AWAY),
        ("call", "--config", "hector.yaml", "Hello"),
    ):
        code, said = run(*arguments)
        assert code == 1, said
        for sentence in sentences:
            assert sentence in said
    assert not (here / ".hector").exists()


def a_newer_database(file):
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE hector_schema (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO hector_schema VALUES ('9999')")
        database.commit()


DATABASES = {
    "is a folder": (Path.mkdir, "it is a folder", "move it away and a new one is made"),
    "is something else": (text("my notes " * 1000), "the file is something else", "restore it from a backup"),
    "is cut off": (lambda file: file.write_bytes(b"SQLite format 3\0" + b"\1" * 40), "not a usable database"),
    "is of a newer version": (a_newer_database, "made by a newer version", "upgrade hector"),
}


@pytest.mark.parametrize("case", DATABASES)
def test_a_database_that_cannot_be_used_is_named(case, here):
    make, *sentences = DATABASES[case]
    (here / "hector.yaml").write_text(GOOD)
    make(here / "runs.db")
    code, said = run("serve", *AWAY, "--database", "sqlite://runs.db")
    assert code == 1, said
    assert "runs.db" in said
    for sentence in sentences:
        assert sentence in said


PLACES = {
    "a state folder that is a file": ([], ".hector for the database", "is a file; move it away"),
    "a database in a folder that is not there": (
        ["--database", "sqlite://gone/x.db"],
        "gone for the database",
        "does not exist; create it",
    ),
    "a host that is none": (["--host", "no-such-host.invalid"], "no-such-host.invalid", "--host"),
    "a host that is not here": (["--host", "192.0.2.1", "--auth-secret", "x"], "192.0.2.1", "--host"),
    "a role that is none": (["--role", "lmm"], "there is no role 'lmm'; the roles are", "llm"),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_place_that_cannot_be_used_is_named(case, here):
    arguments, *sentences = PLACES[case]
    (here / "hector.yaml").write_text(GOOD)
    if not arguments:
        (here / ".hector").write_text("")
        # The key that hides what is written out would be there, too.
        (here / "hector.yaml").write_text("llms: {default: {provider: local, api_key: sk-1}}")
    code, said = run("serve", *AWAY, *arguments)
    assert code == 1, said
    for sentence in sentences:
        assert sentence in said


@pytest.mark.parametrize(("flag", "key"), [("--port", "server.port"), ("--grpc-port", "server.grpc_port")])
def test_a_port_that_is_taken_is_named_with_the_key_to_change_it(flag, key, here):
    (here / "hector.yaml").write_text(GOOD)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = run("serve", *AWAY, flag, str(port))
    assert code == 1, said
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in said
    assert f"choose another with {flag} or `{key}:` in the config" in said


def test_a_limit_of_hardly_any_open_files_is_named(hector):
    limited = subprocess.run(
        ["sh", "-c", f"ulimit -n 20 && exec {HECTOR} serve --port 0 --grpc-port 0"],
        cwd=hector.folder,
        env=dict(hector.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert limited.returncode == 1
    assert limited.stderr.startswith("Error: this process may have only 20 files open")


# a disk that is full, or cannot be written


@pytest.fixture
def disk(folder):
    """A place of two megabytes, in a mount namespace that ends with the server that runs in it."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("only root may mount a small disk")
    mounted = folder / "disk"
    mounted.mkdir()
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", mounted], check=False)
    if tried.returncode:
        pytest.skip("this machine lets nobody mount anything")
    return mounted


def serve_on(hector, disk):
    """Run a server on the small disk; return it, and the disk as it sees it."""
    (hector.folder / "hector.yaml").write_text(GOOD)
    port = free_port()
    start = (
        f"mount -t tmpfs -o size=2m tmpfs {disk} && cd {disk} && exec {HECTOR} serve --config ../hector.yaml"
    )
    log = hector.folder / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", f"{start} --port {port} --grpc-port 0 --database sqlite://runs.db"],
            env=dict(hector.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
    server = Server(process, log, url=f"http://127.0.0.1:{port}")
    hector.servers.append(server)
    wait_until_ready(server)
    return server, Path(f"/proc/{process.pid}/root{disk}")


def test_a_disk_that_is_full_refuses_what_is_new_and_keeps_what_was_acknowledged(hector, disk):
    server, seen = serve_on(hector, disk)
    url = f"{server.url}/agents/assistant"
    kept = post(url, "SendMessage", message("Hello"))["result"]["task"]
    assert answer_of(kept)
    with (seen / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(b"x" * 4096):
            pass
    for _ in range(2):
        error = post(url, "SendMessage", message("Hello " + "x" * 20_000))["error"]
        assert "no space left for the database" in error["message"]
        assert "runs.db" not in error["message"]
        assert "STORAGE_FULL" in str(error["data"])
    called = hector.run("call", "--url", server.url, "x" * 20_000)
    assert called.returncode == 1
    assert called.stderr.startswith("Error: no space left for the database")
    assert post(url, "GetTask", {"id": kept["id"]})["result"]["status"] == kept["status"]
    (seen / "filler").unlink()
    assert answer_of(post(url, "SendMessage", message("Hello " + "x" * 20_000))["result"]["task"])
    assert "Traceback" not in server.output()
    assert "batch was not written" in server.output()
    assert "runs.db; free some space and try again" in server.output()


def test_a_database_that_is_deleted_under_a_server_acknowledges_nothing_more(hector):
    hector.write(GOOD)
    server = hector.serve("--config", "hector.yaml")
    url = f"{server.url}/agents/assistant"
    assert answer_of(post(url, "SendMessage", message("Hello"))["result"]["task"])
    shutil.rmtree(hector.folder / ".hector")
    error = post(url, "SendMessage", message("Hello"))["error"]
    assert "the database was removed or replaced while it was in use" in error["message"]
    assert server.stop() == 0
    told = "hector.db was removed or replaced while it was in use; move it back, or restart"
    assert told in server.output()
    assert "Traceback" not in server.output()
