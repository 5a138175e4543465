"""`read_file`: the lines asked for, and a plain word on why there are none."""

import json
import re

import grpc
import pytest

from hector_mesh import info_of


async def test_lines_come_with_their_numbers(every, call):
    said = await call(every, "read_file", path="readme.md")
    assert said.success
    assert said.result.splitlines()[2] == "     3\tFirst line of text."
    assert json.loads(said.structured_json) == {
        "path": "readme.md", "start_line": 1, "end_line": 4, "total_lines": 4,
    }  # fmt: skip


async def test_without_numbers_the_text_is_the_file(every, call, project):
    said = await call(every, "read_file", path="readme.md", line_numbers=False)
    assert said.result + "\n" == (project / "readme.md").read_text()


async def test_a_part_of_a_file_says_that_it_is_one(every, call):
    said = await call(every, "read_file", path="docs/guide.md", start_line=2, end_line=3)
    assert said.result == "     2\tbeta\n     3\tgamma\n[Lines 2 to 3 of 4.]"


async def test_an_end_beyond_the_file_is_its_end(every, call):
    said = await call(every, "read_file", path="docs/guide.md", start_line=4, end_line=99)
    assert "alpha again" in said.result


async def test_a_start_beyond_the_file_says_where_it_ends(every, call):
    said = await call(every, "read_file", path="docs/guide.md", start_line=5)
    assert "ends at line 4" in said.error


async def test_a_long_file_is_cut_at_a_line_and_can_be_read_to_its_end(every, call, project):
    lines = [f"line {number} " + "x" * 100 for number in range(1, 2001)]
    (project / "long.txt").write_text("\n".join(lines))
    read, start, calls = [], 1, 0
    while start:
        said = await call(every, "read_file", path="long.txt", start_line=start, line_numbers=False)
        assert len(said.result.encode()) <= 64 << 10
        more = re.search(r"\n\[Lines .* go on with start_line (\d+)\.\]$", said.result)
        read += re.sub(r"\n\[Lines .*\]$", "", said.result).split("\n")
        start = int(more[1]) if more else 0
        calls += 1
    assert read == lines
    assert calls == 4


async def test_a_line_longer_than_all_that_may_be_said_is_cut(every, call, project):
    (project / "wide.txt").write_text("y" * 200_000 + "\nlast\n")
    said = await call(every, "read_file", path="wide.txt")
    assert said.success
    assert len(said.result.encode()) <= 64 << 10
    assert "Cut here" in said.result
    assert "start_line 2" in said.result


async def test_an_empty_file_is_called_empty(every, call, project):
    (project / "empty").write_text("")
    assert (await call(every, "read_file", path="empty")).result == "[empty is empty.]"


@pytest.mark.parametrize(
    ("data", "text", "note"),
    [
        ("Grüße".encode(), "Grüße", ""),
        (b"\xef\xbb\xbfBOM", "BOM", ""),
        ("Grüße".encode("utf-16"), "Grüße", "UTF-16"),
        ("Grüße".encode("cp1252"), "Grüße", "Windows-1252"),
        (b"one\r\ntwo\rthree", "one\ntwo\nthree", ""),
        ("a\x0bb\x0cc\u2028d".encode(), "a\x0bb\x0cc\u2028d", ""),
    ],
)
async def test_encodings_are_read_and_odd_ones_named(every, call, project, data, text, note):
    (project / "file").write_bytes(data)
    said = await call(every, "read_file", path="file", line_numbers=False)
    assert said.result.split("\n[Read as")[0] == text
    assert (f"[Read as {note}.]" in said.result) == bool(note)


async def test_what_is_no_text_is_refused(every, call, project):
    (project / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    assert "is no text" in (await call(every, "read_file", path="picture.png")).error


async def test_a_file_above_the_limit_is_refused_with_both_sizes(serve, call, project):
    tools = await serve({"read_file": {"max_file_size": "1KB"}})
    (project / "big").write_text("x" * 1001)
    said = await call(tools, "read_file", path="big")
    assert "1,001 bytes" in said.error
    assert "1,000" in said.error


async def test_a_folder_is_answered_with_what_is_in_it(every, call, project):
    (project / ".env").write_text("x")
    said = await call(every, "read_file", path=".")
    assert ". is a folder; in it: docs/, readme.md" in said.error


async def test_a_name_that_is_nearly_right_is_corrected(every, call):
    assert "did you mean guide.md?" in (await call(every, "read_file", path="docs/guid.md")).error
    assert "did you mean" not in (await call(every, "read_file", path="docs/zzz")).error


async def test_a_file_used_as_a_folder_is_named(every, call):
    assert "readme.md is a file" in (await call(every, "read_file", path="readme.md/x")).error


@pytest.mark.parametrize("entry", [{"allowed_extensions": ["txt", ".RST"]}, {"denied_extensions": [".md"]}])
async def test_extensions_are_kept_to(serve, call, entry):
    tools = await serve({"read_file": entry, "grep_search": entry})
    with pytest.raises(grpc.aio.AioRpcError, match="this tool reads") as failed:
        await call(tools, "read_file", path="readme.md")
    assert info_of(failed.value).reason == "TOOL_DENIED"
    assert (await call(tools, "read_file", path="docs/deep/note.txt")).success
    found = json.loads((await call(tools, "grep_search", pattern="alpha")).structured_json)
    assert {match["path"] for match in found["matches"]} == {"docs/deep/note.txt"}
