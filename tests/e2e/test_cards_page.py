"""Ours: the section on cards of docs/a2a.md is true, command by command, and so is `hector card`."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from support.processes import HECTOR, Hector

PAGE = Path(__file__).resolve().parents[2] / "docs" / "a2a.md"


def fences(language: str) -> list[str]:
    """Return the section's fences of a language."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Cards\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def run(hector: Hector, command: str, url: str = "") -> subprocess.CompletedProcess[str]:
    path = f"{Path(HECTOR).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-ec", command.replace("localhost:8080", url.removeprefix("http://"))],
        cwd=hector.folder,
        env={**hector.environment, "PATH": path, "NO_PROXY": "*", "HECTOR_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def url(hector: Hector) -> str:
    hector.write(fences("yaml")[0])
    assert run(hector, fences("sh")[0]).returncode == 0
    return hector.serve("--config", "hector.yaml").url


def test_the_section_does_what_it_says(hector: Hector, url: str) -> None:
    _, card, extended, verify, sign, catalog = fences("sh")
    found = json.loads(run(hector, card, url).stdout)
    assert [skill["id"] for skill in found["skills"]] == ["orders"]
    assert found["defaultOutputModes"] == ["text/plain", "application/json"]
    assert "refunds: Pays back." in run(hector, extended, url).stdout
    checked = run(hector, verify, url)
    assert checked.returncode == 0, checked.stderr
    assert "valid: 2026-01 (ES256): covers every member" in checked.stdout
    assert "valid: 2026-11 (EdDSA): covers every member" in checked.stdout
    signed = run(hector, sign, url)
    assert signed.returncode == 0, signed.stderr
    assert "is signed by a key that you trust" in signed.stdout
    (entry,) = json.loads(run(hector, catalog, url).stdout)["entries"]
    assert entry["url"] == f"{url}/agents/assistant/.well-known/agent-card.json"


def test_card_commands_end_with_a_code_that_says_how_it_went(hector: Hector, url: str) -> None:
    card = json.loads(run(hector, "hector card show assistant -f json", url).stdout)
    signed, verdict = card["signatures"], {"signatures": []}
    # What only 0.3 reads is not covered by what 1.0 signs. Where the same key has signed that, too, it shows.
    for member, signatures, code, valid, partly, changed in (
        ("description", signed, 1, False, False, False),
        ("url", signed, 1, True, True, True),
        ("url", None, 0, True, True, False),
    ):
        if signatures is None:  # those alone that the one before has still found valid
            told = zip(signed, verdict["signatures"], strict=True)
            signatures = [one for one, found in told if found["valid"]]
        hector.write(json.dumps(card | {member: "changed", "signatures": signatures}), "changed.json")
        done = run(hector, "hector card verify changed.json --key card.pem -f json", url)
        verdict = json.loads(done.stdout)
        found = (done.returncode, verdict["valid"], verdict["partly"], verdict["changed"])
        assert found == (code, valid, partly, changed)
    told = run(hector, "hector card verify changed.json --key card.pem", url).stdout
    assert "Its members of A2A 0.3 are not" in told
    for command, code, why in (
        ("hector card verify changed.json", 2, "--jwks"),
        ("hector card verify changed.json --key none.pem", 1, "none.pem cannot be read"),
        ("hector card verify hector.yaml/x --key card.pem", 1, "cannot be read"),
        ("hector card verify http://127.0.0.1:9/ --key card.pem", 3, "refused"),
        ("hector card show assistant --extended", 4, "credential"),
        ("hector card show none --token olgas-key", 1, "no agent 'none'"),
        ("hector card sign changed.json --key hector.yaml --key-id x", 1, "openssl genpkey"),
        ("echo 7 | hector card sign - --key card.pem --key-id x", 1, "no agent card"),
    ):
        done = run(hector, command, url)
        assert done.returncode == code, (command, done.stderr)
        assert why in done.stderr
        assert "Traceback" not in done.stderr


def test_a_second_key_adds_its_signatures_to_those_of_the_first(hector: Hector, url: str) -> None:
    hector.write(json.dumps({"name": "a", "url": "http://x", "protocolVersion": "0.3.0"}), "unsigned.json")
    done = run(
        hector,
        "hector card sign unsigned.json --key older.pem --key-id old > once.json;"
        "hector card sign once.json --key card.pem --key-id new > twice.json;"
        "hector card sign twice.json --key card.pem --key-id new",
        url,
    )
    assert len(json.loads(done.stdout)["signatures"]) == 2
    assert run(hector, "hector card verify twice.json --key older.pem", url).returncode == 0


def test_a_credential_from_the_environment_is_not_for_strangers(hector: Hector, url: str) -> None:
    """Ours: HECTOR_TOKEN goes to the server at --url; another one sees it only if it is written down."""
    hector.environment = {**hector.environment, "HECTOR_TOKEN": "wrong-key"}
    elsewhere = url.replace("127.0.0.1", "localhost")
    assert run(hector, f"hector card show {elsewhere}/agents/assistant", url).returncode == 0
    assert run(hector, "hector card show assistant", url).returncode == 4
    assert run(hector, f"hector card show {elsewhere}/agents/assistant --token no", url).returncode == 4
