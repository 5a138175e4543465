"""What docs/faults.md promises to be in messages and logs is in the code."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
VARIABLES = {"OPENAI_API_KEY", "TASK_STATE_FAILED"}


def code() -> Iterator[str]:
    for folder in ("services", "gateway"):
        for file in (ROOT / folder).rglob("*.py"):
            yield file.read_text(encoding="utf-8")


def test_every_reason_and_every_log_line_of_the_page_of_faults_is_in_the_code() -> None:
    reasons = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", PAGE)) - VARIABLES
    lines = set(re.findall(r"`([a-z]+(?: [a-z]+){2,})`", PAGE))
    assert "MODEL_AUTH" in reasons
    assert "batch was not written" in lines
    wanted = {f'"{word}"' for word in reasons} | {f'"{line}' for line in lines}
    for text in code():
        wanted = {word for word in wanted if word not in text}
    assert wanted == set()
