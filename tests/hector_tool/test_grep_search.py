"""`grep_search`: matching lines in order, within bounds of time, size and folder."""

import asyncio
import itertools
import json
import random
import re
import threading
import time
from types import SimpleNamespace

import grpc
import pytest
from grpc import StatusCode

from hector.tool.v1 import ExecuteToolRequest
from hector_tool import grep_search as grep
from hector_tool import walk
from hector_tool.matching import matching_lines
from hector_tool.regex import PatternInvalid, compiled


def places(said) -> list[tuple[str, int]]:
    return [(match["path"], match["line"]) for match in json.loads(said.structured_json)["matches"]]


async def test_matches_come_with_file_line_and_context(every, call):
    said = await call(every, "grep_search", pattern="gam+a", context_lines=1)
    assert said.success
    assert said.result.startswith(
        "1 matching line in 1 file:\n\ndocs/guide.md\n2- beta\n3: gamma\n4- alpha again\n\n["
    )
    assert json.loads(said.structured_json) == {
        "matches": [{"path": "docs/guide.md", "line": 3, "text": "gamma"}], "total": 1, "complete": True,
    }  # fmt: skip


async def test_files_are_searched_in_order_of_their_names(every, call):
    assert places(await call(every, "grep_search", pattern="alpha")) == [
        ("docs/deep/note.txt", 1), ("docs/guide.md", 1), ("docs/guide.md", 4),
    ]  # fmt: skip


async def test_neighbouring_matches_share_their_context(every, call, project):
    (project / "many.txt").write_text("".join(f"{n} {'hit' * (n in (3, 5, 12))}\n" for n in range(1, 16)))
    said = await call(every, "grep_search", pattern="hit", path="many.txt", context_lines=1)
    body = said.result.split("many.txt\n")[1].split("\n\n[")[0].splitlines()
    assert [line.split()[0] for line in body] == ["2-", "3:", "4-", "5:", "6-", "--", "11-", "12:", "13-"]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"path": "docs/guide.md"}, {"docs/guide.md"}),
        ({"path": "docs"}, {"docs/guide.md", "docs/deep/note.txt"}),
        ({"path": "docs", "recursive": False}, {"docs/guide.md"}),
        ({"file_pattern": "*.txt"}, {"docs/deep/note.txt"}),
        ({"file_pattern": "docs/*"}, {"docs/guide.md"}),
        ({"file_pattern": "**/*.md"}, {"docs/guide.md"}),
        ({"file_pattern": "docs/**"}, {"docs/guide.md", "docs/deep/note.txt"}),
        ({"file_pattern": "*.{txt,md}"}, {"docs/guide.md", "docs/deep/note.txt"}),
        ({"file_pattern": "[!n]*.??"}, {"docs/guide.md"}),
        ({"file_pattern": "guide"}, set()),
        ({"path": "docs", "file_pattern": "deep/*"}, {"docs/deep/note.txt"}),
    ],
)
async def test_only_the_files_asked_for_are_searched(every, call, arguments, found):
    said = await call(every, "grep_search", pattern="alpha", **arguments)
    assert {path for path, _ in places(said)} == found


async def test_case_counts_unless_it_is_told_not_to(every, call, project):
    (project / "case.txt").write_text("ÄPFEL\n")
    assert not places(await call(every, "grep_search", pattern="äpfel"))
    assert places(await call(every, "grep_search", pattern="äpfel", case_insensitive=True))


async def test_nothing_found_says_where_it_looked(every, call):
    said = await call(every, "grep_search", pattern="zebra", path="docs", file_pattern="*.md")
    assert said.success
    assert said.result == "Nothing in docs matches 'zebra' in files like *.md.\n[1 files searched.]"


async def test_more_matches_than_asked_for_are_said_to_be_there(every, call, project):
    (project / "many.txt").write_text("hit\n" * 500)
    said = await call(every, "grep_search", pattern="hit", max_results=7)
    assert len(places(said)) == 7
    assert "Only the first 7 matching lines are shown" in said.result
    assert json.loads(said.structured_json)["complete"] is False


async def test_the_operator_may_allow_fewer(serve, call, project):
    tools = await serve({"grep_search": {"max_results": 2}})
    (project / "many.txt").write_text("hit\n" * 500)
    assert len(places(await call(tools, "grep_search", pattern="hit"))) == 2


