"""Which Hector this is: told by the wheel's stamp, else by the clone."""

import json

import pytest

from hector_runtime import build

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def clone(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "STAMP", tmp_path / "build.json")
    monkeypatch.setattr(build, "CLONE", tmp_path)
    (tmp_path / ".git/refs/heads").mkdir(parents=True)
    return tmp_path


def test_a_stamp_says_commit_and_date(clone):
    (clone / "build.json").write_text(json.dumps({"commit": COMMIT, "built": "2026-11-21"}))
    facts = build.build_facts()
    assert (facts["commit"], facts["built"]) == (COMMIT, "2026-11-21")


def test_a_clone_says_where_its_head_is(clone):
    head = clone / ".git/HEAD"
    head.write_text("ref: refs/heads/main\n")
    (clone / ".git/packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/main\n")
    assert build.build_facts()["commit"] == COMMIT
    (clone / ".git/refs/heads/main").write_text(f"{COMMIT[::-1]}\n")
    assert build.build_facts()["commit"] == COMMIT[::-1]
    head.write_text(f"{COMMIT}\n")
    assert build.build_facts()["commit"] == COMMIT


@pytest.mark.parametrize("stamp", ["", "[]", "{", "\udcff"])
def test_what_cannot_be_read_is_left_out(clone, stamp):
    (clone / "build.json").write_text(stamp, encoding="utf-8", errors="surrogateescape")
    assert build.build_facts()["commit"] == ""
    assert build.build_facts()["version"]


def test_a_folder_that_is_no_clone_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "STAMP", tmp_path / "build.json")
    monkeypatch.setattr(build, "CLONE", tmp_path / "nowhere")
    assert build.build_facts()["commit"] == ""
