"""The chunker keeps its limits, cuts where the text pauses, and loses nothing."""

import random
from itertools import pairwise

import pytest
from pydantic import ValidationError

from hector_document.chunk import chunks_of
from hector_document.config import ChunkingConfig
from hector_document.structure import blocks_of

SMALL = ChunkingConfig(size=100, min_size=20, max_size=150)
PIECES = [
    "# h\n",
    "## k\n\n",
    "```\n",
    "~~~~\n",
    "word ",
    "\n",
    "\r\n",
    "x" * 60,
    ". ",
    "\t",
    "é",
    "\f",
    "- a\n",
]


def any_text(seed: int) -> str:
    pick = random.Random(seed)
    return "".join(pick.choice(PIECES) for _ in range(pick.randint(0, 120)))


@pytest.mark.parametrize("markdown", [True, False])
@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_text_nothing_is_lost_and_no_limit_is_passed(seed: int, markdown: bool) -> None:
    text = any_text(seed)
    blocks = blocks_of(text, markdown=markdown)
    assert "".join(text[block.start : block.end] for block in blocks) == text
    chunks = chunks_of(text, SMALL, markdown=markdown)
    assert "".join(chunk.text for chunk in chunks) == (text if text.strip() else "")
    assert all(len(chunk.text) <= 150 for chunk in chunks)
    for before, chunk, after in zip(chunks, chunks[1:], chunks[2:], strict=False):
        if len(chunk.text) < 20:
            assert len(before.text) + len(chunk.text) > 150
            assert len(chunk.text) + len(after.text) > 150


@pytest.mark.parametrize(
    "text",
    [
        "# a" + " " * 200_000 + "b",
        "# a" + " #" * 100_000 + "b",
        "# " + "[" * 200_000,
        "```" * 100_000,
        "." * 300_000,
        "x" * 300_000,
        "a\n" * 100_000,
        "\n" * 300_000,
        "> " * 100_000,
        "-" * 300_000 + "\n" + "=" * 300_000,
    ],
    ids=range(10),
)
@pytest.mark.timeout(30)
def test_no_text_takes_for_ever(text: str) -> None:
    """Ours: documents may be written by somebody who wishes us ill."""
    chunks = chunks_of(text, ChunkingConfig(), markdown=True)
    assert "".join(chunk.text for chunk in chunks).split() == text.split()


@pytest.mark.parametrize("seed", range(20))
def test_lines_are_exact(seed: int) -> None:
    text = any_text(seed)
    lines = text.split("\n")
    for chunk in chunks_of(text, SMALL, markdown=True):
        assert chunk.text.strip() in "\n".join(lines[chunk.start_line - 1 : chunk.end_line])
        assert lines[chunk.start_line - 1].strip()
        assert lines[chunk.end_line - 1].strip()


def test_sections_begin_passages_and_give_them_titles() -> None:
    text = (
        "# Top\n\n"
        + "Intro text here. " * 3
        + "\n\n## One\n\nFirst body of text.\n\n### Deep\n\nAnd deeper still.\n"
    )
    chunks = chunks_of(text, SMALL, markdown=True)
    assert [(chunk.path, chunk.text.splitlines()[0]) for chunk in chunks] == [
        (("Top",), "# Top"),
        (("Top", "One"), "## One"),
        (("Top", "One", "Deep"), "### Deep"),
    ]


def test_a_heading_is_never_left_at_the_end() -> None:
    text = "Paragraph of words. " * 4 + "\n\n## Heading\n\n" + "Body of the section. " * 4
    for chunk in chunks_of(text, SMALL, markdown=True):
        assert not chunk.text.rstrip().endswith("Heading")


def test_code_that_fits_is_not_cut() -> None:
    code = "```python\n" + "".join(f"line_{n} = {n}\n\n" for n in range(8)) + "```\n"
    text = f"Before it.\n\n{code}\nAfter it, some more words follow.\n"
    assert len(code) > 100
    chunks = chunks_of(text, ChunkingConfig(size=100, min_size=5, max_size=200), markdown=True)
    assert any(code in chunk.text for chunk in chunks)


def test_signs_of_markdown_inside_of_code_are_code() -> None:
    text = "# Real\n\n```sh\n# a comment\n## another\n```\n\nText\n====\n\nmore\n"
    headings = [block.path[-1] for block in blocks_of(text, markdown=True) if block.kind == "heading"]
    assert headings == ["Real", "Text"]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("# A #\n## B with [link](x) ##\n", ["A", "B with link"]),
        ("---\ntitle: x\n---\n\n# A\n", ["A"]),
        ("#no heading\n\n####### seven\n", []),
        ("- item\n---\n\n| a |\n---\n", []),
        ("# A\r\n\r\ntext\r\n", ["A"]),
    ],
)
def test_headings_are_told_from_what_only_looks_like_them(text: str, titles: list[str]) -> None:
    blocks = blocks_of(text, markdown=True)
    assert [block.path[-1] for block in blocks if block.kind == "heading"] == titles


def test_words_stay_whole_where_they_fit() -> None:
    text = "incomprehensibilities " * 30
    for chunk in chunks_of(text, SMALL):
        assert set(chunk.text.split()) == {"incomprehensibilities"}
    cut = chunks_of(text, SMALL.model_copy(update={"preserve_words": False}))
    assert all(len(chunk.text) == 100 for chunk in cut[:-1])


def test_sentences_are_a_better_place_than_words() -> None:
    chunks = chunks_of("This is a sentence of words. " * 20, SMALL)
    assert all(chunk.text.rstrip().endswith(".") for chunk in chunks)


def test_an_overlap_repeats_whole_words_of_the_passage_before() -> None:
    text = " ".join(f"word{n}" for n in range(100))
    chunks = chunks_of(text, SMALL.model_copy(update={"overlap": 30}))
    for before, chunk in pairwise(chunks):
        repeated = text[chunk.start : before.end]
        assert 0 < len(repeated) <= 30
        assert repeated.startswith("word")
        assert len(chunk.text) <= 150


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"size": 500, "max_size": 400}, "must be in this order"),
        ({"min_size": 2000}, "must be in this order"),
        ({"overlap": 1000}, "must be less than size"),
        ({"strategy": "semantic"}, "not available in this version"),
        ({"strategy": "clever"}, "available: simple"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ChunkingConfig(**keys)
