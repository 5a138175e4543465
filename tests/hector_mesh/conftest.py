"""Compiles the tests' own contract before the test modules import it."""

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from grpc_tools import protoc

from hector_mesh import tracing

_here = Path(__file__).parent
_generated = tempfile.mkdtemp(prefix="hector-echo-")
atexit.register(shutil.rmtree, _generated, ignore_errors=True)
_failed = protoc.main(
    ["protoc", f"-I{_here}", f"--python_out={_generated}", f"--grpc_python_out={_generated}", "echo.proto"]
)
assert not _failed
sys.path.insert(0, _generated)


@pytest.fixture(params=["plain", "traced"])
def with_and_without_tracing(request):
    """Runs a test twice: what interceptors wrap must behave like what they wrap."""
    if request.param == "traced":
        from opentelemetry.sdk.trace import TracerProvider

        tracing.enable(TracerProvider())
    yield
    tracing.disable()
