"""Ours: under a rule that is broken the kit shows what the plugin logged meanwhile, and no secret of it."""

import json
import sys
from pathlib import Path

from hector_plugin.conformance import Outcome, Subject, run
from hector_plugin.conformance.log_lines import HIDDEN, MOST_LINES, log_lines

MISTYPED = """
import logging
from hector_plugin import serve, tool

@tool(read_only=True, idempotent=True)
def up(text: str) -> str:
    "Upper case."
    logging.warning("asked with %s", "s3cr3t-key")
    return text.uper()

serve(name="typo", version="1.0.0")
"""


async def test_a_broken_rule_comes_with_the_plugin_s_own_traceback(tmp_path: Path) -> None:
    program = tmp_path / "main.py"
    program.write_text(MISTYPED)
    told = {"key": "s3cr3t-key"}
    report = await run(
        Subject(
            command=(sys.executable, str(program)),
            only=frozenset({"TO1", "TO3", "TO5"}),
            env={"TYPO_KEY": told["key"]},
        )
    )
    by_id = {verdict.id: verdict for verdict in report.verdicts}
    assert by_id["TO1"].outcome is Outcome.PASS
    assert by_id["TO1"].logged == ()
    for rule in ("TO3", "TO5"):
        shown = "\n".join(by_id[rule].lines())
        assert by_id[rule].outcome is Outcome.FAIL
        assert "AttributeError: 'str' object has no attribute 'uper'" in shown
        assert f"asked with {HIDDEN}" in shown
        assert shown.count("asked with") == 1  # of this rule, and not of the one before it


def test_what_went_wrong_is_shown_before_what_went_on() -> None:
    going = [json.dumps({"@level": "debug", "@message": f"step {number}"}) for number in range(50)]
    wrong = json.dumps({"level": "error", "msg": "no answer", "err": "refused"})
    assert log_lines("\n".join([*going[:25], wrong, *going[25:]])) == ("error: no answer: refused",)
    assert log_lines("\n".join(going))[-1] == "debug: step 49"
    assert len(log_lines("\n".join(going))) == MOST_LINES


def test_plain_lines_and_other_loggers_are_read_too() -> None:
    assert log_lines("[ERROR] thing: broke\nplain") == ("[ERROR] thing: broke",)
    assert log_lines("plain\n\n") == ("plain",)
    assert log_lines('{"severity": "WARNING", "message": "a"}\n[1, 2]') == ("warning: a",)
    assert log_lines("") == ()


def test_secrets_are_hidden_as_they_are_and_as_json_writes_them() -> None:
    line = json.dumps({"@level": "error", "@message": 'key "quoted" and plain'})
    assert log_lines(line, ['"quoted"', "plain "]) == (f"error: key {HIDDEN} and plain",)
    assert log_lines("on and on", ["on"]) == ("on and on",)


async def test_of_a_plugin_that_does_not_start_only_that_is_said(tmp_path: Path) -> None:
    program = tmp_path / "main.py"
    program.write_text("import nothing_of_the_kind")
    report = await run(Subject(command=(sys.executable, str(program)), only=frozenset({"H2", "H8"})))
    assert [(verdict.id, verdict.outcome) for verdict in report.verdicts] == [
        ("H2", Outcome.FAIL),
        ("H8", Outcome.SKIP),
    ]
    assert "nothing_of_the_kind" in report.verdicts[0].came
