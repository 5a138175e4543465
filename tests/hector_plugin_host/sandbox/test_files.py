"""What a confined plugin sees of the machine's files, in both kinds of sandbox."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from support.confinement import ATTEMPTS

from hector_plugin_host.sandbox import SandboxRefused
from hector_plugin_host.sandbox.runtimes import homes_of

from .conftest import Run


async def test_it_reads_its_own_folder_and_the_system_s_programs(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    folder.mkdir()
    (folder / "words.txt").write_text("ours")
    (folder / "beside.py").write_text("name = 'imported'")
    outcome = await run(
        """
        import subprocess
        attempt("beside", lambda: __import__("beside").name)
        attempt("folder", lambda: open("words.txt").read())
        attempt("program", lambda: subprocess.run(["/bin/echo", "run"], capture_output=True).stdout.decode())
        attempt("random", lambda: len(open("/dev/urandom", "rb").read(4)))
        attempt("null", lambda: open("/dev/null", "w").write("x"))
        attempt("maps", lambda: len(open("/proc/self/maps").read()) > 100)
        tell()
        """
    )
    assert outcome.told == {
        "beside": "imported",
        "folder": "ours",
        "program": "run\n",
        "random": 4,
        "null": 1,
        "maps": True,
    }


async def test_it_reads_nothing_of_others(run: Run, tmp_path: Path) -> None:
    (tmp_path / "neighbour").mkdir()
    (tmp_path / "neighbour" / "secret").write_text("theirs")
    home = Path.home() / ".hector-sandbox-test"
    home.write_text("theirs")
    try:
        outcome = await run(
            f"""
            import os
            attempt("passwords", lambda: open("/etc/shadow").read())
            attempt("neighbour", lambda: open({str(tmp_path / "neighbour" / "secret")!r}).read())
            attempt("home", lambda: open({str(home)!r}).read())
            attempt("keys", lambda: os.listdir("/etc/ssl/private"))
            attempt("variables", lambda: open("/proc/{os.getpid()}/environ").read())
            attempt("arguments", lambda: open("/proc/{os.getpid()}/cmdline").read())
            attempt("host", lambda: os.listdir("/proc/{os.getpid()}/root"))
            tell()
            """
        )
    finally:
        home.unlink()
    assert {name: value[0] for name, value in outcome.told.items()} == dict.fromkeys(outcome.told, "!")
    assert len(outcome.told) == 7


async def test_what_is_hidden_in_its_folder_is_not_read(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "plugin"
    (folder / ".hector").mkdir(parents=True)
    (folder / ".env").write_text("KEY=secret")
    (folder / ".hector" / "hector.db").write_text("secret")
    (folder / "hector.yaml").write_text("secret")
    (folder / "words.txt").write_text("ours")
    outcome = await run(
        """
        for name in (".env", ".hector/hector.db", "hector.yaml", "words.txt"):
            attempt(name, lambda: open(name).read())
        tell()
        """,
        {"hidden": (folder / "hector.yaml",)},
    )
    hidden = [name for name, value in outcome.told.items() if value.startswith("!")]
    assert hidden == [".env", ".hector/hector.db", "hector.yaml"]
    assert outcome.told["words.txt"] == "ours"


async def test_what_is_to_be_hidden_and_comes_later_is_hidden(run: Run, tmp_path: Path) -> None:
    folder, out = tmp_path / "plugin", tmp_path / "out"
    (folder / "kept").mkdir(parents=True)
    (folder / "kept" / "words.txt").write_text("ours")
    (folder / "runs.db").write_text("secret")
    out.mkdir()

    async def write() -> None:
        while not (out / "running").exists():  # noqa: ASYNC110  # another process makes it
            await asyncio.sleep(0.01)
        for name in ("runs.db-wal", "kept/index"):
            (folder / name).write_text("secret")
        (out / "written").touch()

    source = f"""
        import time
        open({str(out / "running")!r}, "w").close()
        while not os.path.exists({str(out / "written")!r}):
            time.sleep(0.01)
        for name in ("runs.db", "runs.db-wal", "kept/index", "kept/words.txt"):
            attempt(name, lambda: open(name).read())
        tell()
    """
    names = ("runs.db", "runs.db-wal", "runs.db-journal", "kept/index")
    plan = {"hidden": tuple(folder / name for name in names)}
    outcome, _ = await asyncio.gather(run(source, plan, allowed_paths=(f"{out}:rw",)), write())
    assert [name for name, value in outcome.told.items() if value == "ours"] == ["kept/words.txt"]
    assert "secret" not in outcome.told.values()
    assert (folder / "runs.db-wal").exists()


async def test_it_writes_where_it_was_told_to_and_nowhere_else(run: Run, tmp_path: Path) -> None:
    for name in ("in", "out", "kept"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "read").write_text("given")
    outcome = await run(
        f"""
        import os
        def write(path):
            with open(path, "w") as file:
                return file.write("x")
        attempt("read", lambda: open({str(tmp_path / "in" / "read")!r}).read())
        attempt("in", lambda: write({str(tmp_path / "in" / "new")!r}))
        attempt("change", lambda: write({str(tmp_path / "in" / "read")!r}))
        attempt("out", lambda: write({str(tmp_path / "out" / "new")!r}))
        attempt("kept", lambda: write({str(tmp_path / "kept" / "new")!r}))
        attempt("temporary", lambda: write(os.environ["TMPDIR"] + "/new"))
        attempt("own", lambda: write("new"))
        attempt("system", lambda: write("/usr/new"))
        attempt("beside", lambda: write({str(tmp_path / "new")!r}))
        tell()
        """,
        {"data_dir": tmp_path / "kept"},
        allowed_paths=(str(tmp_path / "in"), f"{tmp_path / 'out'}:rw"),
    )
    written = [name for name, value in outcome.told.items() if value == 1 and name != "beside"]
    assert written == ["out", "kept", "temporary"]
    assert not (tmp_path / "new").exists()  # what it writes below a /tmp of its own is in nobody else's
    assert outcome.told["read"] == "given"
    assert (tmp_path / "out" / "new").read_text() == "x"
    assert (tmp_path / "in" / "read").read_text() == "given"


async def test_a_link_leads_no_further_than_its_target_is_allowed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "secret").write_text("theirs")
    (tmp_path / "given" / "link").symlink_to(tmp_path / "secret")
    outcome = await run(
        f"""
        attempt("link", lambda: open({str(tmp_path / "given" / "link")!r}).read())
        attempt("around", lambda: open({str(tmp_path / "given" / ".." / "secret")!r}).read())
        tell()
        """,
        allowed_paths=(str(tmp_path / "given"),),
    )
    assert [value[0] for value in outcome.told.values()] == ["!", "!"]


@pytest.mark.parametrize("within", ["", "tools"])
async def test_a_script_in_a_home_is_shown_without_those_beside_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within: str
) -> None:
    home = tmp_path / "plugin"
    monkeypatch.setenv("HOME", str(home))
    script = home / within / "script.py"
    beside = script.with_name("beside.py")
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(
        ATTEMPTS
        + f"attempt('diary', lambda: open({str(home / 'diary')!r}).read())\n"
        + f"attempt('beside', lambda: open({str(beside)!r}).read())\n"
        + "tell()\n"
    )
    (home / "diary").write_text("theirs")
    beside.write_text("ours")
    outcome = await run("", plan={"command": (sys.executable, str(script))})
    assert outcome.code == 0
    assert outcome.told["diary"].startswith("!")
    assert outcome.told["beside"].startswith("!") is not bool(within)


async def test_paths_are_relative_to_its_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "read").write_text("given")
    outcome = await run(
        "attempt('read', lambda: open('../data/read').read()); tell()", allowed_paths=("../data:ro",)
    )
    assert outcome.told == {"read": "given"}


async def test_a_path_that_is_not_there_is_refused_before_anything_starts(run: Run, tmp_path: Path) -> None:
    with pytest.raises(SandboxRefused, match=f"names {tmp_path}/missing, which is not there; make it"):
        await run("tell()", allowed_paths=(str(tmp_path / "missing"),))


async def test_its_data_may_lie_in_what_is_hidden(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "plugin" / ".hector" / "plugins" / "tried"
    data.mkdir(parents=True)
    (data.parent.parent / "hector.db").write_text("secret")
    outcome = await run(
        f"""
        import os
        attempt("data", lambda: open({str(data / "new")!r}, "w").write("x"))
        attempt("home", lambda: os.environ["HOME"])
        attempt("secret", lambda: open(".hector/hector.db").read())
        tell()
        """,
        {"data_dir": data},
    )
    assert outcome.told["data"] == 1
    assert outcome.told["home"] == str(data)
    assert outcome.told["secret"].startswith("!")


async def test_programs_of_an_environment_run_with_their_packages(run: Run) -> None:
    outcome = await run("attempt('package', lambda: __import__('grpc').__name__); tell()")
    assert outcome.told == {"package": "grpc"}


async def test_what_it_brings_along_shows_it_nothing_of_others(run: Run, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "bin").mkdir(parents=True)
    (theirs / "secret").write_text("theirs")
    (theirs / "bin" / "tool").write_text(f"#!{sys.executable}\n")
    environment = tmp_path / "plugin" / "environment"
    packages = environment / "lib" / "python3" / "site-packages"
    packages.mkdir(parents=True)
    (environment / "bin").mkdir()
    (environment / "bin" / "python").symlink_to(sys.executable)
    (environment / "pyvenv.cfg").write_text(f"home = {theirs / 'bin'}\n")
    (packages / "links.pth").write_text(f"{theirs}\n")
    program = tmp_path / "plugin" / "plugin.py"
    source = f"attempt('secret', lambda: open({str(theirs / 'secret')!r}).read()); tell()"
    outcome = await run(source, {"command": (str(environment / "bin" / "python"), str(program))})
    assert outcome.told["secret"].startswith("!")


def test_a_first_line_or_a_link_shows_the_home_of_an_interpreter_alone(tmp_path: Path) -> None:
    folder, theirs = tmp_path / "plugin", tmp_path / "theirs"
    for place in (folder, theirs / "app" / "bin", theirs / "node" / "bin"):
        place.mkdir(parents=True)
    tool, node = theirs / "app" / "bin" / "tool", theirs / "node" / "bin" / "node"
    script, link = folder / "script", folder / "link"
    link.symlink_to(tool)
    for interpreter, shown in ((tool, tool), (node, theirs / "node")):
        interpreter.touch()
        script.write_text(f"#!{interpreter}\n")
        assert shown in homes_of((str(script),), "", folder)
    assert tool in homes_of((str(link),), "", folder)
    assert theirs / "app" not in {*homes_of((str(script),), "", folder), *homes_of((str(link),), "", folder)}
    assert theirs / "app" in homes_of((str(tool),), "", folder)  # named by the configuration
