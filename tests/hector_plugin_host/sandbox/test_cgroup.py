"""Control groups, on a folder that looks like the kernel's: not every machine has real ones."""

from pathlib import Path

import pytest

from hector_plugin_host.sandbox import cgroup


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    return tmp_path


def group(path: Path, *, controllers: str = "cpu memory pids", enabled: str = "", procs: str = "") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "cgroup.controllers").write_text(controllers)
    (path / "cgroup.subtree_control").write_text(enabled)
    (path / "cgroup.procs").write_text(procs)
    return path


def test_version_one_is_not_used(tmp_path: Path) -> None:
    assert cgroup.parent(tmp_path, "/service") is None


def test_groups_are_made_beside_ours_where_what_is_delegated_lies_above(root: Path) -> None:
    service = group(root / "hector.service", enabled="cpu memory")
    group(service / "main", procs="17")
    assert cgroup.parent(root, "/hector.service/main") == service


def test_we_make_room_where_we_stand_in_what_is_delegated(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = group(root / "hector.service", procs="17")
    make = Path.mkdir

    def mkdir(path: Path, *arguments: object, **settings: object) -> None:
        make(path, *arguments, **settings)  # type: ignore[arg-type]
        (path / "cgroup.procs").touch()

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert cgroup.parent(root, "/hector.service") == service
    assert (service / "hector-host" / "cgroup.procs").read_text() == "17"
    assert (service / "cgroup.subtree_control").read_text() == "+cpu +memory"


def test_nothing_is_done_where_memory_is_not_delegated(root: Path) -> None:
    service = group(root / "hector.service", controllers="pids", procs="17")
    assert cgroup.parent(root, "/hector.service") is None
    assert not (service / "hector-host").exists()


def test_the_machine_s_own_group_is_left_alone(root: Path) -> None:
    group(root, enabled="cpu memory")
    assert cgroup.parent(root, "/") is None


def test_a_group_has_the_limits_that_were_asked_for(root: Path) -> None:
    made = cgroup.make(root, "plugin", memory_bytes=64 << 20, cores=1.5)
    read = {path.name: path.read_text() for path in made.path.iterdir()}
    assert read == {
        "memory.max": str(64 << 20),
        "memory.oom.group": "1",
        "memory.swap.max": "0",
        "cpu.max": "150000 100000",
    }


def test_a_group_tells_of_processes_that_were_ended_for_their_memory(root: Path) -> None:
    made = cgroup.make(root, "plugin", memory_bytes=1, cores=0)
    assert not made.ran_out_of_memory()
    (made.path / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    assert not made.ran_out_of_memory()
    (made.path / "memory.events").write_text("low 0\noom 1\noom_kill 2\noom_group_kill 1\n")
    assert made.ran_out_of_memory()
