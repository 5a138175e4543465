"""What a plugin prints becomes log records: joined, cut, limited, and without secrets."""

import asyncio
import base64
import html
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hector_plugin_host.logs import Journal, Printed
from hector_plugin_host.logs.cutting import CUT, LONGEST_BYTES, Lines
from hector_plugin_host.logs.printed import BURST, TAIL_LINES
from hector_plugin_host.redacting import redacted

PYTHON = """\
Traceback (most recent call last):
  File "/x/plugin.py", line 3, in <module>
    main()
ValueError: no

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/x/plugin.py", line 5, in <module>
    raise KeyError("k")
KeyError: 'k'
"""
GO = """\
panic: runtime error: index out of range [3] with length 1

goroutine 1 [running]:
main.main()
\t/x/main.go:7 +0x1d
exit status 2
"""
JAVA = """\
Exception in thread "main" java.lang.IllegalStateException: no
\tat dev.x.Main.main(Main.java:3)
Caused by: java.io.IOException: disk
\tat dev.x.Main.read(Main.java:9)
\t... 1 more
"""
NODE = """\
TypeError: x is not a function
    at Object.<anonymous> (/x/index.js:1:1)
    at node:internal/main/run_main_module:28:49
"""
RUST = """\
thread 'main' panicked at src/main.rs:2:5:
no
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.time = 0.0
        self.waiting: list[Callable[[], None]] = []

    def now(self) -> float:
        return self.time

    def later(self, delay_s: float, function: Callable[[], None]) -> asyncio.TimerHandle:
        self.waiting.append(function)
        return asyncio.TimerHandle(0, function, (), self.loop)

    def quiet(self) -> None:
        """Let nothing come for a while."""
        waiting, self.waiting = self.waiting, []
        for function in waiting:
            function()

    loop = asyncio.new_event_loop()


@pytest.fixture(autouse=True, scope="module")
def _loop() -> Iterator[None]:
    yield
    Clock.loop.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def listening() -> Iterator[list[logging.LogRecord]]:
    """Collect what is logged of plugins, whatever the tests around it do to logging."""
    seen: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]
    logger = logging.getLogger("hector_plugin_host.plugin")
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield seen
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    with listening() as seen:
        yield seen


def printing(clock: Clock, *secrets: str, journal: Journal | None = None) -> Printed:
    facts = {"plugin": "up", "kind": "tool_provider"}
    printed = Printed(facts, secrets, journal, generation=3, now=clock.now, later=clock.later)
    printed.pid = 42
    return printed


def test_a_record_says_which_plugin_said_it(clock: Clock, records: list[logging.LogRecord]) -> None:
    printing(clock).stderr(b'{"@level":"warn","@message":"slow","took":3,"trace_id":"abc"}\n')
    (record,) = records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "slow")
    facts = vars(record)
    told = {name: facts[name] for name in ("plugin", "kind", "pid", "generation", "trace_id")}
    assert told == {"plugin": "up", "kind": "tool_provider", "pid": 42, "generation": 3, "trace_id": "abc"}
    assert facts["fields"] == {"took": 3, "trace_id": "abc"}


def test_a_line_may_come_in_pieces(clock: Clock, records: list[logging.LogRecord]) -> None:
    printed = printing(clock)
    for piece in (b"[INFO] on", b"e\r\n[ER", b"ROR] two\n"):
        printed.stderr(piece)
    assert [record.getMessage() for record in records] == ["one", "two"]


def test_plain_text_is_for_debugging_and_waits_only_a_moment(
    clock: Clock, records: list[logging.LogRecord]
) -> None:
    printing(clock).stderr(b"just text\n")
    assert not records
    clock.quiet()
    assert [(record.levelno, record.getMessage()) for record in records] == [(logging.DEBUG, "just text")]


@pytest.mark.parametrize(
    ("report", "headline"),
    [
        (PYTHON, "KeyError: 'k'"),
        (GO, "panic: runtime error: index out of range [3] with length 1"),
        (JAVA, 'Exception in thread "main" java.lang.IllegalStateException: no'),
        (NODE, "TypeError: x is not a function"),
        (RUST, "thread 'main' panicked at src/main.rs:2:5:"),
    ],
)
def test_a_traceback_is_one_error_and_the_crash_report(
    clock: Clock, records: list[logging.LogRecord], report: str, headline: str
) -> None:
    printed = printing(clock)
    printed.stderr(b"before\n" + report.encode() + b"[INFO] after\n")
    told = [(record.levelno, record.getMessage()) for record in records]
    assert told == [(logging.DEBUG, "before"), (logging.ERROR, headline), (logging.INFO, "after")]
    assert vars(records[1])["fields"] == {"report": report.rstrip("\n")}
    assert printed.crash_report == report.rstrip("\n")


def test_a_traceback_that_comes_in_pieces_is_one(clock: Clock, records: list[logging.LogRecord]) -> None:
    printed = printing(clock)
    for byte in PYTHON.encode():
        printed.stderr(bytes([byte]))
    printed.close()
    assert [record.getMessage() for record in records] == ["KeyError: 'k'"]


def test_a_line_too_long_is_cut_and_marked(clock: Clock, records: list[logging.LogRecord]) -> None:
    printed = printing(clock)
    printed.stderr(b"[INFO] " + b"x" * 100_000 + b"\n[INFO] next\n")
    clock.quiet()
    long, following = (record.getMessage() for record in records)
    assert long == "x" * (LONGEST_BYTES - len("[INFO] ")) + CUT
    assert following == "next"


def test_ten_megabytes_without_a_line_end_cost_no_more_memory_than_one_line() -> None:
    lines = Lines()
    found = [line for _ in range(160) for line in lines.feed(b"x" * 65_536)]
    assert [len(line) for line in found] == [LONGEST_BYTES + 1]
    assert len(lines._begun) <= LONGEST_BYTES + 1
    assert lines.feed(b"\nnext\n") == [b"next"]
    assert lines.end() == []


@given(st.lists(st.binary(max_size=40)), st.integers(0, 5))
def test_pieces_make_the_same_lines_as_the_whole(pieces: list[bytes], margin: int) -> None:
    one, other = Lines(margin), Lines(margin)
    whole = b"".join(pieces)
    in_pieces = [line for piece in pieces for line in one.feed(piece)] + one.end()
    assert in_pieces == other.feed(whole) + other.end()
    assert b"".join(in_pieces).replace(b"\r", b"") == whole.replace(b"\n", b"").replace(b"\r", b"")


def test_a_flood_is_held_back_and_counted(clock: Clock, records: list[logging.LogRecord]) -> None:
    printed = printing(clock)
    for number in range(BURST + 500):
        printed.stderr(f"[INFO] {number}\n".encode())
    assert len(records) == BURST
    clock.time += 1
    printed.stderr(b"[INFO] later\n")
    left_out, later = records[BURST:]
    assert (left_out.getMessage(), vars(left_out)["count"]) == ("plugin printed more than is kept", 500)
    assert later.getMessage() == "later"
    assert printed.tail()[-2:] == (f"[INFO] {BURST + 499}", "[INFO] later")


SECRET = 's3cr3t/with "quotes" and ünïcode'


@pytest.mark.parametrize(
    "line",
    [
        f"token is {SECRET}!",
        f"[WARN] {SECRET}",
        json.dumps({"level": "info", "msg": f"got {SECRET}"}),
        json.dumps({"level": "info", "msg": "m", "deep": [{"a": {SECRET: [SECRET]}}]}),
        json.dumps({"level": "info", "msg": "m", "escaped twice": json.dumps(SECRET)}),
        f"ValueError: {SECRET!r}",
        "Basic " + base64.b64encode(SECRET.encode()).decode(),
        "GET /?key=s3cr3t%2Fwith%20%22quotes%22%20and%20%C3%BCn%C3%AFcode",
    ],
)
def test_a_secret_is_in_no_record_tail_journal_or_report(
    clock: Clock, records: list[logging.LogRecord], line: str
) -> None:
    journal = Journal()
    printed = printing(clock, SECRET, journal=journal)
    printed.stderr(line.encode() + b"\n")
    printed.stdout(line.encode() + b"\n")
    printed.close()
    assert len(records) == 2
    shown = str([vars(record) for record in records]) + str(printed.tail()) + str(journal.last())
    for spelling in ("s3cr3t", "quotes", base64.b64encode(SECRET.encode()).decode()[:16]):
        assert spelling not in shown
    assert "***" in shown


def test_errors_hide_the_same_spellings_as_the_log() -> None:
    for spelling in (SECRET, json.dumps(SECRET), base64.b64encode(SECRET.encode()).decode()):
        assert (
            redacted(f"bad key {spelling} here", frozenset({SECRET})).replace('"', "") == "bad key *** here"
        )
    assert redacted("ab and abc", frozenset({"ab", ""})) == "ab and abc"
    assert redacted("", frozenset({SECRET})) == ""


KEY = "sk-live/9f8e+7d6c<5b4a"


def wrapped(data: bytes) -> str:
    return base64.encodebytes(data).decode()


@pytest.mark.parametrize("before", ["", "u", "us", "user:", '{"key": "'])
@pytest.mark.parametrize("after", ["", "@", '"}'])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_what_has_a_secret_in_it_does_not_tell_it(
    before: str, after: str, encode: Callable[[bytes], bytes]
) -> None:
    shown = redacted(f"Basic {encode(f'{before}{KEY}{after}'.encode()).decode()} sent", frozenset({KEY}))
    assert re.fullmatch(r"Basic [\w-]*\*\*\*[\w-]{0,4}=* sent", shown), shown


@pytest.mark.parametrize(
    "spelled",
    [
        KEY.encode().hex(),
        KEY.encode().hex().upper(),
        html.escape(KEY),
        json.dumps(KEY).replace("/", "\\/"),
        json.dumps(json.dumps(KEY).replace("/", "\\/")),
        f"{KEY[:9]}\n{KEY[9:]}",
        f"{KEY[:9]}\r\n   {KEY[9:]}",
        wrapped(b"x" * 48 + KEY.encode() + b"x" * 48),
    ],
    ids=["hex", "HEX", "html", "json", "json in json", "lines", "indented lines", "wrapped base64"],
)
def test_a_secret_is_hidden_in_other_spellings_and_over_lines(spelled: str) -> None:
    shown = redacted(f"before\nkey: {spelled} end\nafter", frozenset({KEY}))
    assert "***" in shown
    assert shown.startswith("before\nkey: ")
    assert shown.endswith(" end\nafter")
    for told in (KEY, KEY.encode().hex(), base64.b64encode(KEY.encode()).decode()):
        assert told[:9] not in shown
        assert told[9:] not in shown


def test_a_secret_across_the_place_where_a_line_is_cut_is_hidden(
    clock: Clock, records: list[logging.LogRecord]
) -> None:
    secret = "abcdefghijklmnopqrstuvwxyz"
    for shift in range(len(secret) + 2):
        printed = printing(clock, secret)
        printed.stderr(b"." * (LONGEST_BYTES - shift) + secret.encode() + b"." * 100)
        printed.close()
    assert len(records) == len(secret) + 2
    assert not [record for record in records if "abc" in record.getMessage()]


def test_a_key_with_several_lines_is_hidden_line_by_line(
    clock: Clock, records: list[logging.LogRecord]
) -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nBAQEFAASCBKcwggSjAgEAAo\n-----END KEY-----\n"
    printing(clock, key).stderr(b"[INFO] MIIEvQIBADANBgkqhkiG9w0\n[INFO] BAQEFAASCBKcwggSjAgEAAo\n")
    assert [record.getMessage() for record in records] == ["***", "***"]


def test_what_would_move_a_terminal_is_taken_out(clock: Clock, records: list[logging.LogRecord]) -> None:
    printing(clock).stderr(b"[INFO] \x1b[31mred\x1b[0m\x07 and\x00 so\xe2\x80\xa8on\n")
    assert [record.getMessage() for record in records] == ["red and soon"]


def test_the_tail_is_the_last_lines_cut_to_a_size_that_errors_can_show(clock: Clock) -> None:
    printed = printing(clock)
    for number in range(200):
        printed.stderr(f"{number} {'x' * 1_000}\n\n".encode())
    tail = printed.tail()
    assert len(tail) == TAIL_LINES
    assert tail[-1].startswith("199 x")
    assert max(map(len, tail)) == 500


def test_standard_output_is_for_debugging(clock: Clock, records: list[logging.LogRecord]) -> None:
    printing(clock).stdout(b"stray\n")
    (record,) = records
    assert (record.levelno, record.getMessage()) == (logging.DEBUG, "stray")
    assert vars(record)["fields"] == {"stream": "stdout"}


async def test_a_journal_gives_the_last_lines_and_those_that_come() -> None:
    journal = Journal()
    for number in range(5):
        journal.add(0, logging.INFO, str(number), {}, 1, 7)
    assert [line.text for line in journal.last(2)] == ["3", "4"]
    assert journal.last(0) == []
    following = journal.follow(2)
    async with asyncio.timeout(5):
        assert [(await anext(following)).text, (await anext(following)).text] == ["3", "4"]
        coming = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        journal.add(0, logging.INFO, "5", {}, 2, 8)
        assert (await coming).text == "5"
    await following.aclose()


def test_a_journal_keeps_a_bounded_amount() -> None:
    journal = Journal()
    for _ in range(100):
        journal.add(0, logging.INFO, "x" * 10_000, {}, 1, 7)
    assert sum(len(line.text) for line in journal.last()) <= 256 * 1024


PIECES = st.lists(
    st.one_of(st.binary(max_size=60), st.sampled_from([*PYTHON.encode().splitlines(), GO.encode()]))
)


@given(PIECES)
def test_whatever_is_printed_is_logged_in_one_line_each_and_breaks_nothing(pieces: list[bytes]) -> None:
    with listening() as seen:
        printed = printing(Clock(), "hidden")
        for piece in pieces:
            printed.stderr(piece)
            printed.stderr(b"\n")
        printed.close()
    for record in seen:
        assert "\n" not in record.getMessage()
        assert "\r" not in record.getMessage()
