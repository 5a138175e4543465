"""The table itself: every rule is kept by a test, and every section of the reference has its rules."""

import importlib
import re
from collections import Counter
from pathlib import Path

import pytest
from a2a_rules.table import KEPT, NAMES, RULES, read
from support.doors import DOORS

FOLDER = Path(__file__).parent
SECTIONS = {f"1.{number}" for number in range(2, 16)}


@pytest.fixture(scope="module", autouse=True)
def all_tests_are_loaded() -> None:
    for path in FOLDER.glob("test_*.py"):
        if path.stem != Path(__file__).stem:
            importlib.import_module(f"a2a_rules.{path.stem}")


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_kept_by_a_test(rule: str) -> None:
    assert KEPT.get(rule), f"no test says @keeps({rule!r}): {RULES[rule].promise}"


def test_every_test_of_rules_says_which_it_keeps() -> None:
    """A test that is in no row would not run at all doors."""
    tests = {
        f"{path.name}::{name}"
        for path in FOLDER.glob("test_*.py")
        for name in re.findall(r"^async def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert tests == {test for kept in KEPT.values() for test in kept}


def test_every_section_has_rules() -> None:
    counted = Counter(rule.section for rule in RULES.values())
    assert {*counted} == SECTIONS
    assert sum(counted.values()) > 200


def test_every_door_has_rules_of_every_section_that_is_about_doors() -> None:
    of_doors = {rule.section for rule in RULES.values() if rule.doors == DOORS}
    for door in DOORS:
        missing = of_doors - {rule.section for rule in RULES.values() if door in rule.doors}
        assert not missing, f"{door.__name__} has no rules of {missing}"


def test_a_rule_says_why_it_holds_at_some_doors_only() -> None:
    with pytest.raises(AssertionError, match="say why"):
        read("1.2-x | rpc | A promise.")
    with pytest.raises(AssertionError, match="twice"):
        read("1.2-x | all | A promise.\n1.2-x | all | Another.")
    assert {*NAMES} > {"rpc-1.0", "rest-0.3", "grpc-1.0"}
