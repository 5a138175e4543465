"""Compiles the tests' own contract before the test modules import it."""

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

_here = Path(__file__).parent
_generated = tempfile.mkdtemp(prefix="hector-echo-")
atexit.register(shutil.rmtree, _generated, ignore_errors=True)
_failed = protoc.main(
    ["protoc", f"-I{_here}", f"--python_out={_generated}", f"--grpc_python_out={_generated}", "echo.proto"]
)
assert not _failed
sys.path.insert(0, _generated)
