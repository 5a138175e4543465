"""The examples in all languages, and Hector's own providers, keep every rule of the conformance kit."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.plugin_examples import EXAMPLES, OF_OTHER_KINDS, command

from hector_plugin.conformance import CHECKS, Outcome, Report, Subject, run

BUILT_INS = Path(__file__).parents[1] / "support/built_ins_plugin.py"
EVERYTHING = frozenset(CHECKS)
OF_A_KIND = frozenset({"H5", "I1", "I2", "I3", "I4", "I5", "U1", "E", "D1", "C1", "S1", "LM", "EM", "RE"})
"""Rules that are not the same for all plugins of an SDK; the others are tried on its tools."""


async def broken(subject: Subject) -> tuple[Report, str]:
    """Test a plugin, and say what is wrong with it."""
    report = await run(subject)
    failed = [verdict for verdict in report.verdicts if verdict.outcome is Outcome.FAIL]
    return report, "\n".join(line for verdict in failed for line in verdict.lines())


@pytest.mark.timeout(300)  # some thirty starts, of a JVM too
@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_keeps_every_rule(example: Callable[[str], tuple[str, ...]], name: str) -> None:
    only = EVERYTHING if name == "tool" else OF_A_KIND
    report, wrong = await broken(Subject(command=example(name), only=only))
    assert not wrong, wrong
    assert report.name == f"example-{name}"
    assert report.count(Outcome.PASS) >= (40 if name == "tool" else 15)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("written_in", "kind"), OF_OTHER_KINDS)
async def test_an_example_of_another_kind_keeps_every_rule(written_in: str, kind: str) -> None:
    only = OF_A_KIND | {"DB", "PA", "AG", "GU"}
    report, wrong = await broken(Subject(command=command(written_in, kind), only=only))
    assert not wrong, wrong
    assert report.name == f"example-{kind}"
    assert report.count(Outcome.PASS) >= 15


@pytest.mark.timeout(300)
async def test_hectors_own_providers_keep_every_rule() -> None:
    subject = Subject(
        command=(sys.executable, str(BUILT_INS)),
        calls={"todo_write": {"todos": [{"id": "1", "content": "Look", "status": "pending"}]}},
        any_model=True,
        only=EVERYTHING,
    )
    report, wrong = await broken(subject)
    assert not wrong, wrong
    assert len(report.kinds) == 6
    assert report.count(Outcome.PASS) >= 75
