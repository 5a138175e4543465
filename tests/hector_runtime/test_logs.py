"""Log lines for people and for machines: facts, and nobody's words."""

import asyncio
import json
import logging
import re
from pathlib import Path

import pytest
from grpc import StatusCode

from hector_mesh import Call, HectorError, scope
from hector_mesh.lines import line
from hector_runtime.log_flood import BURST, EVERY_S, Flood
from hector_runtime.log_lines import Gathered
from hector_runtime.logs import OURS, JsonLines, LogFileUnusable, TextLines, catch_strays, start_logging

SECRET = "sk-planted-0123456789"
log = logging.getLogger("hector_agent.test")


def record(**extra):
    made = logging.makeLogRecord(
        {"name": "hector_agent.runs", "levelno": 30, "levelname": "WARNING", "msg": "run ended"}
    )
    vars(made).update(extra)
    return made


class Refused(HectorError):
    code, reason = StatusCode.INTERNAL, "REFUSED"


def raised(error, cause=None):
    try:
        raise error from cause
    except BaseException as caught:
        return record(exc_info=(type(caught), caught, caught.__traceback__))


def test_a_line_for_people_has_time_level_logger_message_and_facts():
    line = TextLines().format(record(run="r-1", reason="TIMEOUT"))
    assert line[23:] == " WARNING hector_agent.runs: run ended (run=r-1, reason=TIMEOUT)"


def test_a_fact_cannot_pretend_to_be_another_line():
    line = TextLines().format(record(document="a.md)\n2026-01-01 ERROR x: run ended (run=r-2"))
    assert line.count("\n") == 0
    assert "\\n2026" in line


def test_a_line_for_machines_is_one_json_object_with_the_facts_beside_the_message():
    line = JsonLines().format(record(run="r-1", folder=object, text="two\nlines", odd="\ud800", large=2**70))
    assert "\n" not in line
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == (
        "warning",
        "hector_agent.runs",
        "run ended",
    )
    assert (found["run"], found["text"]) == ("r-1", "two\nlines")
    assert "time" in found


@pytest.mark.parametrize("form", [TextLines, JsonLines])
@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"cannot parse {SECRET}"),
        KeyError(SECRET),
        Refused(f"the model refused: {SECRET}"),
        ExceptionGroup(SECRET, [RuntimeError(SECRET), TypeError(SECRET)]),
        raised(RuntimeError(SECRET), cause=ValueError(SECRET)).exc_info[1],
    ],
)
def test_a_traceback_says_where_and_what_kind_but_not_in_which_words(form, error):
    line = form().format(raised(error))
    assert "Traceback" in line
    assert "test_logs.py" in line
    assert type(error).__name__ in line
    assert SECRET not in line


def test_words_that_name_code_or_the_system_only_are_kept():
    assert "has no attribute 'x'" in TextLines().format(raised(AttributeError("'A' has no attribute 'x'")))
    assert "No space left" in TextLines().format(raised(OSError(28, "No space left on device")))
    assert "[REFUSED]" in TextLines().format(raised(Refused("words")))


def test_everything_is_shown_to_who_asks_for_it(monkeypatch):
    monkeypatch.setenv("HECTOR_DEBUG", "1")
    assert SECRET in TextLines().format(raised(ValueError(SECRET)))


def lines_of(capsys):
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_lines_go_to_standard_error_and_libraries_only_warn(capsys):
    start_logging("debug", "json")
    log.debug("seen", extra={"port": 1})
    logging.getLogger("sqlalchemy.engine").info("unseen")
    logging.getLogger("aiohttp.client").debug("unseen")
    logging.getLogger("uvicorn.error").warning("heard")
    assert [line["message"] for line in lines_of(capsys)] == ["seen", "heard"]


def test_lines_below_the_level_are_not_written(capsys):
    start_logging("warn", "json")
    log.info("unseen")
    log.warning("seen")
    assert [line["message"] for line in lines_of(capsys)] == ["seen"]


def test_a_line_says_which_request_it_belongs_to(capsys):
    start_logging("info", "json")
    trace = "0af7651916cd43dd8448eb211c80319c"
    with scope(Call(request_id="r1", traceparent=f"00-{trace}-b7ad6b7169203331-01")):
        log.info("inside")
    log.info("outside")
    inside, outside = lines_of(capsys)
    assert (inside["request_id"], inside["trace_id"]) == ("r1", trace)
    assert "request_id" not in outside


def test_a_file_that_is_moved_away_is_made_again(tmp_path):
    file = tmp_path / "hector.log"
    start_logging("info", "text", file)
    log.info("before")
    file.rename(tmp_path / "hector.log.1")
    log.info("after")
    assert "before" in (tmp_path / "hector.log.1").read_text()
    assert "after" in file.read_text()
    assert "before" not in file.read_text()


