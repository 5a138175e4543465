"""`hector serve` in a folder without a config: no key, no network, and an agent that answers."""

import asyncio
import re
import stat
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from support.model_server import says
from support.processes import answer_of, message, post
from support.scripted_server import scripted

KEY = "sk-very-secret-key"


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


def holders(folder: Path, text: str) -> list[Path]:
    """Return the files that hold a text in the plain."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_in_an_empty_folder_an_assistant_answers_and_writes_only_what_is_its_own(hector):
    server = hector.serve()
    answer = post(f"{server.url}/agents/assistant", "SendMessage", message("Hello"))
    assert "offline model" in answer_of(answer["result"]["task"])
    found = modes(hector.folder)
    assert {name.split("/")[0] for name in found} == {".hector", "serve-0.log"}
    assert found[".hector"] == 0o700
    kept = {name: mode for name, mode in found.items() if name.startswith(".hector/")}
    assert ".hector/hector.db" in kept
    assert all(mode & 0o077 == 0 for mode in kept.values()), kept
    assert not Path("/nonexistent").exists()  # what HOME is here
    said = server.output()
    assert f"HTTP   {server.url}\n" in said
    assert f"agent  assistant: {server.url}/agents/assistant\n" in said
    assert re.search(r"gRPC   127\.0\.0\.1:[1-9]\d+\n", said)
    assert f"data   {hector.folder}/.hector/hector.db" in said
    assert "using the offline model" in said
    assert "Admin secret" not in said
    assert server.stop() == 0
    assert server.output().endswith("Stopping …\n")


def test_beyond_this_machine_an_admin_secret_is_shown_once_and_opens_the_door(hector):
    server = hector.serve("--host", "0.0.0.0")
    shown = re.findall(r"Admin secret: (\S+)", server.output())
    assert len(shown) == 1
    url, secret = f"{server.url}/agents/assistant", shown[0]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        post(url, "SendMessage", message("Hello"))
    refused = hector.run("call", "--url", server.url, "Hello")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "--token" in refused.stderr
    assert hector.run("call", "--url", server.url, "--token", secret, "Hello").returncode == 0
    with urllib.request.urlopen(f"{server.url}/health", timeout=10) as health:
        assert health.status == 200
    server.stop()
    assert holders(hector.folder / ".hector", secret) == []
    again = hector.serve("--host", "0.0.0.0")
    assert "Admin secret" not in again.output()
    url = f"{again.url}/agents/assistant"
    assert answer_of(post(url, "SendMessage", message("Hello"), token=secret)["result"]["task"])


async def test_flags_build_an_agent_and_its_key_is_nowhere_in_the_plain(hector):
    async with scripted(says("I am a real model")) as model:
        server = await asyncio.to_thread(
            hector.serve,
            *("--provider", "openai", "--base-url", f"{model.url}/v1", "--model", "m-1", "--api-key", KEY),
            *("--instruction", "Speak of ${HOME} and nothing else.", "--tools", "todo_write"),
            *("--host", "0.0.0.0", "--auth-secret", "s3cret-of-mine"),
        )
        url = f"{server.url}/agents/assistant"
        answer = await asyncio.to_thread(post, url, "SendMessage", message("Hello"), token="s3cret-of-mine")
        assert answer_of(answer["result"]["task"]) == "I am a real model"
        asked = model.received[0]
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.json["model"] == "m-1"
    assert "Speak of ${HOME} and nothing else." in str(asked.json["messages"])
    assert [tool["function"]["name"] for tool in asked.json["tools"]] == ["todo_write"]
    assert "Admin secret" not in server.output()
    for secret in (KEY, "s3cret-of-mine"):
        assert holders(hector.folder, secret) == []


def test_a_skill_file_describes_the_agent_and_a_folder_of_documents_is_searched(hector):
    hector.write(
        "---\nname: Zeppelin pilot\ndescription: Knows how to fly.\nallowed-tools: search\n---\nBe brief.\n",
        "SKILL.md",
    )
    (hector.folder / "manuals").mkdir()
    hector.write("# Starting\n\nTo start the zeppelin, pull the blue lever twice.\n", "manuals/guide.md")
    server = hector.serve("--docs-folder", "manuals")
    with urllib.request.urlopen(f"{server.url}/.well-known/agent-card.json", timeout=10) as card:
        shown = card.read().decode()
    assert "Zeppelin pilot" in shown
    assert "Knows how to fly." in shown
    assert "assistant (Zeppelin pilot)" in server.output()
    answer = post(f"{server.url}/agents/assistant", "SendMessage", message("How do I start the zeppelin?"))
    assert "blue lever" in answer_of(answer["result"]["task"])
    assert "guide.md" in answer_of(answer["result"]["task"])
