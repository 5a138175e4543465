"""Media types of what clients send and accept, and whether an agent's modes have them."""

from collections.abc import Collection, Iterable

EVERYTHING = ("*/*",)
OF_CONTENT = {"text": "text/plain", "data": "application/json", "raw": "application/octet-stream"}
"""What a part is that does not say. Of a `url` nobody knows; the agent will see."""


def plain(found: str) -> str:
    """Return a media type without parameters, in lower case; clients of 0.3 write "text" for plain text."""
    found = found.partition(";")[0].strip().lower()
    return found if "/" in found else {"text": "text/plain", "*": "*/*"}.get(found, found)


class Modes:
    """The media types that an agent reads, or those that it writes. Without any it is all of them."""

    def __init__(self, modes: Collection[str], of_skills: Iterable[str] = ()) -> None:
        """Take them.

        Args:
            modes: The agent's own, which its card shows.
            of_skills: More that one of its skills has. Requests do not say which skill is meant, so all pass.
        """
        self.shown = tuple(modes) or EVERYTHING
        self.allowed = tuple(dict.fromkeys((*self.shown, *of_skills)))
        found = [plain(mode) for mode in self.allowed]
        self.everything = "*/*" in found
        self._exact = frozenset(found)
        self._kinds = tuple(mode[:-1] for mode in found if mode.endswith("/*") and mode != "*/*")
        self.has_plain_text = self.has("text/plain")

    def has(self, media_type: str) -> bool:
        """Say whether a media type is one of them."""
        if self.everything:
            return True
        found = plain(media_type)
        return found in self._exact or found.startswith(self._kinds)

    def overlap(self, accepted: Iterable[str]) -> bool:
        """Say whether something can be both one of these and one that a client accepts."""
        if self.everything:
            return True
        for one in accepted:
            found = plain(one)
            if found == "*/*" or self.has(found):
                return True
            if found.endswith("/*") and any(mode.startswith(found[:-1]) for mode in self._exact):
                return True
        return False
