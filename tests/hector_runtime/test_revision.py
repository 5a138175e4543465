"""The key that hides literal secrets in stored configs: the owner's alone, made when one is needed."""

import errno
import logging
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hector_config import Loaded
from hector_runtime.config import Config, load_config
from hector_runtime.revision import KEY_FILE, RevisionKeyUnreadable, revision_id, sealed_config


def loaded(folder: Path, text: str = "llms: {default: {provider: local, api_key: sk-1}}") -> Loaded[Config]:
    file = folder / "hector.yaml"
    file.write_text(text)
    return load_config(file, {})


def test_without_literal_secrets_nothing_is_written(tmp_path: Path) -> None:
    found = loaded(tmp_path, "name: x\n")
    assert sealed_config(found).applicable
    assert revision_id(found) == sealed_config(found).id
    assert not (tmp_path / ".hector").exists()


def test_the_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert revision_id(found) == ""  # nobody has run it: nothing is made to tell
    first = sealed_config(found)
    key = tmp_path / KEY_FILE
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert sealed_config(loaded(tmp_path)) == first
    assert revision_id(found) == first.id
    assert [path.name for path in key.parent.iterdir()] == ["revision.key"]


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        assert len({one.id for one in pool.map(lambda _: sealed_config(found), range(8))}) == 1


@pytest.mark.parametrize("content", ["", "xyz", "ab" * 31])
def test_what_is_no_key_is_told_with_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / ".hector").mkdir()
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(RevisionKeyUnreadable, match=r"it holds no key.*delete it"):
        sealed_config(loaded(tmp_path))


@pytest.mark.parametrize("place", [".hector", "."])
def test_a_file_where_the_folder_should_be_costs_only_the_same_number_after_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    """The database, which would be there too, says what is wrong: the key must not come before it."""
    project = tmp_path / "project"
    project.mkdir()
    found = loaded(project)
    if place == ".":
        (project / "hector.yaml").unlink()
        project.rmdir()
    (project / place).write_text("a file")
    with caplog.at_level(logging.WARNING):
        assert sealed_config(found).id
    assert [vars(record)["file"] for record in caplog.records] == [str(project / KEY_FILE)]


def test_where_nothing_can_be_written_the_start_goes_on_and_the_log_names_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What else cannot be written there, the database first of all, says by itself what to do."""
    found = loaded(tmp_path)
    (tmp_path / ".hector").mkdir()

    def refuse(path: object, *_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "unlink", refuse)
    with caplog.at_level(logging.WARNING):
        assert sealed_config(found).id
    (record,) = caplog.records
    assert vars(record)["file"] == str(tmp_path / KEY_FILE)
    assert vars(record)["error"] == "Read-only file system"
