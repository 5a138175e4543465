"""What a sentence offers as values: quotations, paths, addresses, numbers, names."""

import re
from functools import cached_property

_quoted = re.compile(r"“([^”]+)”|\"([^\"]+)\"|`([^`]+)`|(?<!\w)'([^']+)'(?!\w)")
_path = re.compile(
    r"(?<![\w@/:.])(?:~/|\.{0,2}/)?(?:[\w.-]+/)+(?:[\w.-]*[\w-])?|(?<![\w@/:.])[\w-]+\.[A-Za-z]\w{0,5}(?![\w(])"
)
_url = re.compile(r"https?://[^\s<>\"')\]]+")
_number = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\w)")
_email = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+\w")
_date = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_proper = re.compile(r"(?<![.!?]\s)(?<!^)\b(?:[A-Z][\w'-]+)(?:\s+[A-Z][\w'-]+)*")
_after = re.compile(
    r"\b(?:in|for|of|to|about|at|on|with|named|called|saying|that says)\s+([^,.;:!?\n]+)", re.IGNORECASE
)


class Clues:
    """The values that stand in a text, by kind, each in the order of the text."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())

    @cached_property
    def quoted(self) -> list[str]:
        return [next(filter(None, found.groups())) for found in _quoted.finditer(self.text)]

    @cached_property
    def urls(self) -> list[str]:
        return [url.rstrip(".,;!?") for url in _url.findall(self.text)]

    @cached_property
    def paths(self) -> list[str]:
        text = _email.sub(" ", _url.sub(" ", self.text))
        inside = [text for text in self.quoted if _path.fullmatch(text)]
        found = [
            match for match in _path.findall(text) if not re.fullmatch(r"(?:e\.g|i\.e|\d+(?:\.\d+)*)", match)
        ]
        return list(dict.fromkeys(inside + found))

    @cached_property
    def emails(self) -> list[str]:
        return _email.findall(self.text)

    @cached_property
    def dates(self) -> list[str]:
        return _date.findall(self.text)

    @cached_property
    def numbers(self) -> list[float]:
        numbers = map(float, _number.findall(_date.sub(" ", self.text)))
        return [number for number in numbers if abs(number) < 2**53]

    @cached_property
    def names(self) -> list[str]:
        """Capitalised words that do not begin a sentence."""
        return [name for name in _proper.findall(self.text) if name not in ("I",)]

    @cached_property
    def objects(self) -> list[str]:
        """What stands behind "in", "for", "about" and the like."""
        return [found.strip() for found in _after.findall(self.text)]

    @cached_property
    def listed(self) -> list[str]:
        """The items of a list, after a colon, as lines, or with commas between them."""
        tail = self.text.split(":", 1)[1] if ":" in _url.sub("", self.text) else self.text
        items = re.split(r"\s*(?:,|;|\band\b|\d+[.)]\s|(?:^|\s)[-*•]\s)\s*", tail)
        return [item.strip(" .!?") for item in items if item.strip(" .!?")]

    def said_of(self, words: list[str]) -> str:
        """Return what the text says of a thing, as "Paris" in "the city is Paris" or "city: Paris"."""
        name = r"[\s_-]*".join(map(re.escape, words))
        found = re.search(
            rf"\b{name}\b\s*(?:is|are|=|:|was|will be|should be|of)\s*([^,;.!?\n]+)", self.text, re.IGNORECASE
        )
        return found[1].strip(" \"'`“”") if found else ""
