"""Holds the contracts of plugins to version 1 as it was frozen in proto/frozen/v1.binpb: [--record] [FOLDER].

Whoever was written against a frozen contract goes on working: nothing of it is taken away, renamed,
renumbered or given another type. `--record` takes what has been added since into the recording, and only
if nothing else has changed. The folder is that with buf.yaml and proto/, by default this repository's.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from record_contracts import FILES

ROOT = Path(__file__).resolve().parents[1]
FROZEN = ROOT / "proto" / "frozen" / "v1.binpb"
COMMON = ("common/v1/filter", "common/v1/message", "common/v1/tool")
"""What the contracts of plugins are made of."""
BUF_S = 60


def main(arguments: list[str] | None = None) -> int:
    """Compare, and record if that is asked for; return buf's code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT)
    parser.add_argument("--record", action="store_true", help="take in what has been added")
    told = parser.parse_args(arguments)
    if FROZEN.exists() and (code := buf(told.folder, "breaking", "--against", str(FROZEN))):
        sys.stderr.write("version 1 of the contracts is frozen: add to it, and change nothing of it\n")
        return code
    if not told.record:
        return 0
    FROZEN.parent.mkdir(exist_ok=True)
    paths = [f"--path=proto/hector/{name}.proto" for name in frozen()]
    return buf(told.folder, "build", "--exclude-source-info", *paths, "-o", str(FROZEN))


def frozen() -> list[str]:
    """Return the files below proto/hector; what these import is frozen with them."""
    return [*COMMON, *(f"{contract}/v1/{file}" for contract, files in FILES.items() for file in files)]


def buf(folder: Path, *arguments: str) -> int:
    """Run buf, which stands beside this Python."""
    program = Path(sys.executable).with_name("buf")
    return subprocess.run([program, *arguments], cwd=folder, timeout=BUF_S, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
