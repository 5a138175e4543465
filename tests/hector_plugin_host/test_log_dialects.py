"""A plugin's log lines: level, text and facts, in the dialects that programs have."""

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hector_plugin_host.logs.dialects import Said, level_of, read

D, I, W, E = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR  # noqa: E741  # a table's columns

LINES = {
    # hclog
    '{"@level":"warn","@message":"slow","@timestamp":"2026-01-31T12:00:00.0Z","@module":"pdf","took":3}': (
        Said(W, "slow", {"module": "pdf", "took": 3})
    ),
    '{"@level":"trace","@message":"x"}': Said(D, "x", {}),
    # zap, zerolog, slog, pino, logrus, structlog, python-json-logger
    '{"level":"error","ts":1700000000.1,"caller":"a/b.go:1","msg":"no","err":"eof"}': (
        Said(E, "no", {"caller": "a/b.go:1", "err": "eof"})
    ),
    '{"level":"info","time":"2026-01-31T12:00:00Z","message":"hi","n":1}': Said(I, "hi", {"n": 1}),
    '{"time":"2026-01-31T12:00:00Z","level":"ERROR+2","msg":"bad"}': Said(E, "bad", {}),
    '{"level":30,"time":1700000000000,"pid":7,"msg":"served"}': Said(I, "served", {"pid": 7}),
    '{"level":50,"msg":"boom"}': Said(E, "boom", {}),
    '{"level":"warning","msg":"w","time":"t"}': Said(W, "w", {}),
    '{"event":"started","level":"debug","timestamp":"t"}': Said(D, "started", {}),
    '{"levelname":"CRITICAL","message":"dead","asctime":"t"}': Said(E, "dead", {}),
    '{"severity":"NOTICE","message":"m"}': Said(I, "m", {}),
    '{"msg":"of no level"}': Said(I, "of no level", {}),
    # logfmt
    'time="2026-01-31T12:00:00Z" level=warning msg="two words" path=/x n=3': (
        Said(W, "two words", {"path": "/x", "n": "3"})
    ),
    r'level=INFO msg="said \"so\"" a="b c"': Said(I, 'said "so"', {"a": "b c"}),
    # [LEVEL]
    "[ERROR] it broke": Said(E, "it broke", {}),
    "2026-01-31T12:00:00.000Z [INFO]  pdf: opened": Said(I, "pdf: opened", {}),
    "2026/01/31 12:00:00 [DEBUG] plain": Said(D, "plain", {}),
    "[warn]: low": Said(W, "low", {}),
    # others
    "WARNING:root:careful": Said(W, "careful", {"module": "root"}),
    "2026-01-31 12:00:00,123 - ERROR - oh": Said(E, "oh", {}),
    "2026-01-31 12:00:00.123 INFO  c.e.App : up": Said(I, "c.e.App : up", {}),
    "I0131 12:00:00.000000    7 server.go:12] listening": Said(I, "listening", {"caller": "server.go:12"}),
    "E0000 00:00:1700000000.000000     7 ssl.cc:3] failed": Said(E, "failed", {"caller": "ssl.cc:3"}),
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_understood(line: str) -> None:
    assert read(line) == LINES[line]


@pytest.mark.parametrize(
    "line",
    [
        "just text",
        "",
        "[1/3] building",
        "[not a level] text",
        '{"no": "message"}',
        '{"message": 3}',
        "{broken}",
        "[" * 5_000 + "]" * 5_000,
        '{"msg":' + "[" * 5_000 + "]" * 5_000 + "}",
        "level=high msg=x",
    ],
)
def test_what_is_in_no_dialect_is_just_text(line: str) -> None:
    assert read(line) is None


@pytest.mark.parametrize("value", [True, None, [], "loud", float("nan"), float("inf"), -1, 10**400, "", 0])
def test_what_is_no_level_is_none(value: object) -> None:
    assert level_of(value) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["@level", "level", "msg", "@message", "message", "time", "severity", "x"])


@given(st.one_of(st.text(max_size=300), st.dictionaries(KEYS, JSON, max_size=5).map(json.dumps)))
def test_whatever_is_printed_is_understood_or_just_text(line: str) -> None:
    said = read(line)
    if said is not None:
        assert said.level in (D, I, W, E)
        assert isinstance(said.text, str)
        assert all(isinstance(name, str) for name in said.fields)