async def test_the_answer_keeps_to_its_size_and_shows_what_it_counts(serve, call, project):
    tools = await serve({"grep_search": {"max_output_size": "8KiB"}})
    (project / "many.txt").write_text("".join(f"hit {n} {'ü' * 90}\n" for n in range(500)))
    said = await call(tools, "grep_search", pattern="hit", max_results=1000, context_lines=0)
    assert len(said.result.encode()) <= 8 << 10
    assert "too long to show" in said.result
    assert len(places(said)) == len(re.findall(r"^\d+: hit", said.result, re.M))


async def test_what_is_no_text_too_large_or_made_by_programs_is_left_out(serve, call, project):
    tools = await serve({"grep_search": {"max_file_size": "1KB"}})
    (project / "binary").write_bytes(b"alpha\0alpha")
    (project / "large").write_text("alpha\n" * 1000)
    for folder in (".git", "node_modules", ".hector", "__pycache__"):
        (project / folder).mkdir()
        (project / folder / "file.txt").write_text("alpha")
    said = await call(tools, "grep_search", pattern="alpha")
    assert {path for path, _ in places(said)} == {"docs/guide.md", "docs/deep/note.txt"}
    assert "Left out: 1 binary, 1 larger than 1,000 bytes." in said.result


async def test_a_folder_made_by_programs_is_searched_when_asked_for_by_name(every, call, project):
    (project / "node_modules" / "left-pad").mkdir(parents=True)
    (project / "node_modules" / "left-pad" / "index.js").write_text("alpha")
    said = await call(every, "grep_search", pattern="alpha", path="node_modules")
    assert places(said) == [("node_modules/left-pad/index.js", 1)]


async def test_links_below_the_folder_are_not_followed(every, call, project):
    (project / "again").symlink_to("docs")
    (project / "round").symlink_to(".")
    (project / "guide-too.md").symlink_to("docs/guide.md")
    said = await call(every, "grep_search", pattern="alpha")
    assert {path for path, _ in places(said)} == {"docs/guide.md", "docs/deep/note.txt"}


async def test_odd_encodings_and_line_breaks_are_searched(every, call, project):
    (project / "a.txt").write_bytes(b"first\r\nzebra end\r\n")
    (project / "b.txt").write_bytes("zebra end".encode("utf-16"))
    (project / "c.txt").write_bytes(b"\xef\xbb\xbfzebra end")
    (project / "d.txt").write_bytes(b"caf\xe9 zebra end")
    said = await call(every, "grep_search", pattern="zebra end$", context_lines=0)
    assert places(said) == [("a.txt", 2), ("b.txt", 1), ("c.txt", 1), ("d.txt", 1)]
    assert places(await call(every, "grep_search", pattern="^zebra")) == [
        ("a.txt", 2),
        ("b.txt", 1),
        ("c.txt", 1),
    ]


async def test_names_that_are_no_utf_8_do_not_stop_a_search(every, call, project):
    (project / "docs" / "bad-\udcff.md").write_text("alpha")
    said = await call(every, "grep_search", pattern="alpha", file_pattern="*.md")
    assert ("docs/guide.md", 1) in places(said)


async def test_a_very_long_line_is_shown_around_its_match(every, call, project):
    (project / "min.js").write_text("x" * 50_000 + "needle" + "y" * 50_000)
    (match,) = json.loads((await call(every, "grep_search", pattern="needle")).structured_json)["matches"]
    assert "needle" in match["text"]
    assert len(match["text"]) < 500


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "(a", "*", "(?<!x)y", "[z-a]", "a{2,1}"])
async def test_a_pattern_that_cannot_be_run_safely_is_refused_with_the_reason(every, call, pattern):
    with pytest.raises(grpc.aio.AioRpcError, match=r'"pattern".*allowed: regular expressions as RE2'):
        await call(every, "grep_search", pattern=pattern)


@pytest.mark.parametrize("glob", ["{a,b", "[z-a]x"])
async def test_a_glob_that_is_none_is_refused(every, call, glob):
    with pytest.raises(grpc.aio.AioRpcError, match='"file_pattern"'):
        await call(every, "grep_search", pattern="a", file_pattern=glob)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*a){20}b", "([a-z]+)*[0-9]x"])
