"""Ours: what the kit says about a plugin, to people, to programs and to a host that asks for a badge."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from hector_plugin.conformance import (
    CannotStart,
    Level,
    Outcome,
    Report,
    Subject,
    Verdict,
    badge_for,
    file_of,
    kinds_named,
    name_of,
    run,
    subject_of,
    write_badge,
)
from hector_plugin.conformance.__main__ import main

PLUGIN = Path(__file__).parents[1] / "support/broken_plugin/main.py"
GOOD = Verdict("H1", Level.MUST, "it does", Outcome.PASS)
BAD = Verdict("H2", Level.MUST, "it does not", Outcome.FAIL, "the rule", "this", "that\x00<&", "so")
ODD = Verdict("H4", Level.SHOULD, "it hardly does", Outcome.FAIL, "the rule", "this", "that", "so")
LEFT = Verdict("H6", Level.MUST, "it cannot", Outcome.SKIP, why="not here")
REPORT = Report("./plugin", "thing", "1.0.0", ("tool_provider",), False, (GOOD, BAD, ODD, LEFT))


def test_people_get_what_they_need_to_mend_it() -> None:
    text = REPORT.text()
    assert text.splitlines()[0] == "./plugin (thing 1.0.0): tool_provider"
    assert "FAIL H2    MUST   it does not\n             sent: this\n             came: that" in text
    assert "warn H4    SHOULD it hardly does" in text
    assert "skip H6    MUST   it cannot: not here" in text
    assert text.endswith("NOT CONFORMANT: 1 of the rules are broken (1 ok, 1 skipped, 1 warned)")


def test_programs_get_the_same_as_json_and_as_junit() -> None:
    found = json.loads(REPORT.json())
    assert (found["conformant"], found["failed"], found["warned"]) == (False, ["H2"], ["H4"])
    assert [verdict["outcome"] for verdict in found["verdicts"]] == ["pass", "fail", "fail", "skip"]
    suite = ElementTree.fromstring(REPORT.junit())
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "that<&"


def test_a_badge_stands_for_the_very_file_that_was_tested(tmp_path: Path) -> None:
    program = tmp_path / "plugin"
    program.write_text("one")
    assert badge_for(program) is None
    assert file_of(("python", "-u", str(program))) == program
    write_badge(replace(REPORT, verdicts=(GOOD, ODD)), program)
    badge = badge_for(program)
    assert badge is not None
    assert badge.stands_for(program)
    assert (badge.name, badge.version, badge.kinds) == ("thing", "1.0.0", ("tool_provider",))
    program.write_text("two")
    assert not badge.stands_for(program)


def test_a_broken_plugins_badge_stands_for_nothing(tmp_path: Path) -> None:
    program = tmp_path / "plugin"
    program.write_text("one")
    place = write_badge(REPORT, program)
    badge = badge_for(program)
    assert badge is not None
    assert not badge.stands_for(program)
    place.write_text("{}")
    assert badge_for(program) is None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"cofnig": {}}, "'cofnig' is not known (there are: any_model, calls"),
        ({"slow": {"a": {}, "b": {}}}, "`slow` names one tool"),
        ({"calls": ["a"]}, "`calls` is no mapping"),
        ({"slow": 5}, "`slow` is no mapping: 5"),
        ({"slow": {"wait": 3}}, "`slow.wait` is no mapping: 3"),
        ({"calls": {"shout": 3}}, "`calls.shout` is no mapping: 3"),
        ({"env": {"A": 1}}, "`env.A` is no text: 1"),
        ({"model": 3}, "`model` is no text: 3"),
        (["config"], "is no mapping"),
    ],
)
def test_what_a_test_is_told_is_checked(told: Any, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        subject_of(told)
    assert said in str(refused.value)


def test_kinds_go_by_their_names_in_the_config() -> None:
    assert [name_of(kind) for kind in kinds_named(["tool", "llm_provider", "parser"])] == [
        "tool_provider",
        "llm_provider",
        "document_parser",
    ]
    with pytest.raises(ValueError, match="there is no kind 'tol'"):
        kinds_named(["tol"])


@pytest.mark.parametrize("program", ["plugin", "main.py"])
def test_a_badge_is_about_the_program_and_not_about_what_it_is_given(tmp_path: Path, program: str) -> None:
    (tmp_path / program).write_text("the program")
    (tmp_path / "settings.json").write_text("{}")
    command = (str(tmp_path / program), "--settings", str(tmp_path / "settings.json"))
    started = (sys.executable, "-u", *command) if program == "main.py" else command
    assert file_of(started) == tmp_path / program


def test_what_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = [sys.executable, str(PLUGIN), "tool"]
    told = ["--only", "H1", "--junit", str(tmp_path / "absent/out.xml"), "--", *command]
    assert main(told) == 2
    assert "No such file or directory" in capsys.readouterr().err


async def test_a_command_that_is_none_is_no_verdict() -> None:
    with pytest.raises(CannotStart, match="cannot be started: No such file"):
        await run(Subject(command=("./there-is-no-such-plugin",)))
    with pytest.raises(ValueError, match="there is no check 'H99'"):
        await run(Subject(command=("true",), only=frozenset({"H99"})))


async def test_a_plugin_that_does_not_start_is_told_once_and_soon() -> None:
    report = await run(Subject(command=(sys.executable, "-c", "print('hello')"), start_timeout_s=20))
    assert "H2" in [verdict.id for verdict in report.failed]
    skipped = [verdict for verdict in report.verdicts if verdict.outcome is Outcome.SKIP]
    assert {verdict.why for verdict in skipped} == {"it does not start: see H2"}
    assert "the first line it printed is 'hello'" in next(v.came for v in report.failed if v.id == "H2")


async def test_a_configuration_that_is_refused_is_asked_for() -> None:
    command = (sys.executable, str(PLUGIN), "tool", "I8")
    report = await run(Subject(command=command, only=frozenset({"I8", "TO1", "C1"})))
    assert [verdict.id for verdict in report.failed] == ["I8"]
    assert "--config" in report.failed[0].mend
    assert {verdict.why for verdict in report.verdicts if verdict.id != "I8"} == {"see I8"}


def test_the_kit_runs_without_hector(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = [sys.executable, str(PLUGIN), "tool", "TO8"]
    assert main(["--only", "TO8", "--junit", str(tmp_path / "out.xml"), "--", *command]) == 0
    assert "warn TO8" in capsys.readouterr().out
    assert (tmp_path / "out.xml").read_text().startswith("<?xml")
    assert main(["--only", "TO1", "--json", "--", *command[:-1], "TO1"]) == 1
    assert json.loads(capsys.readouterr().out)["failed"] == ["TO1"]
    assert main(["--", "./there-is-no-such-plugin"]) == 2


def test_a_size_that_is_none_is_refused_without_hector_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--max-memory", "much", "--", "true"]) == 2
    assert "'much' is no size (allowed: 512MB, 1GiB)" in capsys.readouterr().err
