"""Sandboxes made by somebody who is not root: nobody, where the tests are run by root."""

import asyncio
import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hector_plugin_host.plan import MEBIBYTE

from .conftest import needs

NOBODY = 65534
PACKAGES = (
    *("hector", "hector_mesh", "hector_plugin_host", "grpc", "typing_extensions"),
    *("google.protobuf", "google._upb"),
)
LIMIT_S = 60


@pytest.fixture(scope="session")
def world() -> Iterator[Path]:
    """Make a folder that everybody may read, with the code in it."""
    with tempfile.TemporaryDirectory(prefix="hector-world-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        code = folder / "code"
        (code / "google").mkdir(parents=True)
        for package in PACKAGES:
            module = importlib.import_module(package)
            for place in map(Path, getattr(module, "__path__", None) or [str(module.__file__)]):
                copy = shutil.copy if place.is_file() else _tree
                copy(place, code.joinpath(*package.split(".")[:-1], place.name))
        shutil.copy(Path(__file__).parents[2] / "support" / "confinement.py", code)
        yield folder


@pytest.fixture(scope="session")
def interpreter(world: Path) -> str:
    """Give an interpreter that others may run: ours, or a copy of it."""
    if _runs(sys.executable):
        return sys.executable
    home = world / "python"
    program = Path(sys.executable).resolve()
    (home / "bin").mkdir(parents=True)
    shutil.copy(program, home / "bin" / program.name)
    library = Path(os.__file__).parent
    away = shutil.ignore_patterns("site-packages", "test", "tests", "__pycache__", "idlelib", "config-*")
    shutil.copytree(library, home / "lib" / library.name, ignore=away)
    made = str(home / "bin" / program.name)
    assert _runs(made), "no interpreter that others may run can be made"
    return made


@pytest.fixture(params=["bubblewrap", "landlock"])
def tier(request: pytest.FixtureRequest) -> str:
    needs(request.param)
    return str(request.param)


async def confined_as_nobody(world: Path, interpreter: str, source: str, **security: Any) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(interpreter, "-B", str(world / "code" / "confinement.py")),
        json.dumps({"source": source, "security": security}),
        env={"PATH": os.defpath + ":/usr/sbin", "PYTHONPATH": str(world / "code")},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        **_as_nobody(),
    )
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    outcome: dict[str, Any] = json.loads(out)
    return outcome


async def test_a_user_confines_plugins_as_well(world: Path, interpreter: str, tier: str) -> None:
    outcome = await confined_as_nobody(
        world,
        interpreter,
        """
        lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
        told.update({name: lines[name].strip() for name in ("CapEff", "NoNewPrivs", "Seccomp")})
        told["uid"] = os.getuid()
        attempt("passwords", lambda: open("/etc/shadow").read())
        attempt("packet", lambda: socket.socket(17, 3))
        attempt("outside", lambda: greeted("203.0.113.1", 80))
        attempt("inside", lambda: open(os.environ["TMPDIR"] + "/new", "w").write("x"))
        tell()
        """,
        sandbox=tier,
    )
    told = outcome["told"]
    assert outcome["tier"] == tier
    assert (told["CapEff"], told["NoNewPrivs"], told["Seccomp"]) == ("0" * 16, "1", "2")
    assert told["uid"] == (NOBODY if os.getuid() == 0 else os.getuid())
    assert {told[name][0] for name in ("passwords", "packet", "outside")} == {"!"}
    assert told["inside"] == 1


async def test_a_user_s_plugin_reaches_what_is_listed_even_below_port_1024(
    world: Path, interpreter: str
) -> None:
    needs("bubblewrap")

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"here")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        outcome = await confined_as_nobody(
            world,
            interpreter,
            f"""
            attempt("listed", lambda: greeted("localhost", {port}))
            line = socket.create_connection(("10.1.2.3", 443), 5)
            told["address"] = line.getpeername()
            tell()
            """,
            sandbox="bubblewrap",
            allowed_networks=[f"localhost:{port}", "10.1.2.3:443"],
        )
    assert outcome["told"] == {"listed": "here", "address": ["10.1.2.3", 443]}


async def test_a_user_s_plugin_with_all_networks_reaches_them_and_no_unix_socket(
    world: Path, interpreter: str, tier: str
) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"here")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with open_to_all() as place:
            outcome = await confined_as_nobody(
                world,
                interpreter,
                f"""
                attempt("network", lambda: greeted("127.0.0.1", {port}))
                attempt("file", lambda: socket.socket(socket.AF_UNIX).connect({place!r}))
                tell()
                """,
                sandbox=tier,
                allowed_networks=["*"],
            )
    refused = "!FileNotFoundError" if tier == "bubblewrap" else "!PermissionError"
    assert outcome["told"] == {"network": "here", "file": refused}


async def test_a_user_s_plugin_is_held_to_its_limits(world: Path, interpreter: str, tier: str) -> None:
    outcome = await confined_as_nobody(
        world,
        interpreter,
        """
        import time
        made = 0
        for _ in range(12):
            try:
                if os.fork() == 0:
                    kept = bytearray(60 << 20)
                    time.sleep(60)
                made += 1
            except OSError:
                pass
        print(json.dumps({"made": made}), flush=True)
        time.sleep(60)
        """,
        sandbox=tier,
        max_processes=6,
        max_memory_bytes=200 * MEBIBYTE,
    )
    assert outcome["hits"] == [["memory", True]]
    assert outcome["told"] in ({"made": 5}, {})  # ended for its memory before it could say so


@contextmanager
def open_to_all() -> Iterator[str]:
    """Listen at a socket to which every user of this machine may connect, and give its path."""
    with tempfile.TemporaryDirectory(prefix="h-") as folder, socket.socket(socket.AF_UNIX) as line:
        Path(folder).chmod(0o755)
        place = Path(folder, "socket")
        line.bind(str(place))
        line.listen()
        place.chmod(0o777)
        yield str(place)


def _runs(interpreter: str) -> bool:
    try:
        ended = subprocess.run([interpreter, "-c", ""], cwd="/", capture_output=True, **_as_nobody())
    except PermissionError:
        return False
    return ended.returncode == 0


def _as_nobody() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}


def _tree(place: Path, copy: Path) -> None:
    away = shutil.ignore_patterns("__pycache__", "testing", "tests", "*.pyi")
    shutil.copytree(place, copy, ignore=away, dirs_exist_ok=True)
