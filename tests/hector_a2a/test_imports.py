"""Ours: what every process loads must be light."""

import subprocess
import sys

import pytest

HEAVY = {"pydantic", "httpx", "aiohttp", "orjson", "uvicorn", "starlette", "google.api_core", "opentelemetry"}


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("hector_a2a", HEAVY),
        ("hector_a2a.v03", HEAVY),
        ("hector_a2a.v03_grpc", HEAVY - {"orjson"}),
        ("hector_a2a.json_in", HEAVY - {"orjson"}),
        ("hector_a2a.card", HEAVY - {"orjson"}),
        ("hector_a2a.client", HEAVY - {"orjson"}),
        ("hector_gateway.room", HEAVY - {"orjson", "uvicorn", "pydantic"}),
    ],
)
def test_a_module_brings_nothing_heavy_along(module: str, heavy: set[str]) -> None:
    code = f"import sys, {module}; print(*({heavy!r} & sys.modules.keys()))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.split() == []
