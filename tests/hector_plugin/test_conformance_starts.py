"""Ours: the kit starts a plugin no oftener than its checks need."""

import sys
from pathlib import Path

from hector_plugin.conformance import Outcome, Subject, run

PLUGIN = Path(__file__).parents[1] / "support/broken_plugin/main.py"


async def test_gentle_checks_share_the_process_that_was_started_first(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    counted = (
        "sh",
        "-c",
        'echo start >> "$0" && exec "$@"',
        str(starts),
        sys.executable,
        str(PLUGIN),
        "tool",
    )
    report = await run(Subject(command=counted, only=frozenset({"H2", "H3", "H4", "I2", "I3", "TO1"})))
    assert [one.outcome for one in report.verdicts] == [Outcome.PASS] * 6
    assert starts.read_text().split() == ["start"]
