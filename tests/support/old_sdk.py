"""A Python of its own that has the SDK of A2A 0.3: it cannot stand beside the newest one."""

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "a2a-0.3.txt"
HOME = ROOT / ".cache" / "a2a-sdk-0.3"
UV = Path(sys.executable).with_name("uv")


def python_of_old_sdk() -> str:
    """Return its interpreter; it is made when there is none, or another one, which takes some seconds."""
    HOME.parent.mkdir(exist_ok=True)
    python, stamp = HOME / "bin" / "python", HOME / "locked"
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    with (HOME.parent / "a2a-sdk-0.3.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of one session share it
        if not stamp.is_file() or stamp.read_text() != wanted:
            environment = {**os.environ, **_setup().settings_for_uv()}
            for command in (
                [UV, "venv", "--quiet", "--clear", "--python", sys.executable, HOME],
                [UV, "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", LOCK],
            ):
                subprocess.run(command, env=environment, check=True, timeout=110)
            stamp.write_text(wanted)
    return str(python)


def _setup() -> ModuleType:
    """Return the script that knows where this machine gets packages from."""
    spec = importlib.util.spec_from_file_location("hector_setup", ROOT / "scripts" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
