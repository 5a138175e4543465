"""Ours: a link in a page of ours leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)`*~*\s*?$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
INLINE = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s+\".*\")?\s*$", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
ANCHOR = re.compile(r"<a\s+(?:id|name)=\"([^\"]+)\"")


def test_every_relative_link_leads_to_a_file_and_an_anchor(root: Path, pages: dict[Path, str]) -> None:
    dead = [
        f"{page.relative_to(root)}: {link}"
        for page, text in pages.items()
        for link in links_in(text)
        if not leads_somewhere(link, page, root, pages)
    ]
    assert dead == []


def test_the_check_itself_sees_links_and_anchors() -> None:
    code = "```\n[no](no)\n```\n`[no](no)`\n"
    text = f"# A `b` & c!\n[x](y.md#z) [![i](i.png)](j)\n\n[r]: k.md\n\n{code}# A `b` & c!\n"
    assert sorted(links_in(text)) == ["i.png", "j", "k.md", "y.md#z"]
    assert anchors_in(text) == {"a-b--c", "a-b--c-1"}


def leads_somewhere(link: str, page: Path, root: Path, pages: dict[Path, str]) -> bool:
    """Tell whether a link of a page stays in the clone and names what is there."""
    if re.match(r"[a-z][a-z0-9+.-]*:", link):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / unquote(path)).resolve() if path else page
    if not target.is_relative_to(root) or not target.exists():
        return False
    return not anchor or target not in pages or unquote(anchor) in anchors_in(pages[target])


def links_in(text: str) -> Iterator[str]:
    """Give the targets of all links outside code, images' included."""
    prose = CODE.sub("", FENCE.sub("", text))
    yield from (match[1] for match in REFERENCE.finditer(prose))
    while match := INLINE.search(prose):
        yield match[1]
        start, text_of_link = match.start(), match[0]
        prose = (
            prose[:start] + " ".join(re.findall(r"!\[[^\]]*\]\([^)]*\)", text_of_link)) + prose[match.end() :]
        )


def anchors_in(text: str) -> set[str]:
    """Give the anchors that GitHub makes of a page's headings, and those written in HTML."""
    prose = FENCE.sub("", text)
    found: set[str] = set(ANCHOR.findall(prose))
    for heading in HEADING.findall(prose):
        shown = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        name, count = slug, 0
        while name in found:
            count += 1
            name = f"{slug}-{count}"
        found.add(name)
    return found
