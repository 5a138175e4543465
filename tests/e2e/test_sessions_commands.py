"""`hector sessions`, as somebody uses it whose conversations a server keeps."""

import json

CONFIG = "agents: {assistant: {instruction: Answer., tools: []}}\n"


def test_a_session_is_made_told_shown_exported_and_removed(hector, tmp_path):
    hector.write(CONFIG)
    url = hector.serve("--config", "hector.yaml").url

    def sessions(*words: str) -> str:
        asked = hector.run("sessions", *words, "--url", url)
        assert asked.returncode == 0, asked.stderr
        return asked.stdout

    name = sessions("create", "--state", '{"user:name": "Ann", "city": "Rome"}').strip()
    sessions("append", name, "My name is Ann.")
    sessions("append", name, "Hello Ann.", "--role", "assistant", "--state", '{"city": null}', "--key", "k")
    assert hector.run("call", "What is my name?", "--session", name, "--url", url).returncode == 0
    shown = sessions("show", name)
    assert "> My name is Ann." in shown
    assert 'user:name = "Ann"' in shown
    assert "city" not in shown
    assert "turns    1" in shown
    assert name in sessions("list")
    brief = json.loads(sessions("show", name, "--last", "1", "-f", "json"))
    assert len(brief["messages"]) == 1
    sessions("export", name, "--to", str(tmp_path / "all.json"))
    kept = json.loads((tmp_path / "all.json").read_text())
    assert [len(kept["messages"]), kept["state"], kept["artifacts"]] == [4, {"user:name": "Ann"}, []]
    assert f"Session {name} is gone" in sessions("delete", name)
    gone = hector.run("sessions", "show", name, "--url", url)
    assert (gone.returncode, f"no session '{name}'" in gone.stderr) == (1, True)


def test_what_makes_no_sense_is_refused_before_anything_is_asked(hector):
    for words, told in (
        (("append", "s"), "say what to append"),
        (("append", "s", "--state", "[1]"), "must be a JSON object"),
        (("create", "--state", "{"), "is no JSON"),
    ):
        refused = hector.run("sessions", *words, "--url", "http://127.0.0.1:9")
        assert (refused.returncode, told in refused.stderr) == (2, True), refused.stderr
