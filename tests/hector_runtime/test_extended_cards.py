"""Ours: who writes that there is an extended card learns from `hector validate` when nobody can get it."""

from pathlib import Path

import pytest

from hector_runtime.config import load_config

KEYS = [
    ("server: {a2a: {extended_card: true}}", "server.a2a.extended_card"),
    ("agents: {helper: {a2a: {extended_card: true}}}", "agents.helper.a2a.extended_card"),
]
ASKING = ["server: {auth: {secret: s}}", "server: {host: 0.0.0.0}", "server: {auth: {enabled: true}}"]


def warnings_of(folder: Path, *lines: str) -> list[str]:
    file = folder / "hector.yaml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [str(warning) for warning in load_config(file).warnings]


@pytest.mark.parametrize(("line", "path"), KEYS)
def test_an_extended_card_without_authentication_is_warned_of_at_its_key(
    tmp_path: Path, line: str, path: str
) -> None:
    (warning,) = warnings_of(tmp_path, line)
    assert f":1:{line.index('true') + 1}: {path}: nobody will get the extended card" in warning
    assert "server.auth" in warning
    assert ("hector serve refuses that" in warning) is path.startswith("server")


@pytest.mark.parametrize("asking", ASKING)
def test_where_callers_are_asked_for_a_credential_there_is_nothing_to_say(
    tmp_path: Path, asking: str
) -> None:
    assert warnings_of(tmp_path, asking, KEYS[1][0]) == []
    assert warnings_of(tmp_path, KEYS[1][0].replace("true", "false")) == []
