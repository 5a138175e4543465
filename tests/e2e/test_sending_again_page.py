"""Ours: docs/a2a.md is true about sending again and about limits: its commands, programs and numbers."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from support.processes import Hector

from hector_gateway.config import LimitsConfig

PAGE = Path(__file__).resolve().parents[2] / "docs" / "a2a.md"


def section(heading: str) -> str:
    return PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def fence(heading: str, language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", section(heading), re.MULTILINE | re.DOTALL)
    return found


def run(*command: str) -> str:
    done = subprocess.run(
        command,
        env=os.environ | {"NO_PROXY": "*", "no_grpc_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_sent_again_is_answered_as_the_page_says(hector: Hector) -> None:
    url = hector.serve().url
    command = fence("Sending again safely", "sh").replace("localhost:8080", url.removeprefix("http://"))
    first, again = (json.loads(run("sh", "-c", command))["task"] for _ in range(2))
    assert first == again
    assert first["status"]["state"] == "TASK_STATE_COMPLETED"
    other = json.loads(run("sh", "-c", command.replace("What is a run?", "What is a task?")))["error"]
    assert (other["code"], other["details"][0]["reason"]) == (409, "IDEMPOTENCY_KEY_REUSED")
    with urllib.request.urlopen(f"{url}/agents/assistant", timeout=10) as answer:
        card = json.load(answer)
    address = next(one["url"] for one in card["supportedInterfaces"] if one["protocolBinding"] == "GRPC")
    program = fence("Sending again safely", "python").replace("localhost:50051", address)
    assert run(sys.executable, "-c", program) == "the same task\n"


def test_the_numbers_on_the_page_are_the_defaults() -> None:
    limits = LimitsConfig()
    told = dict(re.findall(r"`(max_\w+)` \(([\w, ]+)\)", section("Limits")))
    assert told == {
        "max_parts": f"{limits.max_parts:,}",
        "max_values": f"{limits.max_values:,}",
        "max_metadata_size": f"{limits.max_metadata_size >> 10} KiB",
        "max_body_size": f"{limits.max_body_size // 10**6} MB",
        "max_streams_per_caller": f"{limits.max_streams_per_caller:,}",
        "max_sends_per_caller": f"{limits.max_sends_per_caller:,}",
        "max_streams": f"{limits.max_streams:,}",
    }
