"""Makes .venv hold what the locks say, with both wheels installed editable; does nothing when it does.

    python3 scripts/setup.py [run|dev]

`run` is what `hector serve` needs, `dev` adds what tests and lint need. A venv that is broken, was moved or
has another Python is made anew. uv installs (in seconds); where it cannot be had, or finds no
index, pip does. Everything is compiled to bytecode, and so is, each time, what was edited since: a server
starts three times faster from bytecode, and under PYTHONDONTWRITEBYTECODE no import would ever make it.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = {
    "run": ["requirements/build.txt", "requirements/run.txt"],
    "dev": ["requirements/build.txt", "requirements/dev.txt"],
}
UV_LOCK = "requirements/uv.txt"
DESCRIPTIONS = ["pyproject.toml", "plugins/pyproject.toml", "plugins/hatch_build.py"]
SOURCES = ["services", "gateway", "plugins", "proto/gen"]
OLDEST = (3, 11)

UV_SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
"""A setting of pip, and the variable by which uv takes it: uv reads neither pip's files nor its variables."""


def main() -> None:
    """Bring .venv up to date for the purpose named on the command line."""
    purpose = sys.argv[1] if len(sys.argv) > 1 else "dev"
    if purpose not in LOCKS:
        sys.exit(f"setup: {purpose!r} is not a purpose (one of: {', '.join(LOCKS)})")
    if sys.version_info < OLDEST:
        run_with_a_newer_python()
    with Path(__file__).open() as this:
        fcntl.flock(this, fcntl.LOCK_EX)  # two makes at once must not build one venv
        if is_current(purpose):
            compile_to_bytecode(SOURCES)
            return
        if not is_healthy():
            create()
        install(purpose)
        compile_to_bytecode([VENV / "lib", *SOURCES], processes=0)  # 0: one on each core
        stamp(purpose).write_text(fingerprint(purpose))
    print(f"setup: .venv is ready ({purpose})")


def run_with_a_newer_python() -> None:
    """Start this script again with the newest Python on the path, or say what is missing."""
    for minor in (13, 12, 11):
        newer = shutil.which(f"python3.{minor}")
        if newer and subprocess.run([newer, "-c", ""], capture_output=True, check=False).returncode == 0:
            os.execv(newer, [newer, *sys.argv])
    found = sys.version.split()[0]
    sys.exit(
        f"setup: Hector needs Python 3.11 or newer, and this is {found}; name one: make PYTHON=python3.12"
    )


def fingerprint(purpose: str) -> str:
    """Say in one line what an installation for this purpose is made of."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in [*LOCKS[purpose], *DESCRIPTIONS]:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def stamp(purpose: str) -> Path:
    """Name the file that remembers the fingerprint of what is installed."""
    return VENV / f"hector-{purpose}.stamp"


def is_current(purpose: str) -> bool:
    """Tell whether nothing is to be done. What serves development also serves."""
    for wide_enough in (purpose, "dev"):
        mark = stamp(wide_enough)
        if mark.is_file() and mark.read_text() == fingerprint(wide_enough):
            return is_healthy()
    return False


def is_healthy() -> bool:
    """Tell whether .venv runs, has a Python that we support, and was made where it stands."""
    pip = VENV / "bin" / "pip"
    if not pip.is_file() or f"{VENV}/bin/python" not in pip.read_text():
        return False
    probe = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def create() -> None:
    """Make an empty .venv in place of whatever stands there."""
    if VENV.exists():
        print("setup: .venv is broken, moved or too old: making it anew")
        shutil.rmtree(VENV)
    made = subprocess.run([sys.executable, "-m", "venv", VENV], check=False)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit("setup: python3 -m venv failed; on Debian and Ubuntu: apt-get install python3-venv")


def install(purpose: str) -> None:
    """Install the locked packages, then both wheels as links to this tree."""
    for old in LOCKS:
        stamp(old).unlink(missing_ok=True)
    locked = ["--require-hashes", *(word for lock in LOCKS[purpose] for word in ("-r", lock))]
    linked = ["--no-deps", "--no-build-isolation", "-e", "plugins", "-e", "."]
    environment = {**os.environ, **settings_for_uv()}
    if has_uv():
        uv: list[str | Path] = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", PYTHON]
        if all(call([*uv, *words], environment) for words in (locked, linked)):
            return
        print("setup: uv could not install, so pip does (slower)")
    for words in (locked, linked):
        if not call([PYTHON, "-m", "pip", "install", "--quiet", *words], dict(os.environ)):
            sys.exit("setup: pip could not install; its message is above")


def has_uv() -> bool:
    """Install uv from its lock; False where there is none for this machine."""
    words = ["install", "--quiet", "--require-hashes", "-r", UV_LOCK]
    return call([PYTHON, "-m", "pip", *words], dict(os.environ))


def settings_for_uv() -> dict[str, str]:
    """Give uv the index, certificates and limits that pip has here; what is set for uv itself wins."""
    listed = subprocess.run(
        [PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        where, _, value = line.partition("=")
        variable = UV_SETTINGS.get(where.split(".")[-1])
        if variable and (where.startswith(":env:") or variable not in found):
            found[variable] = str(ast.literal_eval(value))
    if "UV_FIND_LINKS" in found:
        places = found["UV_FIND_LINKS"].split()
        found["UV_FIND_LINKS"] = ",".join(place for place in places if "://" in place or Path(place).exists())
    if "UV_INDEX" in found:
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does; the hashes in the lock decide
    return {variable: value for variable, value in found.items() if value and variable not in os.environ}


def compile_to_bytecode(places: Sequence[str | Path], processes: int = 1) -> None:
    """Compile what has changed since the last time; what cannot be compiled says so when it is imported."""
    words: list[str | Path] = [PYTHON, "-m", "compileall", "-qq", "-j", str(processes), *places]
    call(words, {**os.environ, "PYTHONWARNINGS": "ignore"})


def call(command: list[str | Path], environment: dict[str, str]) -> bool:
    """Run a command in the project's folder and tell whether it succeeded."""
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    main()
