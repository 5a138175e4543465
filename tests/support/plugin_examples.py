"""The example plugins in every language: what starts each, built when it is first wanted."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("python", "go", "typescript", "rust", "java")
EXAMPLES = ("tool", "llm", "reasoning", "embedder")
OF_OTHER_KINDS = [
    (language, kind) for language in LANGUAGES for kind in ("database", "parser", "agent", "guardrail")
]
"""What `hector plugin new` begins with as well; what these do in detail is not fixed."""
TOOLCHAIN_MISSING = 3
BUILD_S = 1200
"""A cold build on two busy cores; CI has built everything before the tests begin."""


def command(language: str, example: str) -> tuple[str, ...]:
    """Give what starts an example, without further arguments. Skips the test where it cannot be built."""
    if language == "python":
        return (sys.executable, str(ROOT / "plugins" / "examples" / language / example / "main.py"))
    refusal = _build(language)
    if refusal:
        pytest.skip(refusal)
    return (str(ROOT / "build" / "plugins" / language / example),)


@cache
def _build(language: str) -> str:
    build = [ROOT / "scripts" / "plugins.sh", language]
    done = subprocess.run(build, capture_output=True, text=True, timeout=BUILD_S, check=False)
    if done.returncode == TOOLCHAIN_MISSING and os.environ.get("CI") != "true":
        return done.stderr.strip()
    assert done.returncode == 0, done.stderr
    return ""
