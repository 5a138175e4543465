"""Ours: the kit finds every rule broken that a plugin breaks, and nothing wrong with one that breaks none."""

import sys
from pathlib import Path

import pytest

from hector_plugin.conformance import CHECKS, Outcome, Subject, Verdict, run
from hector_plugin.conformance.groups import sandbox
from hector_plugin.conformance.groups.load import is_clear

PLUGIN = Path(__file__).parents[1] / "support/broken_plugin/main.py"
KINDS = ("tool", "llm", "database", "embedder", "reasoning", "parser", "agent", "guardrail")
KIND_OF = {
    "LM": "llm",
    "DB": "database",
    "EM": "embedder",
    "RE": "reasoning",
    "PA": "parser",
    "AG": "agent",
    "GU": "guardrail",
}
SLOW = frozenset({"R1", "DB10"})
"""Rules that take thousands of calls; each is tried once, on the plugin that breaks it."""


def subject(kind: str, *rules: str, only: frozenset[str] = frozenset()) -> Subject:
    return Subject(
        command=(sys.executable, str(PLUGIN), kind, *rules),
        only=only,
        start_timeout_s=5.0 if rules else 30.0,
        call_timeout_s=5.0 if rules else 20.0,
        max_memory_bytes=300 << 20,
    )


async def verdict_on(rule: str) -> Verdict:
    kind = KIND_OF.get(rule.rstrip("0123456789"), "tool")
    report = await run(subject(kind, rule, only=frozenset({rule})))
    return next(verdict for verdict in report.verdicts if verdict.id == rule)


@pytest.mark.parametrize("rule", CHECKS)
async def test_a_rule_that_is_broken_is_found_broken(rule: str) -> None:
    verdict = await verdict_on(rule)
    if verdict.outcome is Outcome.SKIP and "bubblewrap" in verdict.why and sys.platform != "linux":
        pytest.skip(verdict.why)
    assert verdict.outcome is Outcome.FAIL, verdict
    assert all((verdict.sent, verdict.came, verdict.rule, verdict.mend)), verdict


def test_a_heap_that_fills_up_before_it_is_swept_is_no_leak_yet() -> None:
    assert not is_clear([size << 20 for size in (58, 61, 73, 83, 98)], [3_000, 11_900, 9_900, 14_900])
    assert not is_clear([size << 20 for size in (58, 90, 160)], [6_700, 14_700])
    assert is_clear([size << 20 for size in (40, 135, 230, 325)], [20_000, 20_000, 20_000])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plugin_that_breaks_no_rule_is_conformant(kind: str) -> None:
    own = {letters for letters, about in KIND_OF.items() if about == kind}
    wanted = frozenset(CHECKS) - SLOW if kind == "tool" else frozenset({"I1", "I2", "U", "E", "D", "C", *own})
    report = await run(subject(kind, only=wanted))
    broken = [verdict for verdict in report.verdicts if verdict.outcome is Outcome.FAIL]
    assert broken == []
    assert report.count(Outcome.PASS) > (40 if kind == "tool" else 10)


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock"])
async def test_a_plugin_that_writes_elsewhere_is_found_by_either_kind_of_confinement(
    tier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "TIERS", {tier: sandbox.TIERS[tier]})
    verdict = await verdict_on("X1")
    if verdict.outcome is Outcome.SKIP and sys.platform != "linux":
        pytest.skip(verdict.why)
    assert verdict.outcome is Outcome.FAIL
    assert f"confined by {tier}" in verdict.sent
    report = await run(subject("tool", only=frozenset({"X1"})))
    assert [one.outcome for one in report.verdicts if one.id == "X1"] == [Outcome.PASS]
