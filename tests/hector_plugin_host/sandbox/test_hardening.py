"""What no confined plugin may do, whatever its configuration says."""

import os
from pathlib import Path

import pytest

from .conftest import Run

_CALLS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)

def call(function, *arguments):
    ctypes.set_errno(0)
    result = getattr(libc, function)(*arguments)
    return "made" if result != -1 else os.strerror(ctypes.get_errno())
"""


async def test_it_makes_no_namespace_mounts_nothing_and_traces_nobody(run: Run) -> None:
    outcome = await run(
        _CALLS
        + """
attempt("namespace", lambda: call("unshare", 0x10000000))
attempt("mount", lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, 0))
attempt("trace", lambda: call("ptrace", 16, os.getppid(), 0, 0))
attempt("keys", lambda: call("syscall", 250 if os.uname().machine == "x86_64" else 219, 0, 0, 0, 0))
attempt("ring", lambda: call("syscall", 425, 1, 0))
attempt("root", lambda: call("chroot", b"/tmp"))
attempt("terminal", lambda: call("ioctl", 0, 0x5412, b"x"))
tell()
"""
    )
    assert outcome.told == dict.fromkeys(outcome.told, "Operation not permitted")
    assert len(outcome.told) == 7


async def test_it_opens_no_other_kind_of_socket(run: Run) -> None:
    outcome = await run(
        """
        kinds = ("machine", 40, 1), ("packet", 17, 3), ("crypto", 38, 5), ("bluetooth", 31, 3)
        for name, family, kind in kinds:
            attempt(name, lambda: socket.socket(family, kind))
        tell()
        """
    )
    assert outcome.told == dict.fromkeys(("machine", "packet", "crypto", "bluetooth"), "!PermissionError")


async def test_it_has_no_privileges_and_gets_none(run: Run) -> None:
    outcome = await run(
        """
        lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
        for name in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp"):
            told[name] = lines[name].strip()
        tell()
        """
    )
    nothing = "0" * 16
    assert outcome.told == {
        "CapEff": nothing,
        "CapPrm": nothing,
        "CapBnd": nothing,
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }


async def test_it_signals_nobody_outside(run: Run) -> None:
    outcome = await run(f"import os; attempt('signal', lambda: os.kill({os.getpid()}, 0)); tell()")
    assert outcome.told["signal"] in ("!PermissionError", "!ProcessLookupError")


async def test_it_gets_the_environment_that_it_was_given_and_no_other(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HECTOR_TEST_SECRET", "theirs")
    outcome = await run("import os; told.update(os.environ); tell()", {"env": {"GIVEN": "ours"}})
    assert outcome.told["GIVEN"] == "ours"
    assert "HECTOR_TEST_SECRET" not in outcome.told
    assert "theirs" not in outcome.told.values()


async def test_it_leaves_no_core_and_opens_no_more_files_than_it_may(run: Run) -> None:
    outcome = await run(
        """
        import resource
        for name in ("CORE", "NOFILE", "FSIZE"):
            attempt(name, lambda: resource.getrlimit(getattr(resource, "RLIMIT_" + name)))
        tell()
        """
    )
    assert outcome.told["CORE"] == [0, 0]
    assert outcome.told["NOFILE"][1] <= 8192
    assert outcome.told["FSIZE"] == [4 << 30, 4 << 30]


async def test_nothing_of_the_host_s_is_open_in_it(run: Run) -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    try:
        outcome = await run(
            """
            import os
            for name in range(3, 256):
                attempt(str(name), lambda: os.readlink(f"/proc/self/fd/{name}"))
            tell()
            """
        )
    finally:
        os.close(read)
        os.close(write)
    opened = [place for place in outcome.told.values() if not place.startswith("!")]
    assert [place for place in opened if not place.startswith("/proc/")] == []


async def test_nothing_that_it_brings_along_is_loaded_by_what_confines_it(run: Run, tmp_path: Path) -> None:
    told = tmp_path / "told"
    told.mkdir()
    env = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(told / "by")}
    await run("tell()", {"env": env}, allowed_paths=(f"{told}:rw",))
    words = "".join(file.read_text() for file in told.iterdir())
    assert words.count("initialize program: ") == 1  # the plugin's, and no other