def test_a_folder_that_vanishes_costs_lines_and_nothing_else(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    start_logging("info", "text", folder / "hector.log")
    log.info("before")
    (folder / "hector.log").unlink()
    folder.rmdir()
    log.info("lost")
    log.info("lost, too")
    folder.mkdir()
    log.info("after")
    log.info("and so on")
    text = (folder / "hector.log").read_text()
    assert "lost" not in text
    assert "after" in text
    assert "and so on" in text


def test_a_file_that_cannot_be_written_is_an_error_with_the_way_out(tmp_path):
    with pytest.raises(LogFileUnusable, match=r"gone/hector.log: no such file.*--log-file or `logger.file:`"):
        start_logging("info", "text", tmp_path / "gone" / "hector.log")


async def test_what_fails_unheard_is_logged_without_its_words(capsys):
    start_logging("info", "json")
    loop = asyncio.get_running_loop()
    catch_strays(loop)
    try:
        loop.call_exception_handler({"message": "Task was lost", "exception": ValueError(SECRET)})
    finally:
        loop.set_exception_handler(None)
    _, err = capsys.readouterr()
    assert SECRET not in err
    assert json.loads(err)["what"] == "Task was lost"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_hot_failure_is_written_now_and_then_and_counted():
    clock = Clock()
    flood = Flood(clock)
    passed = [flood.filter(record(msg="it failed")) for _ in range(1000)]
    assert passed.count(True) == BURST
    assert flood.filter(record(msg="another failed"))
    clock.now += EVERY_S
    later = record(msg="it failed")
    assert flood.filter(later)
    assert later.held_back == 1000 - BURST


def test_lines_that_stand_for_one_thing_each_are_all_written():
    flood = Flood(Clock())
    assert all(flood.filter(record()) for _ in range(1000))
    assert all(flood.filter(record(msg="document read", levelno=logging.INFO)) for _ in range(1000))


def test_the_level_holds_for_every_package_of_ours():
    tree = Path(__file__).resolve().parents[2]
    packages = {
        path.parent.name
        for folder in ("services", "gateway", "plugins")
        for path in (tree / folder).glob("hector_*/__init__.py")
    }
    assert packages <= set(OURS)


class Written(list[str]):
    """A stream that remembers each write."""

    def write(self, text: str) -> None:
        self.append(text)

    def flush(self) -> None:
        pass


async def test_lines_of_one_turn_of_the_loop_are_one_write():
    stream = Written()
    handler = Gathered(logging.StreamHandler(stream))
    for number in range(3):
        handler.handle(logging.makeLogRecord({"levelno": logging.INFO, "msg": f"line {number}"}))
    assert stream == []
    await asyncio.sleep(0)
    assert stream == ["line 0\nline 1\nline 2\n"]


async def test_a_warning_is_written_at_once_behind_what_came_before_it():
    stream = Written()
    handler = Gathered(logging.StreamHandler(stream))
    handler.handle(logging.makeLogRecord({"levelno": logging.INFO, "msg": "before"}))
    handler.handle(logging.makeLogRecord({"levelno": logging.WARNING, "msg": "look"}))
    assert stream == ["before\nlook\n"]
    await asyncio.sleep(0)
    assert stream == ["before\nlook\n"]


async def test_what_was_gathered_is_written_when_the_handler_is_closed():
    stream = Written()
    handler = Gathered(logging.StreamHandler(stream))
    handler.handle(logging.makeLogRecord({"levelno": logging.INFO, "msg": "the last"}))
    handler.close()
    assert stream == ["the last\n"]


async def test_a_line_from_a_thread_does_not_wait_for_a_loop():
    stream = Written()
    handler = Gathered(logging.StreamHandler(stream))
    line = logging.makeLogRecord({"levelno": logging.INFO, "msg": "from a thread"})
    await asyncio.to_thread(handler.handle, line)
    assert stream == ["from a thread\n"]


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_line_looks_the_same_whether_or_not_it_goes_past_the_machinery(capsys, form):
    start_logging("info", form)
    facts = {"run": "r-1", "duration_ms": 1.5, "words": "two words"}
    with scope(Call(request_id="asked-1", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")):
        log.info("run ended", extra=facts)
        line(log, logging.INFO, "run ended", dict(facts))
        line(log, logging.DEBUG, "run ended", dict(facts))
    logging.root.handlers[0].flush()
    first, second = [
        re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "", text) for text in capsys.readouterr().err.splitlines()
    ]
    assert first == second
    assert "asked-1" in first
    assert "a" * 32 in first


async def test_whoever_else_listens_gets_every_line(capsys, caplog):
    start_logging("info", "text")
    logging.root.addHandler(caplog.handler)
    try:
        line(log, logging.INFO, "run ended", {"run": "r-1"})
        line(log, logging.WARNING, "run ended", {"run": "r-2"})
    finally:
        logging.root.removeHandler(caplog.handler)
    assert [record.run for record in caplog.records] == ["r-1", "r-2"]
    assert capsys.readouterr().err.count("run ended") == 2
