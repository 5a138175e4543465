"""SKILL.md, good and bad."""

import pytest

from hector_runtime.skill import LIMIT_BYTES, Skill, SkillUnreadable, read_skill

GOOD = {
    "everything": (
        "---\nname: pdf-reader\ndescription: Reads PDFs.\nallowed-tools: read_file, grep_search\n---\n\n"
        "# Do\nRead.\n",
        Skill("pdf-reader", "Reads PDFs.", "# Do\nRead.", ("read_file", "grep_search")),
    ),
    "only a name": ("---\nname: x\n---\n", Skill("x", "", "", None)),
    "tools as a list": ("---\nname: x\nallowed-tools: [search]\n---\n", Skill("x", "", "", ("search",))),
    "tools with spaces": (
        "---\nname: x\nallowed-tools: search todo_write\n---\n",
        Skill("x", "", "", ("search", "todo_write")),
    ),
    "no tools": ("---\nname: x\nallowed-tools: []\n---\n", Skill("x", "", "", ())),
    "other keys": ("---\nname: x\nlicense: MIT\nmetadata: {a: 1}\n---\nGo.", Skill("x", "", "Go.", None)),
    "a byte order mark": ("\ufeff---\nname: x\n---\nGo.", Skill("x", "", "Go.", None)),
    "line ends of Windows": ("---\r\nname: x\r\n---\r\nGo.\r\nOn.", Skill("x", "", "Go.\nOn.", None)),
    "a line of dashes in the text": (
        "---\nname: x\n---\na\n\n---\n\nb",
        Skill("x", "", "a\n\n---\n\nb", None),
    ),
    "a variable in the text": ("---\nname: x\n---\nUse ${HOME}.", Skill("x", "", "Use ${HOME}.", None)),
}
BAD = {
    "empty": ("", "does not begin with a head"),
    "no head": ("# Read PDFs\n", "does not begin with a head"),
    "a head without end": ("---\nname: x\n", "head does not end"),
    "no YAML": ("---\nname: [x\n---\n", "head is not YAML"),
    "a list": ("---\n- x\n---\n", "head has no name"),
    "no name": ("---\ndescription: x\n---\n", "head has no name"),
    "an empty name": ("---\nname: '  '\n---\n", "head has no name"),
    "a number for a name": ("---\nname: 7\n---\n", "head has no name"),
    "tools as a mapping": ("---\nname: x\nallowed-tools: {a: b}\n---\n", "allowed-tools"),
    "tools as numbers": ("---\nname: x\nallowed-tools: [1]\n---\n", "allowed-tools"),
    "too large": ("---\nname: x\n---\n" + "a" * LIMIT_BYTES, "larger than"),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_good_one_says_what_the_agent_is(case, tmp_path):
    text, skill = GOOD[case]
    (tmp_path / "SKILL.md").write_text(text, encoding="utf-8", newline="")
    assert read_skill(tmp_path) == skill


@pytest.mark.parametrize("case", BAD)
def test_a_bad_one_says_what_is_wrong_and_how_it_should_be(case, tmp_path):
    text, why = BAD[case]
    (tmp_path / "SKILL.md").write_text(text, encoding="utf-8")
    with pytest.raises(SkillUnreadable) as refused:
        read_skill(tmp_path)
    assert why in str(refused.value)
    assert str(tmp_path / "SKILL.md") in str(refused.value)
    assert "it begins with `---`" in str(refused.value)


def test_no_file_is_no_skill(tmp_path):
    assert read_skill(tmp_path) is None


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "SKILL.md").write_bytes(b"---\nname: \xff\n---\n")
    with pytest.raises(SkillUnreadable, match="not UTF-8"):
        read_skill(tmp_path)


def test_a_folder_of_that_name_is_refused(tmp_path):
    (tmp_path / "SKILL.md").mkdir()
    with pytest.raises(SkillUnreadable, match="Is a directory"):
        read_skill(tmp_path)
