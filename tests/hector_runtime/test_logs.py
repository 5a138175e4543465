"""Log lines for people and for machines."""

import json
import logging

import pytest

from hector_runtime.logs import JsonLines, TextLines, start_logging


def record(**extra):
    made = logging.makeLogRecord(
        {"name": "hector_agent.runs", "levelno": 30, "levelname": "WARNING", "msg": "run failed"}
    )
    vars(made).update(extra)
    return made


def test_a_line_for_people_has_time_level_logger_message_and_facts():
    line = TextLines().format(record(run="r-1", reason="TIMEOUT"))
    assert line[8:] == " WARNING hector_agent.runs: run failed (run=r-1, reason=TIMEOUT)"


def test_a_line_for_machines_is_one_json_object_with_the_facts_beside_the_message():
    line = JsonLines().format(record(run="r-1", folder=object, text="two\nlines"))
    assert "\n" not in line
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == (
        "warning",
        "hector_agent.runs",
        "run failed",
    )
    assert (found["run"], found["text"]) == ("r-1", "two\nlines")
    assert "time" in found


@pytest.mark.parametrize("form", [TextLines, JsonLines])
def test_an_exception_is_logged_with_its_traceback(form):
    try:
        raise ValueError("x")
    except ValueError as error:
        made = record(exc_info=(type(error), error, error.__traceback__))
    assert "Traceback" in form().format(made)
    assert "ValueError: x" in form().format(made)


def test_lines_go_to_standard_error_and_libraries_are_quieter(capsys):
    start_logging("info", "json")
    logging.getLogger("hector_x").info("started", extra={"port": 1})
    logging.getLogger("hector_x").debug("unseen")
    logging.getLogger("grpc.aio").info("unseen")
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["message"] for line in err.splitlines()] == ["started"]