async def test_a_pattern_made_to_run_for_ever_does_not(every, call, project, pattern):
    (project / "aaa.txt").write_text(("a" * 5000 + "\n") * 40)
    async with asyncio.timeout(10):
        await call(every, "grep_search", pattern=pattern, context_lines=0)


async def test_time_that_is_up_leaves_what_was_found(every, call, monkeypatch):
    looks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 0.0 if next(looks) < 7 else 1000.0)
    monkeypatch.setattr(grep, "time", clock)
    said = await call(every, "grep_search", pattern="alpha|Title")
    assert said.success
    assert places(said) == [("docs/deep/note.txt", 1)]
    assert "The time was up" in said.result
    assert json.loads(said.structured_json)["complete"] is False


async def test_a_caller_that_leaves_stops_the_search(every, project, monkeypatch):
    entered, left, finished = threading.Event(), threading.Event(), threading.Event()
    seen, stops, search = [], [], grep._Search.run

    def opened(name, folder, is_folder):
        seen.append(name)
        entered.set()
        left.wait(10)

    def run(self, folder, stop):
        stops.append(stop)
        try:
            return search(self, folder, stop)
        finally:
            finished.set()

    monkeypatch.setattr(walk, "_opened", opened)
    monkeypatch.setattr(grep._Search, "run", run)
    for number in range(50):
        (project / f"file-{number}").write_text("x")
    searching = every.ExecuteTool(ExecuteToolRequest(tool="grep_search", parameters_json='{"pattern": "x"}'))
    running = asyncio.ensure_future(searching.code())
    assert await asyncio.to_thread(entered.wait, 10)
    searching.cancel()
    assert await running is StatusCode.CANCELLED
    assert await asyncio.to_thread(stops[0].wait, 10)
    left.set()
    assert await asyncio.to_thread(finished.wait, 10)
    assert len(seen) == 1


async def test_a_search_does_not_hold_up_the_loop(every, call, project):
    (project / "large.txt").write_text("some words and more of them\n" * 200_000)
    searching = asyncio.ensure_future(call(every, "grep_search", pattern="([a-z]+ )*zebra[0-9]$"))
    longest, last = 0.0, time.monotonic()
    while not searching.done():
        await asyncio.sleep(0.001)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    assert (await searching).success
    assert longest < 0.25


PATTERNS = [
    "a",
    "^b",
    "a$",
    "^$",
    r"a\s*b",
    "[^a]",
    "[^a]*b",
    ".*",
    "(a|b)c",
    r"\bab",
    "(?i)AB",
    "x*",
    r"a\nb",
    "a b",
    r"\Aa",
    "ü",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_lines_match_as_if_each_stood_alone(pattern):
    """Checked against Python's own `re`, line by line."""
    chance = random.Random(pattern)
    regex = compiled(pattern, lines=True)
    for _ in range(300):
        text = "".join(
            chance.choice(["a", "b", "c", " ", "\n", "ü", "ab", "\n\n"]) for _ in range(chance.randrange(40))
        )
        lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
        if text == "":
            lines = []
        wanted = [n for n, line in enumerate(lines, 1) if re.search(pattern, line, re.ASCII)]
        if pattern == r"\Aa":  # the text's beginning is the file's, as in other greps
            wanted = [1] if text.startswith("a") else []
        found = [number for number, _ in matching_lines(regex, text.encode(), lambda: False)]
        assert found == wanted, (text, pattern)


def test_a_large_text_is_searched_in_pieces_that_can_be_stopped():
    looks = 0

    def stopped() -> bool:
        nonlocal looks
        looks += 1
        return looks > 3

    data = (b"x" * 99 + b"\n") * 100_000
    assert not list(matching_lines(compiled("zebra", lines=True), data, stopped))
    assert looks == 4


def test_a_large_text_has_the_right_line_numbers(monkeypatch):
    data = b"".join(b"%d hit\n" % n if n % 1000 == 0 else b"%d\n" % n for n in range(1, 200_001))
    found = [number for number, _ in matching_lines(compiled("hit", lines=True), data, lambda: False)]
    assert found == list(range(1000, 200_001, 1000))


def test_a_pattern_that_is_none_says_why():
    with pytest.raises(PatternInvalid, match="missing"):
        compiled("(a")
