"""The private folders of plugins, and what is left of them by hosts that were killed."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hector_plugin_host.guard import MARK
from hector_plugin_host.scratch import PREFIX, YOUNG_S, scratch_folder, sweep


@pytest.fixture(autouse=True)
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a short path, as pytest's own are not
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def aged(folder: Path) -> Path:
    before = time.time() - 2 * YOUNG_S
    os.utime(folder, (before, before))
    return folder


def left(parent: Path, name: str = "left") -> Path:
    folder = parent / f"{PREFIX}{name}"
    folder.mkdir(mode=0o700)
    (folder / "host.sock").touch()
    return folder


def test_what_a_killed_host_left_is_removed_and_what_a_living_one_holds_is_not(parent: Path) -> None:
    with scratch_folder() as at_work:
        aged(at_work)
        gone, young = aged(left(parent)), left(parent, "young")
        assert sweep() == 1
        assert (gone.exists(), young.exists(), at_work.exists()) == (False, True, True)
    assert not at_work.exists()


def test_a_file_or_a_link_of_such_a_name_is_left_alone(parent: Path) -> None:
    aim = parent / "aim"
    aim.mkdir()
    (parent / f"{PREFIX}link").symlink_to(aim)
    (parent / f"{PREFIX}file").touch()
    aged(parent / f"{PREFIX}file")
    aged(aim)
    assert sweep() == 0
    assert aim.exists()


def test_what_still_runs_in_such_a_folder_is_ended_with_it(parent: Path) -> None:
    gone = aged(left(parent))
    process = subprocess.Popen(["sleep", "60"], env={MARK.decode(): str(gone), "PATH": os.environ["PATH"]})
    try:
        aged(gone)
        assert sweep() == 1
        assert process.wait(10) == -9
    finally:
        process.kill()
        process.wait()
